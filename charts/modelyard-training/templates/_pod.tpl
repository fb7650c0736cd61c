{{/* What the pods of both engines share. */}}
{{- define "modelyard-training.podMetadata" -}}
labels:
  {{- include "modelyard-training.selector" . | nindent 2 }}
  {{- with .Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "modelyard-training.podSpec" -}}
serviceAccountName: {{ include "modelyard-training.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.graceSeconds | int }}
securityContext:
  {{- include "modelyard-training.podSecurity" . | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include "modelyard-training.placement" . }}
{{- with .Values.wheels }}
initContainers:
  - name: wheels
    image: {{ include "modelyard-training.image" $ | quote }}
    imagePullPolicy: {{ $.Values.image.pullPolicy }}
    command: [python, -m, modelyard_tuning.wheels]
    args: {{ concat (list "/wheels") . | toJson }}
    {{- include "modelyard-training.environment" $ | nindent 4 }}
    securityContext:
      {{- include "modelyard-training.containerSecurity" $ | nindent 6 }}
    resources:
      {{- include "modelyard-training.resources" $ | nindent 6 }}
    volumeMounts:
      {{- include "modelyard-training.volumeMounts" $ | nindent 6 }}
{{- end }}
{{- end -}}

{{/* A container of the image, but its name, command and probes. */}}
{{- define "modelyard-training.container" -}}
image: {{ include "modelyard-training.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{ include "modelyard-training.environment" . }}
securityContext:
  {{- include "modelyard-training.containerSecurity" . | nindent 2 }}
resources:
  {{- include "modelyard-training.resources" . | nindent 2 }}
terminationMessagePath: {{ .Values.terminationLog }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  {{- include "modelyard-training.volumeMounts" . | nindent 2 }}
{{- end -}}

{{/* The driver's command line, the same in both engines. */}}
{{- define "modelyard-training.driver" -}}
- --run={{ .Values.run | default "$(JOB_NAME)" }}
- --storage={{ .Values.storage.url }}
- --config={{ .Values.config }}
- --slots={{ include "modelyard-training.slots" . }}
- --termination-log={{ .Values.terminationLog }}
{{- with .Values.metrics.port }}
- --metrics-port={{ int . }}
{{- end }}
{{- with .Values.retraining.repository }}
- --publish={{ . }}
{{- end }}
{{- if .Values.retraining.insecure }}
- --insecure
{{- end }}
{{- end -}}

{{/* The port of the driver's metrics; KubeRay has one of its own that is called metrics. */}}
{{- define "modelyard-training.metricsPort" -}}
{{- with .Values.metrics.port -}}
- {name: search-metrics, containerPort: {{ int . }}, protocol: TCP}
{{- end -}}
{{- end -}}

{{- define "modelyard-training.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- if .Values.storage.claim }}
fsGroup: {{ .Values.storage.group | int }}
{{- end }}
{{- end -}}

{{- define "modelyard-training.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* Where the pods go, and how soon they leave a node that is lost. */}}
{{- define "modelyard-training.placement" -}}
{{- with .Values.priorityClassName -}}
priorityClassName: {{ . }}
{{ end -}}
{{- with .Values.nodeSelector -}}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{ end -}}
{{- with .Values.affinity -}}
affinity:
  {{- toYaml . | nindent 2 }}
{{ end -}}
tolerations:
  {{- range list "not-ready" "unreachable" }}
  - key: node.kubernetes.io/{{ . }}
    operator: Exists
    effect: NoExecute
    tolerationSeconds: {{ $.Values.lostNodeSeconds | int }}
  {{- end }}
  {{- with .Values.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.topologyKeys }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "modelyard-training.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}
