{{/* Where Secrets are mounted: the whole folder, since a single file would never be updated. */}}
{{- define "modelyard-serving.keysFolder" -}}/etc/modelyard/keys{{- end -}}

{{- define "modelyard-serving.feedbackFolder" -}}/etc/modelyard/feedback{{- end -}}

{{/* MODELYARD_SERVING of a track, from a map of root and track: what goes before the bento's own settings, as JSON. */}}
{{- define "modelyard-serving.settings" -}}
{{- $track := .track -}}
{{- with .root -}}
{{- $settings := deepCopy .Values.serving -}}
{{- if and (eq $track "canary") .Values.canary.predictionBins -}}
{{- $_ := set $settings "prediction_bins" .Values.canary.predictionBins -}}
{{- end -}}
{{- $_ := set $settings "metrics_port" (ternary (int .Values.metrics.port) nil (ne (int .Values.metrics.port) 0)) -}}
{{- if .Values.apiKeys.existingSecret -}}
{{- $_ := set $settings "keys_file" (printf "%s/keys" (include "modelyard-serving.keysFolder" .)) -}}
{{- end -}}
{{- if .Values.feedback.existingSecret -}}
{{- $_ := set $settings "feedback_key_file" (printf "%s/key" (include "modelyard-serving.feedbackFolder" .)) -}}
{{- end -}}
{{- $settings | toJson -}}
{{- end -}}
{{- end -}}

{{/* Seconds until a pod is killed: all that its end may take, and 5 for the server to close its books. */}}
{{- define "modelyard-serving.gracePeriod" -}}
{{- add .Values.termination.preStopSleepSeconds (ceil .Values.serving.drain_seconds) .Values.termination.requestSeconds 5 -}}
{{- end -}}

{{/* The paths that are let through from outside, as a YAML list of path and type (Exact or Prefix). */}}
{{- define "modelyard-serving.paths" -}}
- {path: /api/v1, type: Prefix}
- {path: /predict, type: Exact}
- {path: /v2, type: Prefix}
{{- if .Values.paths.docs }}
- {path: /docs, type: Exact}
- {path: /static-offline-docs, type: Prefix}
- {path: /openapi.json, type: Exact}
{{- end }}
{{- with .Values.paths.extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What Pod Security `restricted` asks of a container, and a root file system that nobody can write to. */}}
{{- define "modelyard-serving.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "modelyard-serving.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end -}}
