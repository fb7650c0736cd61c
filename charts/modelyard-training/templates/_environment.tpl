{{/* Environment of every container: what the chart sets, what the user adds, and the storage's Secret. */}}
{{- define "modelyard-training.environment" -}}
env:
  {{- include "modelyard-training.env" . | nindent 2 }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.storage.existingSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end -}}

{{- define "modelyard-training.env" -}}
- {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
# libraries that keep something in a home would end where it cannot be written to
- {name: HOME, value: /tmp}
- {name: PYTHONUNBUFFERED, value: "1"}
{{- if .Values.wheels }}
- {name: PYTHONPATH, value: /wheels}
{{- end }}
# a node that was cut off is noticed after 15 s; with Ray's own values it takes a minute
- {name: RAY_health_check_period_ms, value: "2000"}
- {name: RAY_health_check_timeout_ms, value: "3000"}
- {name: RAY_health_check_failure_threshold, value: "3"}
- {name: RAY_USAGE_STATS_ENABLED, value: "0"}
{{- if eq .Values.engine "job" }}
- {name: RAY_AUTH_MODE, value: token}
- {name: RAY_AUTH_TOKEN_PATH, value: /secrets/ray/token}
{{- else }}
# the head's fits of the finalists; the trials on the workers take one core each
- {name: OMP_NUM_THREADS, value: {{ .Values.cpus | quote }}}
{{- end }}
{{- with .Values.storage.s3 }}
- {name: AWS_DEFAULT_REGION, value: {{ .region }}}
{{- with .endpoint }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- if .Values.storage.existingSecret }}
# keys are given, so no cloud's metadata has to be asked for any, which the network policy would let time out
- {name: AWS_EC2_METADATA_DISABLED, value: "true"}
{{- end }}
{{- if .Values.retraining.schedule }}
- {name: JOB_NAME, valueFrom: {fieldRef: {fieldPath: "metadata.labels['batch.kubernetes.io/job-name']"}}}
{{- end }}
{{- if .Values.retraining.registrySecret }}
- {name: DOCKER_CONFIG, value: /secrets/registry}
{{- end }}
{{- end -}}
