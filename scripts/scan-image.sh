#!/bin/sh
# Ends with 1 when an image has a known vulnerability, high or critical, that its maintainers have mended.
#   scripts/scan-image.sh IMAGE   as grype names it: bidmesh, registry:ghcr.io/…@sha256:…, oci-archive:FILE
# grype comes by its Go module, whose checksum the Go checksum database has, and its list of vulnerabilities by itself.
set -eu
GOFLAGS=-mod=mod GOBIN="${GOBIN:-$PWD/.bin}" && export GOFLAGS GOBIN
[ -x "$GOBIN/grype" ] || go install github.com/anchore/grype/cmd/grype@v0.121.3
"$GOBIN/grype" "$1" --only-fixed --fail-on high
