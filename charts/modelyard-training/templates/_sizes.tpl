{{/* Trials at the same time on the head: one core is the driver's, unless there is no other pod. */}}
{{- define "modelyard-training.headCpus" -}}
{{- ternary (int .Values.cpus) (sub .Values.cpus 1 | int) (eq (int .Values.workers) 0) -}}
{{- end -}}

{{/* Trials at the same time in all pods. */}}
{{- define "modelyard-training.slots" -}}
{{- add (mul .Values.workers .Values.cpus) (include "modelyard-training.headCpus" . | int) -}}
{{- end -}}

{{- define "modelyard-training.objectStoreBytes" -}}
{{- mul .Values.memory.objectStoreMiB 1048576 -}}
{{- end -}}

{{/*
Requests and limits of everything, so that quotas and limit ranges have nothing to add. One core above the request is
for Ray itself: trials that take all of theirs must not make a node look dead.
*/}}
{{- define "modelyard-training.resources" -}}
{{- $memory := add .Values.memory.baseMiB .Values.memory.objectStoreMiB (mul .Values.memory.perCpuMiB .Values.cpus) -}}
requests:
  cpu: {{ .Values.cpus | int }}
  memory: {{ $memory }}Mi
limits:
  cpu: {{ add .Values.cpus 1 }}
  memory: {{ $memory }}Mi
{{- end -}}
