{{/*
Which path leads to which process, once, for Ingress and Gateway API. Prefixes end at a slash: that is how both
specifications compare them. A service of proto/ that is missing here fails the tests, and so does a stream;
ItemSourceService is for processes of this release alone, and a route that leads to it fails them too.
*/}}
{{- define "bidmesh.routes" -}}
calls:
  - { path: /bids.v1.BidService/, type: Prefix, process: bid }
  - { path: /userstats.v1.UserStatsService/, type: Prefix, process: stats }
  - { path: /live.v1.LiveService/, type: Prefix, process: live }
  {{- if .Values.ingress.reflection }}
  - { path: /grpc.health.v1.Health/, type: Prefix, process: bid }
  - { path: /grpc.reflection.v1.ServerReflection/, type: Prefix, process: bid }
  - { path: /grpc.reflection.v1alpha.ServerReflection/, type: Prefix, process: bid }
  {{- end }}
streams:
  - { path: /bids.v1.BidService/StreamItems, type: Exact, process: bid }
  - { path: /live.v1.LiveService/WatchItem, type: Exact, process: live }
  - { path: /live.v1.LiveService/WatchItems, type: Exact, process: live }
  - { path: /live/, type: Prefix, process: live }
pages:
  {{- if .Values.devIssuer.enabled }}
  - { path: /oidc/, type: Prefix, process: dev-issuer }
  {{- end }}
  - { path: /, type: Prefix, process: web }
{{- end }}

{{/* Name of a host to which groups of routes it serves. The web app calls procedures under its own name. */}}
{{- define "bidmesh.hostRoutes" -}}
{{- if ne .Values.hosts.api.name .Values.hosts.web.name }}
api: [calls, streams]
{{- end }}
web: [calls, streams, pages]
{{- end }}
