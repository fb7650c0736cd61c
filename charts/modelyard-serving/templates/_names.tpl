{{/* The name of everything; the checks refuse one that a Service cannot have. */}}
{{- define "modelyard-serving.name" -}}
{{- default .Release.Name .Values.fullnameOverride -}}
{{- end -}}

{{- define "modelyard-serving.serviceAccountName" -}}
{{- $default := ternary (include "modelyard-serving.name" .) "default" .Values.serviceAccount.create -}}
{{- default $default .Values.serviceAccount.name -}}
{{- end -}}

{{/*
What selects the pods of a release, over all tracks. Selectors of a Deployment can never be changed: these three labels
and the track are for ever. The component keeps the pod of `helm test` out of the Services.
*/}}
{{- define "modelyard-serving.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: serving
{{- end -}}

{{/* The labels of every object but pods, whose labels must not change with the chart's version. */}}
{{- define "modelyard-serving.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: modelyard
{{ include "modelyard-serving.selector" . }}
{{- end -}}

{{/* An image's full name, from a map of repository, digest and tag. */}}
{{- define "modelyard-serving.image" -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag }}
{{- end -}}
{{- end -}}

{{/* Whether metrics are on the service's port, behind its keys. */}}
{{- define "modelyard-serving.metricsNeedKey" -}}
{{- if and .Values.apiKeys.existingSecret (not .Values.metrics.port) -}}true{{- end -}}
{{- end -}}
