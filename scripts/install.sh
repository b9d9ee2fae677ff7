#!/bin/sh
# Installs from npm what a target needs, quietly, and says how long it took and how much it is:
#   scripts/install.sh run    what running and building the web app needs
#   scripts/install.sh all    what tests, benchmarks and checks need as well
# Does nothing when that is there already; what was installed, and for which lock file, is noted in node_modules.
set -eu
cd "$(dirname "$0")/.."

fail() {
  echo "$1" >&2
  exit 1
}

case "${1:-}" in
run) options='--omit=dev' words='what running needs, about 600 MB' ;;
all) options='' words='everything, tests and checks included, about 950 MB' ;;
*) fail 'usage: scripts/install.sh run|all' ;;
esac

need='Bidmesh installs itself with npm, on any Node from 20 (it brings the Node it runs on): https://nodejs.org'
command -v node >/dev/null || fail "there is no node here. $need"
command -v npm >/dev/null || fail "there is no npm here. $need"
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || fail "node is of version $major. $need"

lock=$(cat package.json package-lock.json | cksum)
installed() { [ "$(cat "node_modules/.installed-$1" 2>/dev/null)" = "$lock" ]; }
if installed all || installed "$1"; then exit 0; fi

log=$(mktemp)
started=$(date +%s)
echo "Installing $words, once …"
# Errors only: an older Node than the one that comes along is nothing to be warned of a hundred times.
npm ci $options --no-audit --no-fund --loglevel=error >"$log" 2>&1 &
npm=$!
trap 'kill $npm 2>/dev/null; rm -f "$log"; exit 130' INT TERM
while [ -t 1 ] && kill -0 $npm 2>/dev/null; do
  printf '\r  %s s, %s MB ' $(($(date +%s) - started)) "$(du -sm node_modules 2>/dev/null | cut -f1)"
  sleep 1
done
if ! wait $npm; then
  cat "$log" >&2
  rm -f "$log"
  fail 'npm could not install it: see above. Is the registry within reach, is there room on the disk?'
fi
rm -f "$log"
[ -t 1 ] && printf '\r'
echo "Installed in $(($(date +%s) - started)) s: $(du -sm node_modules | cut -f1) MB"
echo "$lock" >"node_modules/.installed-$1"
