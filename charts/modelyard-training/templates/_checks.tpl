{{/* What values.schema.json cannot say, because it takes two values or a sentence of its own. */}}
{{- define "modelyard-training.checks" -}}
{{- $name := include "modelyard-training.name" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,45}[a-z0-9])?$" $name) -}}
{{- fail (printf "The name %s cannot be a RayJob's or a Service's, which has up to 47 small letters, digits and hyphens, a letter first: set fullnameOverride" $name) -}}
{{- end -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is empty: name the image, as in --set image.repository=REGISTRY/NAME" -}}
{{- end -}}
{{- if not (or .Values.image.digest .Values.image.tag) -}}
{{- fail "image.digest and image.tag are empty: name the version, as in --set image.digest=sha256:..." -}}
{{- end -}}
{{- range $key, $value := dict "config" .Values.config "storage.url" .Values.storage.url "token.existingSecret" .Values.token.existingSecret -}}
{{- if not $value -}}
{{- fail (printf "%s is empty: `modelyard tune --on kube --write FILE` writes all that has to be set" $key) -}}
{{- end -}}
{{- end -}}
{{- include "modelyard-training.checkRun" . -}}
{{- include "modelyard-training.checkStorage" . -}}
{{- include "modelyard-training.checkEngine" . -}}
{{- include "modelyard-training.checkMetrics" . -}}
{{- include "modelyard-training.checkPods" . -}}
{{- end -}}

{{- define "modelyard-training.checkRun" -}}
{{- if and (not .Values.run) (not .Values.retraining.schedule) -}}
{{- fail "run and retraining.schedule are both empty: name the run, or say when to search" -}}
{{- end -}}
{{- if and .Values.run .Values.retraining.schedule -}}
{{- fail "run and retraining.schedule are both set, but each Job of a schedule names a run of its own: leave run out" -}}
{{- end -}}
{{- if and .Values.retraining.registrySecret (not .Values.retraining.repository) -}}
{{- fail "retraining.registrySecret is set, but retraining.repository is empty: name where to push to" -}}
{{- end -}}
{{- if and .Values.retraining.repository (not .Values.retraining.schedule) -}}
{{- fail "retraining.repository is set, but retraining.schedule is empty: say when to search, or push by `modelyard image`" -}}
{{- end -}}
{{- end -}}

{{- define "modelyard-training.checkStorage" -}}
{{- $below := or (eq .Values.storage.url "/storage") (hasPrefix "/storage/" .Values.storage.url) -}}
{{- if and .Values.storage.claim (not $below) -}}
{{- fail (printf "storage.url is %s, but storage.claim is mounted at /storage: begin it with that" .Values.storage.url) -}}
{{- end -}}
{{- if and (not .Values.storage.claim) (not (regexMatch "^[a-z][a-z0-9+.-]*://" .Values.storage.url)) -}}
{{- fail (printf "storage.url is %s, which only its own pod could reach: give an fsspec URL such as s3://BUCKET/NAME, or storage.claim" .Values.storage.url) -}}
{{- end -}}
{{- end -}}

{{- define "modelyard-training.checkEngine" -}}
{{- if eq .Values.engine "kuberay" -}}
{{- if .Values.retraining.schedule -}}
{{- fail "engine is kuberay, which has no schedule here: take engine job with retraining.schedule" -}}
{{- end -}}
{{- if ne .Values.token.key "auth_token" -}}
{{- fail (printf "token.key is %s, but KubeRay takes only auth_token: name the Secret's entry so" .Values.token.key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "modelyard-training.checkMetrics" -}}
{{- $port := int .Values.metrics.port -}}
{{- $byJob := and (ge $port 6379) (le $port 7389) -}}
{{- $byKuberay := or (has $port (list 6379 8080 8265)) (and (ge $port 10001) (le $port 19999)) -}}
{{- if ternary $byJob $byKuberay (eq .Values.engine "job") -}}
{{- fail (printf "metrics.port is %d, where Ray itself may listen: take another, such as 9090" $port) -}}
{{- end -}}
{{- if and .Values.metrics.podMonitor.enabled (not $port) -}}
{{- fail "metrics.podMonitor.enabled is true, but metrics.port is 0: give the driver a port, such as 9090" -}}
{{- end -}}
{{- end -}}

{{- define "modelyard-training.checkPods" -}}
{{- range $label, $value := .Values.podLabels -}}
{{- if hasKey (include "modelyard-training.selector" $ | fromYaml) $label -}}
{{- fail (printf "podLabels sets %s, by which the Service selects: take another label" $label) -}}
{{- end -}}
{{- end -}}
{{- $own := include "modelyard-training.env" . | fromYamlArray -}}
{{- range $given := .Values.extraEnv -}}
{{- range $own -}}
{{- if eq .name $given.name -}}
{{- fail (printf "extraEnv sets %s, which the chart sets itself: leave it out" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
