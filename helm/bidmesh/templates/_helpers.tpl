{{/* What is true of each process and no value can change: its secrets, what it reads of the chart, who calls it. */}}
{{- define "bidmesh.processes" -}}
bid:
  secrets: { DATABASE_URL: bid-database-url, REDIS_URL: redis-url }
  config: {{ include "bidmesh.authConfig" (list . (dict "MIGRATIONS" "check")) }}
  called: true
auctioneer:
  secrets: { DATABASE_URL: bid-database-url, REDIS_URL: redis-url }
  config: { MIGRATIONS: check }
outbox-worker:
  secrets: { DATABASE_URL: bid-database-url, AMQP_URL: amqp-url }
stats:
  secrets: { DATABASE_URL: stats-database-url, AMQP_URL: amqp-url, REDIS_URL: redis-url }
  config: {{ include "bidmesh.authConfig" (list . (dict "MIGRATIONS" "check")) }}
  called: true
live:
  secrets: { AMQP_URL: amqp-url, REDIS_URL: redis-url }
  config: {{ include "bidmesh.authConfig" (list . (merge (dict "BID_URL" (include "bidmesh.bidUrl" .)) (include "bidmesh.serviceTokenConfig" . | fromYaml))) }}
  asks: true
  called: true
web:
  called: true
{{- end }}

{{/* What a process with procedures reads besides: (list $ $config), as JSON. */}}
{{- define "bidmesh.authConfig" -}}
{{- $auth := (index . 0).Values.auth -}}
{{- $config := merge (dict "AUTH_MODE" $auth.mode) (index . 1) -}}
{{- if $auth.trustedProxies -}}
{{- $config = merge $config (dict "TRUSTED_PROXIES" (join "," $auth.trustedProxies)) -}}
{{- end -}}
{{- if ne (toString $auth.rateLimitFactor) "" -}}
{{- $config = merge $config (dict "RATE_LIMIT_FACTOR" (toString $auth.rateLimitFactor)) -}}
{{- end -}}
{{- if eq $auth.mode "jwt" -}}
{{- $config = merge $config (dict "OIDC_ISSUER" $auth.issuer "OIDC_AUDIENCE" $auth.audience "OIDC_ROLES_CLAIM" $auth.rolesClaim "OIDC_ALGORITHMS" $auth.algorithms "OIDC_LEEWAY_SECONDS" (toString $auth.leewaySeconds)) -}}
{{- end -}}
{{- toJson $config -}}
{{- end }}

{{/* The token by which a pod asks others is a file, so that it may change while the pod runs. */}}
{{- define "bidmesh.serviceTokenConfig" -}}
{{- if eq .Values.auth.mode "jwt" }}
SERVICE_TOKEN_FILE: /run/secrets/bidmesh/token
{{- end }}
{{- end }}

{{- define "bidmesh.serviceTokenMount" -}}
{{- if eq .Values.auth.mode "jwt" }}
- { name: service-token, mountPath: /run/secrets/bidmesh, readOnly: true }
{{- end }}
{{- end }}

{{- define "bidmesh.serviceTokenVolume" -}}
{{- if eq .Values.auth.mode "jwt" }}
- name: service-token
  secret: { secretName: {{ .Values.auth.serviceTokenSecret }}, items: [{ key: token, path: token }] }
{{- end }}
{{- end }}

{{/*
Where the other services ask the bid service: each of its pods, which they choose from themselves, or by the Service, for
a mesh that does.
*/}}
{{- define "bidmesh.bidUrl" -}}
http://{{ .Release.Name }}-{{ if .Values.mesh }}bid:8081{{ else }}bid-pods:8080{{ end }}
{{- end }}

{{/*
Each process with its values: the defaults, and what services.<name> says otherwise. One that answers for certain names
only answers for those of its Services as well, by which others call it.
*/}}
{{- define "bidmesh.workloads" -}}
{{- $workloads := dict }}
{{- range $name, $process := include "bidmesh.processes" . | fromYaml }}
{{- $own := index $.Values.services $name }}
{{- $workload := mergeOverwrite (deepCopy $.Values.defaults) (deepCopy $own) $process }}
{{- if not $.Values.redis }}
{{- $_ := unset (default dict $workload.secrets) "REDIS_URL" }}
{{- end }}
{{- with $workload.env.ALLOWED_HOSTS }}
{{- $service := printf "%s-%s" $.Release.Name $name }}
{{- $_ := set $workload.env "ALLOWED_HOSTS" (printf "%s,%s,%s-pods" . $service $service) }}
{{- end }}
{{- $_ := set $workloads $name $workload }}
{{- end }}
{{- toYaml $workloads }}
{{- end }}

{{/* Labels that select the pods of one process: (list $ "bid"). */}}
{{- define "bidmesh.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Of pods: nothing that another version of the chart would change, or each would roll them all. */}}
{{- define "bidmesh.podLabels" -}}
{{ include "bidmesh.selector" . }}
app.kubernetes.io/part-of: bidmesh
{{- end }}

{{- define "bidmesh.labels" -}}
{{- $root := index . 0 -}}
{{ include "bidmesh.podLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{- define "bidmesh.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The settings of Pod Security "restricted", and more: they are not for values to change. */}}
{{- define "bidmesh.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "bidmesh.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{/* Variables from the secret: (list $ $secrets), a map of variable to key. */}}
{{- define "bidmesh.secretEnv" -}}
{{- $root := index . 0 }}
{{- range $variable, $key := index . 1 }}
- name: {{ $variable }}
  valueFrom: { secretKeyRef: { name: {{ $root.Values.existingSecret }}, key: {{ $key }} } }
{{- end }}
{{- end }}

{{/* What the pods of one process read besides secrets: (list $ $workload). */}}
{{- define "bidmesh.config" -}}
{{- $root := index . 0 }}
{{- $workload := index . 1 }}
{{- $config := merge (dict) (default dict $workload.config) $workload.env }}
{{- with $root.Values.otlpEndpoint }}
{{- $_ := set $config "OTEL_EXPORTER_OTLP_ENDPOINT" . }}
{{- end }}
{{- range $variable, $value := $config }}
{{ $variable }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Stops with words where the schema could only say that something does not match. */}}
{{- define "bidmesh.check" -}}
{{- if not .Values.auth.mode }}
{{- fail "auth.mode has to be chosen. jwt asks callers for a token of auth.issuer; trusted believes the user_id of every request, so that something in front has to check who calls (--set auth.mode=trusted)" }}
{{- end }}
{{- if and (eq .Values.auth.mode "jwt") (not (and .Values.auth.issuer .Values.auth.audience .Values.auth.serviceTokenSecret)) }}
{{- fail "auth.mode=jwt needs auth.issuer, auth.audience and auth.serviceTokenSecret: see docs/identity.md" }}
{{- end }}
{{- if and (or .Values.ingress.enabled .Values.gateway.enabled) (not (and .Values.hosts.api.name .Values.hosts.web.name)) }}
{{- fail "the ingress and the gateway need hosts.api.name and hosts.web.name; they may be the same" }}
{{- end }}
{{- end }}
