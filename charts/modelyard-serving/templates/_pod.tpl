{{/* The pod of a track, from a map of root (the chart's scope), track and image. */}}
{{- define "modelyard-serving.pod" -}}
metadata:
  annotations:
    # which pods run with the same settings; they stand in the pod itself, so that a rollback brings them back
    checksum/config: {{ include "modelyard-serving.settings" . | sha256sum }}
    kubectl.kubernetes.io/default-container: serving
    {{- if .root.Values.metrics.scrapeAnnotations }}
    prometheus.io/scrape: "true"
    prometheus.io/port: {{ .root.Values.metrics.port | default 3000 | quote }}
    prometheus.io/path: /metrics
    {{- end }}
    {{- with .root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "modelyard-serving.selector" .root | nindent 4 }}
    modelyard.io/track: {{ .track }}
    {{- with .root.Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "modelyard-serving.serviceAccountName" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "modelyard-serving.gracePeriod" .root }}
  securityContext:
    {{- include "modelyard-serving.podSecurity" .root | nindent 4 }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- include "modelyard-serving.placement" . | trim | nindent 2 }}
  containers:
    - name: serving
      {{- include "modelyard-serving.container" . | nindent 6 }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: {{ .root.Values.tmpSize }}}
    {{- with .root.Values.apiKeys.existingSecret }}
    - name: keys
      secret:
        secretName: {{ . }}
        # 0444: the user of the image is not known here, and reads as anybody
        defaultMode: 292
        items:
          - {key: {{ $.root.Values.apiKeys.key }}, path: keys}
    {{- end }}
    {{- with .root.Values.feedback.existingSecret }}
    - name: feedback
      secret:
        secretName: {{ . }}
        defaultMode: 292
        items:
          - {key: {{ $.root.Values.feedback.key }}, path: key}
    {{- end }}
    {{- with .root.Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "modelyard-serving.container" -}}
image: {{ include "modelyard-serving.image" .image | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- include "modelyard-serving.containerSecurity" .root | nindent 2 }}
env:
  - name: MODELYARD_SERVING
    value: {{ include "modelyard-serving.settings" . | quote }}
  # libraries that keep something in a home would end where it cannot be written to
  - {name: HOME, value: /tmp}
  # BentoML, which serves bentos of modelyard 0.1, would report to its makers; the network policy stops it after a while
  - {name: BENTOML_DO_NOT_TRACK, value: "True"}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - {name: http, containerPort: 3000, protocol: TCP}
  {{- with .root.Values.metrics.port }}
  - {name: metrics, containerPort: {{ . }}, protocol: TCP}
  {{- end }}
startupProbe:
  httpGet: {path: /startupz, port: http}
  {{- toYaml .root.Values.probes.startup | nindent 2 }}
livenessProbe:
  httpGet: {path: /livez, port: http}
  {{- toYaml .root.Values.probes.liveness | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: http}
  {{- toYaml .root.Values.probes.readiness | nindent 2 }}
{{- with .root.Values.termination.preStopSleepSeconds }}
lifecycle:
  preStop: {sleep: {seconds: {{ . }}}}
{{- end }}
resources:
  {{- toYaml .root.Values.resources | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if .root.Values.apiKeys.existingSecret }}
  - {name: keys, mountPath: {{ include "modelyard-serving.keysFolder" .root }}, readOnly: true}
  {{- end }}
  {{- if .root.Values.feedback.existingSecret }}
  - {name: feedback, mountPath: {{ include "modelyard-serving.feedbackFolder" .root }}, readOnly: true}
  {{- end }}
  {{- with .root.Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Where a track's pods go, and how soon they leave a node that is lost. */}}
{{- define "modelyard-serving.placement" -}}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
tolerations:
  {{- range list "not-ready" "unreachable" }}
  - key: node.kubernetes.io/{{ . }}
    operator: Exists
    effect: NoExecute
    tolerationSeconds: {{ $.root.Values.lostNodeSeconds }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.topologyKeys }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "modelyard-serving.selector" $.root | nindent 8 }}
        modelyard.io/track: {{ $.track }}
    # pods of the version that an update replaces do not count
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}
