{{- define "infra.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Of pods: nothing that another version of the chart would change, or each would restart the databases. */}}
{{- define "infra.podLabels" -}}
{{ include "infra.selector" . }}
app.kubernetes.io/part-of: bidmesh-infra
{{- end }}

{{- define "infra.labels" -}}
{{- $root := index . 0 -}}
{{ include "infra.podLabels" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{/* Of Pod Security "restricted", as the user that the official image has: (list $ 999). */}}
{{- define "infra.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "infra.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{/* A claim that outlives the release: what is in it is worth more than a tidy namespace. */}}
{{- define "infra.claim" -}}
- metadata:
    name: data
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources: { requests: { storage: {{ .storage }} } }
{{- end }}

{{/* A role of each purpose, by the key of its password: services never own what they use. */}}
{{- define "infra.roles" -}}
bid-owner: bidmesh_bid_owner
bid: bidmesh_bid
stats-owner: bidmesh_stats_owner
stats: bidmesh_stats
{{- end }}
