{{/*
The stable track's `replicas`, or nothing where the field is the autoscaler's.

A field that an earlier revision set and this one leaves out is reset by the API server: Helm's patch removes what Helm
alone owns, and the default is 1. So where the autoscaler is on but Helm still owns the field, what runs now goes on being
said, until somebody else (the autoscaler's first step) owns it. Who owns it stands in the live object's managedFields:

  applied by the server   set while an `Apply` is the only owner
  by the client           set always: a patch is made from the manifests alone, and says nothing of a value that is live

Nothing can be looked up by `helm template`, which then leaves the field out; the README says what to do.
*/}}
{{- define "modelyard-serving.replicas" -}}
{{- if not .Values.autoscaling.enabled -}}
{{ .Values.replicas }}
{{- else -}}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace (include "modelyard-serving.name" .) -}}
{{- if $live -}}
{{- $applied := false -}}
{{- $owners := list -}}
{{- range $live.metadata.managedFields -}}
{{- if eq .operation "Apply" -}}{{- $applied = true -}}{{- end -}}
{{- if hasKey (dig "fieldsV1" "f:spec" dict .) "f:replicas" -}}{{- $owners = append $owners .operation -}}{{- end -}}
{{- end -}}
{{- if or (not $applied) (eq (join "," $owners) "Apply") -}}
{{ max $live.spec.replicas .Values.autoscaling.minReplicas }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How many stable pods there are, to size the canary by: those that run, or are wanted where none can be seen. */}}
{{- define "modelyard-serving.stablePods" -}}
{{- if not .Values.autoscaling.enabled -}}
{{ .Values.replicas }}
{{- else -}}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace (include "modelyard-serving.name" .) -}}
{{ max (dig "spec" "replicas" 0 $live) .Values.autoscaling.minReplicas }}
{{- end -}}
{{- end -}}

{{/* The canary's `replicas`: max(1, round(stable * weight / (100 - weight))), halves up, in whole numbers. */}}
{{- define "modelyard-serving.canaryReplicas" -}}
{{- if .Values.canary.replicas -}}
{{ .Values.canary.replicas }}
{{- else -}}
{{- $stable := include "modelyard-serving.stablePods" . | int -}}
{{- $rest := sub 100 .Values.canary.weight -}}
{{ max 1 (div (add (mul 2 $stable .Values.canary.weight) $rest) (mul 2 $rest)) }}
{{- end -}}
{{- end -}}
