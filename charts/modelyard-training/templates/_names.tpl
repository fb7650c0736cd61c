{{/* The name of everything; the checks refuse one that a Service or a RayJob cannot have. */}}
{{- define "modelyard-training.name" -}}
{{- default .Release.Name .Values.fullnameOverride -}}
{{- end -}}

{{/* The Service of Ray's head, by which workers find it. */}}
{{- define "modelyard-training.head" -}}
{{ include "modelyard-training.name" . }}-head
{{- end -}}

{{- define "modelyard-training.serviceAccountName" -}}
{{- $default := ternary (include "modelyard-training.name" .) "default" .Values.serviceAccount.create -}}
{{- default $default .Values.serviceAccount.name -}}
{{- end -}}

{{/* What selects the pods of a release, whatever Job they are of. */}}
{{- define "modelyard-training.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: search
{{- end -}}

{{/* What selects the pod with Ray's head and the driver. */}}
{{- define "modelyard-training.headSelector" -}}
{{ include "modelyard-training.selector" . }}
{{ ternary "batch.kubernetes.io/job-completion-index: \"0\"" "ray.io/node-type: head" (eq .Values.engine "job") }}
{{- end -}}

{{- define "modelyard-training.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: modelyard
{{ include "modelyard-training.selector" . }}
{{- end -}}

{{- define "modelyard-training.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag }}
{{- end -}}
{{- end -}}
{{- end -}}
