{{/*
The spec of the one Indexed Job: index 0 is head and driver, the others are workers.

It succeeds when index 0 does, and fails when an index has no tries left. A lost pod is replaced as soon as it is
terminating, because one on a dead node stays that; a podFailurePolicy forbids that, so a failure for good is
remembered in the run's folder and ends each further try at once.
*/}}
{{- define "modelyard-training.job" -}}
completionMode: Indexed
completions: {{ add .Values.workers 1 }}
parallelism: {{ add .Values.workers 1 }}
backoffLimitPerIndex: {{ .Values.job.retries | int }}
maxFailedIndexes: 0
podReplacementPolicy: TerminatingOrFailed
successPolicy: {rules: [{succeededIndexes: "0"}]}
ttlSecondsAfterFinished: {{ .Values.job.keepSeconds | int }}
{{- with .Values.job.deadlineSeconds }}
activeDeadlineSeconds: {{ . | int }}
{{- end }}
template:
  metadata:
    {{- include "modelyard-training.podMetadata" . | nindent 4 }}
  spec:
    restartPolicy: Never
    {{- include "modelyard-training.podSpec" . | nindent 4 }}
    containers:
      - name: ray
        command: [python, -m, modelyard_tuning.pod]
        args:
          - --head={{ include "modelyard-training.head" . }}
          - --cpus={{ .Values.cpus | int }}
          - --head-cpus={{ include "modelyard-training.headCpus" . }}
          - --object-store-bytes={{ include "modelyard-training.objectStoreBytes" . }}
          {{- include "modelyard-training.driver" . | nindent 10 }}
        {{- include "modelyard-training.container" . | nindent 8 }}
        ports:
          - {name: gcs, containerPort: 6379, protocol: TCP}
          - {name: node-manager, containerPort: 6381, protocol: TCP}
          {{- include "modelyard-training.metricsPort" . | nindent 10 }}
        # the node manager answers last, on the head after the GCS
        readinessProbe:
          tcpSocket: {port: node-manager}
          periodSeconds: 2
    volumes:
      {{- include "modelyard-training.volumes" . | nindent 6 }}
{{- end -}}
