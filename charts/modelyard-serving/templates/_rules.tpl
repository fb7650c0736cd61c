{{/* A file of rules with a release's values where it has a word such as @WINDOW@; from a map of root and text. */}}
{{- define "modelyard-serving.filledRules" -}}
{{- $text := .text -}}
{{- with .root -}}
{{- $rules := .Values.metrics.rules -}}
{{- $words := dict
      "NAMESPACE" .Release.Namespace
      "RELEASE" .Release.Name
      "RUNBOOKS" $rules.runbooks
      "WINDOW" $rules.drift.window
      "HOLD" $rules.drift.hold
      "DRIFT_INDEX" $rules.drift.index
      "DRIFT_ROWS" $rules.drift.leastRows
      "UNSEEN_SHARE" $rules.drift.unseenShare
      "MISSING_SHARE" $rules.drift.missingShare
      "FEEDBACK_WINDOW" $rules.feedback.window
      "FEEDBACK_ROWS" $rules.feedback.leastRows
      "FEEDBACK_WORSE" $rules.feedback.worse
      "AVAILABILITY" $rules.objectives.availability
      "LATENCY_SHARE" $rules.objectives.latencyShare
      "LATENCY_SECONDS" (ternary "1.0" $rules.objectives.latencySeconds (eq (toString $rules.objectives.latencySeconds) "1"))
      "LEAST_REQUESTS" $rules.objectives.leastRequests
-}}
{{- range $word, $value := $words -}}
{{- $text = $text | replace (printf "@%s@" $word) (toString $value) -}}
{{- end -}}
{{- end -}}
{{- $text -}}
{{- end -}}
