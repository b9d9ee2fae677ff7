#!/bin/sh
# Ends with what to install when a program that a target needs is missing: scripts/need.sh PROGRAM…
# The versions are those that were tried; newer ones should do.
set -u
missing=0
for program; do
  case $program in
  docker) what='Docker 24 or newer (https://docs.docker.com/engine/install)' ;;
  kind) what='kind 0.33 (https://kind.sigs.k8s.io): go install sigs.k8s.io/kind@v0.33.0' ;;
  ctlptl) what='ctlptl 0.9 (https://github.com/tilt-dev/ctlptl#how-do-i-install-it)' ;;
  tilt) what='Tilt 0.37 (https://docs.tilt.dev/install.html)' ;;
  helm) what='Helm 4 (https://helm.sh/docs/intro/install): go install helm.sh/helm/v4/cmd/helm@v4.3.1' ;;
  kubectl) what='kubectl (https://kubernetes.io/docs/tasks/tools)' ;;
  *) what=$program ;;
  esac
  if ! command -v "$program" >/dev/null; then
    echo "$program is not installed: $what" >&2
    missing=1
  elif [ "$program" = docker ] && ! docker version >/dev/null 2>&1; then
    echo "Docker's engine does not answer: start it, or see \`docker version\`" >&2
    missing=1
  fi
done
exit $missing
