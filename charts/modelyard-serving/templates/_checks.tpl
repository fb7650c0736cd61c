{{/* What values.schema.json cannot say, because it takes two values or a sentence of its own. */}}
{{- define "modelyard-serving.checks" -}}
{{- $name := include "modelyard-serving.name" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,51}[a-z0-9])?$" $name) -}}
{{- fail (printf "The name %s cannot be a Service's, which has up to 53 small letters, digits and hyphens, a letter first: set fullnameOverride" $name) -}}
{{- end -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is empty: name the image, as in --set image.repository=REGISTRY/NAME" -}}
{{- end -}}
{{- if not (or .Values.image.digest .Values.image.tag) -}}
{{- fail "image.digest and image.tag are empty: name the version, as in --set image.digest=sha256:..." -}}
{{- end -}}
{{- if and .Values.canary.enabled (not (or .Values.canary.image.digest .Values.canary.image.tag)) -}}
{{- fail "canary.enabled is true, but canary.image.digest and canary.image.tag are empty: name the canary's version" -}}
{{- end -}}
{{- if gt (ceil (.Values.serving.client_timeout_s | default 0)) (float64 .Values.termination.requestSeconds) -}}
{{- fail (printf "termination.requestSeconds is %v, but a client may take %v s (serving.client_timeout_s) for the body alone: make it longer" .Values.termination.requestSeconds .Values.serving.client_timeout_s) -}}
{{- end -}}
{{- if and (eq (toString .Values.updateStrategy.maxSurge) "0" "0%") (eq (toString .Values.updateStrategy.maxUnavailable) "0" "0%") -}}
{{- fail "updateStrategy.maxSurge and maxUnavailable are both 0: an update could replace no pod; give one of them at least 1" -}}
{{- end -}}
{{- include "modelyard-serving.checkScaling" . -}}
{{- include "modelyard-serving.checkMetrics" . -}}
{{- include "modelyard-serving.checkRoutes" . -}}
{{- include "modelyard-serving.checkPods" . -}}
{{- end -}}

{{- define "modelyard-serving.checkScaling" -}}
{{- with .Values.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas is %v, more than maxReplicas, %v: make it less" .minReplicas .maxReplicas) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "modelyard-serving.checkMetrics" -}}
{{- if eq (int .Values.metrics.port) 3000 -}}
{{- fail "metrics.port is 3000, where the service itself listens: take another, or 0 to leave the metrics there" -}}
{{- end -}}
{{- if include "modelyard-serving.metricsNeedKey" . -}}
{{- if .Values.metrics.scrapeAnnotations -}}
{{- fail "metrics.scrapeAnnotations cannot hand over a key, which metrics.port 0 with apiKeys.existingSecret needs: give metrics.port a port of its own" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.apiKeys.clientSecret) -}}
{{- fail "metrics.serviceMonitor.enabled needs a key, because metrics.port is 0 and apiKeys.existingSecret is set: name a Secret with one in apiKeys.clientSecret" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "modelyard-serving.checkRoutes" -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled is true, but ingress.hosts is empty: name a host" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled is true, but httpRoute.parentRefs is empty: name a Gateway" -}}
{{- end -}}
{{- range .Values.paths.extra -}}
{{- if regexMatch "^/+(metrics(/.*)?)?$" .path -}}
{{- fail (printf "paths.extra lets %s through, and /metrics with it: name the paths of your routers" .path) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "modelyard-serving.checkPods" -}}
{{- range $label, $value := .Values.podLabels -}}
{{- if or (eq $label "modelyard.io/track") (hasKey (include "modelyard-serving.selector" $ | fromYaml) $label) -}}
{{- fail (printf "podLabels sets %s, by which the Services select: take another label" $label) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if eq .name "MODELYARD_SERVING" -}}
{{- fail "extraEnv sets MODELYARD_SERVING, which the chart makes from serving: set the setting there" -}}
{{- end -}}
{{- end -}}
{{- end -}}
