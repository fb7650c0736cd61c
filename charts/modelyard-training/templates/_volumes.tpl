{{- define "modelyard-training.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .Values.tmpSize }}}
{{- if .Values.wheels }}
- name: wheels
  emptyDir: {sizeLimit: 512Mi}
{{- end }}
{{- if eq .Values.engine "job" }}
# KubeRay mounts memory of its own there
- name: shm
  emptyDir: {medium: Memory, sizeLimit: {{ add .Values.memory.objectStoreMiB 64 }}Mi}
- name: token
  secret:
    secretName: {{ .Values.token.existingSecret }}
    # 0444: the user of the image is not known here, and reads as anybody
    defaultMode: 292
    items:
      - {key: {{ .Values.token.key }}, path: token}
{{- end }}
{{- with .Values.storage.claim }}
- name: storage
  persistentVolumeClaim: {claimName: {{ . }}}
{{- end }}
{{- with .Values.retraining.registrySecret }}
- name: registry
  secret:
    secretName: {{ . }}
    defaultMode: 292
    items:
      - {key: .dockerconfigjson, path: config.json}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "modelyard-training.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.wheels }}
- {name: wheels, mountPath: /wheels}
{{- end }}
{{- if eq .Values.engine "job" }}
- {name: shm, mountPath: /dev/shm}
- {name: token, mountPath: /secrets/ray, readOnly: true}
{{- end }}
{{- if .Values.storage.claim }}
- {name: storage, mountPath: /storage}
{{- end }}
{{- if .Values.retraining.registrySecret }}
- {name: registry, mountPath: /secrets/registry, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}
