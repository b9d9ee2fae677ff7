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
  config: {{ include "bidmesh.signInConfig" . }}
  called: true
{{- if .Values.devIssuer.enabled }}
dev-issuer:
  config: {{ include "bidmesh.devIssuerConfig" . }}
  # Who has signed in is known to one process alone
  replicas: 1
  autoscaling: { by: none }
  podDisruptionBudget: false
  called: true
{{- end }}
{{- end }}

{{/* As it stands in tokens. The development issuer is under the web app's name, for browsers. */}}
{{- define "bidmesh.issuer" -}}
{{ if .Values.devIssuer.enabled }}http://{{ .Values.hosts.web.name }}/oidc{{ else }}{{ .Values.auth.issuer }}{{ end }}
{{- end }}

{{/* Within the cluster, where the web app's name leads nowhere. */}}
{{- define "bidmesh.devIssuerUrl" -}}
http://{{ .Release.Name }}-dev-issuer:8080/oidc
{{- end }}

{{/* What the web app is told of how people sign in, as JSON. */}}
{{- define "bidmesh.signInConfig" -}}
{{- $auth := .Values.auth -}}
{{- $config := dict -}}
{{- if eq $auth.mode "jwt" -}}
{{- $config = dict "AUTH_MODE" "jwt" "OIDC_ISSUER" (include "bidmesh.issuer" .) "OIDC_ROLES_CLAIM" (ternary "roles" $auth.rolesClaim .Values.devIssuer.enabled) -}}
{{- with ternary "bidmesh-web" $auth.webClientId .Values.devIssuer.enabled -}}
{{- $_ := set $config "OIDC_WEB_CLIENT_ID" . -}}
{{- end -}}
{{- end -}}
{{- toJson $config -}}
{{- end }}

{{/*
The image says that it is for production, where this process does not start. It answers for the names of its Services as
well, by which other pods call it.
*/}}
{{- define "bidmesh.devIssuerConfig" -}}
{{- $service := printf "%s-dev-issuer" .Release.Name -}}
{{- dict "NODE_ENV" "development" "DEV_ISSUER_URL" (include "bidmesh.issuer" .) "DEV_ISSUER_TOKEN_SECONDS" (toString .Values.devIssuer.tokenSeconds) "ALLOWED_HOSTS" (printf "%s,%s,%s-pods" .Values.hosts.web.name $service $service) | toJson -}}
{{- end }}

{{/* What a process with procedures reads besides: (list $ $config), as JSON. */}}
{{- define "bidmesh.authConfig" -}}
{{- $root := index . 0 -}}
{{- $auth := $root.Values.auth -}}
{{- $config := merge (dict "AUTH_MODE" $auth.mode) (index . 1) -}}
{{- if $auth.trustedProxies -}}
{{- $config = merge $config (dict "TRUSTED_PROXIES" (join "," $auth.trustedProxies)) -}}
{{- end -}}
{{- if ne (toString $auth.rateLimitFactor) "" -}}
{{- $config = merge $config (dict "RATE_LIMIT_FACTOR" (toString $auth.rateLimitFactor)) -}}
{{- end -}}
{{- if eq $auth.mode "jwt" -}}
{{- $isDev := $root.Values.devIssuer.enabled -}}
{{- if $isDev -}}
{{- $config = merge $config (dict "OIDC_KEYS_URL" (printf "%s/jwks" (include "bidmesh.devIssuerUrl" $root))) -}}
{{- end -}}
{{- $config = merge $config (dict "OIDC_ISSUER" (include "bidmesh.issuer" $root) "OIDC_AUDIENCE" (ternary "bidmesh" $auth.audience $isDev) "OIDC_ROLES_CLAIM" (ternary "roles" $auth.rolesClaim $isDev) "OIDC_ALGORITHMS" $auth.algorithms "OIDC_LEEWAY_SECONDS" (toString $auth.leewaySeconds)) -}}
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
  {{- if .Values.devIssuer.enabled }}
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
  {{- else }}
  secret: { secretName: {{ .Values.auth.serviceTokenSecret }}, items: [{ key: token, path: token }] }
  {{- end }}
{{- end }}
{{- end }}

{{/* Beside a process that asks others: it gets tokens of the development issuer, for as long as that process runs. */}}
{{- define "bidmesh.devServiceToken" -}}
- name: service-token
  image: {{ include "bidmesh.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [dev-service-token]
  restartPolicy: Always
  env:
    - { name: DEV_ISSUER_URL, value: {{ include "bidmesh.devIssuerUrl" . | quote }} }
    - { name: SERVICE_TOKEN_FILE, value: /run/secrets/bidmesh/token }
  resources:
    requests: { cpu: 10m, memory: 64Mi }
    limits: { memory: 128Mi }
  {{- include "bidmesh.containerSecurity" . | nindent 2 }}
  volumeMounts:
    - { name: tmp, mountPath: /tmp }
    - { name: service-token, mountPath: /run/secrets/bidmesh }
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
{{- $own := default dict (index $.Values.services $name) }}
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
{{- if .Values.devIssuer.enabled }}
{{- $hosts := .Values.hosts }}
{{- if or .Values.auth.issuer .Values.auth.serviceTokenSecret $hosts.api.tlsSecret $hosts.web.tlsSecret $hosts.grpc.tlsSecret }}
{{- fail "devIssuer.enabled lets anybody in under any name, so it is not for production: it goes with no auth.issuer, no auth.serviceTokenSecret and no hosts.*.tlsSecret" }}
{{- end }}
{{- if not (and (eq .Values.auth.mode "jwt") (regexMatch "^([a-z0-9-]+\\.)*localhost$" $hosts.web.name)) }}
{{- fail "devIssuer.enabled needs auth.mode=jwt, and a hosts.web.name that leads to the visitor's own machine: localhost, or one that ends in .localhost" }}
{{- end }}
{{- end }}
{{- if and (eq .Values.auth.mode "jwt") (not .Values.devIssuer.enabled) (not (and .Values.auth.issuer .Values.auth.audience .Values.auth.serviceTokenSecret)) }}
{{- fail "auth.mode=jwt needs auth.issuer, auth.audience and auth.serviceTokenSecret: see docs/identity.md" }}
{{- end }}
{{- if and (or .Values.ingress.enabled .Values.gateway.enabled) (not (and .Values.hosts.api.name .Values.hosts.web.name)) }}
{{- fail "the ingress and the gateway need hosts.api.name and hosts.web.name; they may be the same" }}
{{- end }}
{{- end }}
