#!/usr/bin/env bash
# Shows that a deployment works, from outside and as its callers use it: every deployment ready, the web page, a
# bid as JSON and as gRPC, both on a live stream that is open meanwhile and in the statistics, and an auction that
# ends. Puts up two items of its own, which end within two minutes. Needs curl with HTTP/2, and kubectl for the first
# check. Ends with 1 and the reason.
#
#   API_URL, WEB_URL   default http://api.auction.local and http://auction.local
#   INGRESS_ADDRESS    where those names lead, when neither DNS nor /etc/hosts knows them
#   NAMESPACE, RELEASE default bidmesh; NAMESPACE= leaves the cluster out and asks only from outside
set -euo pipefail
case ${1:-} in -h | --help)
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
  exit
  ;;
esac
api=${API_URL:-http://api.auction.local} web=${WEB_URL:-http://auction.local}
namespace=${NAMESPACE-bidmesh} release=${RELEASE:-bidmesh}
curl=(curl -sS --max-time 20)
if [ -n "${INGRESS_ADDRESS:-}" ]; then
  curl+=(--connect-to "::$INGRESS_ADDRESS:")
fi
# The live stream follows a bid in milliseconds, statistics in tens of them; the rest is for a busy machine.
patience_s=15
user=verify-deployment
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || :; rm -rf "$work"' EXIT

ok() { printf 'ok      %s\n' "$*"; }
fail() {
  printf 'FAILED  %s\n' "$*" >&2
  exit 1
}
call() { # PROCEDURE JSON: the answer, or what went wrong
  "${curl[@]}" --fail-with-body "$api/$1" -H 'content-type: application/json' -d "$2" 2>&1
}
field() { grep -o "\"$1\": *\"[^\"]*" | head -1 | cut -d'"' -f4; }
within() { # CONDITION…: tries until it holds
  local end=$((SECONDS + patience_s))
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.2
  done
}

check_deployments() {
  local line ready wanted name count=0
  while read -r name ready wanted; do
    count=$((count + 1))
    [ "$ready" = "$wanted" ] || fail "$name: $ready of $wanted pods are ready: kubectl -n $namespace describe deployment $name"
    ok "$name is ready: $ready of $wanted pods"
  done < <(kubectl -n "$namespace" get deployments -l "app.kubernetes.io/instance=$release" -o go-template='
    {{- range .items}}{{.metadata.name}} {{or .status.readyReplicas 0}} {{.spec.replicas}}{{"\n"}}{{end}}')
  [ $count -gt 0 ] || fail "no deployment of release $release in namespace $namespace: NAMESPACE=, RELEASE="
}

# An ingress hears of pods that are ready a moment after they are. Pages call the services where they come from.
check_ingress() {
  local call
  leads() { "${curl[@]}" --fail -o /dev/null "$@" 2>"$work/why"; }
  within leads "$web/" || fail "web page $web/: $(cat "$work/why")"
  for call in "$web/bids.v1.BidService/ListItems" "$api/bids.v1.BidService/ListItems" \
    "$api/userstats.v1.UserStatsService/ListTopBidders"; do
    within leads "$call" -H 'content-type: application/json' -d '{}' || fail "$call: $(cat "$work/why")"
  done
  ok 'the ingress leads to web app, bids and statistics, from both names'
}

check_web() {
  local page script
  page=$("${curl[@]}" --fail "$web/" -H 'accept: text/html' 2>&1) || fail "web page $web/: $page"
  script=$(grep -o '/assets/[^"]*\.js' <<<"$page" | head -1) || fail "web page $web/ is not the web app: ${page:0:200}"
  "${curl[@]}" --fail -o /dev/null "$web$script" || fail "the web app's script $web$script"
  ok "the web page $web/ and its script"
}

put_up() { # SECONDS: prints the id of an item that ends then
  local answer end_at
  end_at=$(date -u -d "+$1 seconds" +%FT%TZ 2>/dev/null || date -u -v "+$1S" +%FT%TZ)
  answer=$(call bids.v1.BidService/CreateItem "{\"title\": \"Verification of this deployment\",
    \"startPrice\": 300, \"minIncrement\": 1, \"endAt\": \"$end_at\", \"sellerId\": \"$user-seller\"}") ||
    fail "CreateItem: $answer"
  field id <<<"$answer"
}

open_stream() {
  : >"$work/stream"
  "${curl[@]}" --max-time 60 -N "$api/live/items/$item" >"$work/stream" 2>&1 &
  within grep -q '"snapshot"' "$work/stream" || fail "live stream $api/live/items/$item: no snapshot: $(head -c 300 "$work/stream")"
  ok 'a live stream is open and begins with a snapshot'
}
streamed() { [ "$(grep -c '"bidPlaced"' "$work/stream")" -ge "$1" ]; }

bid_json() {
  local answer
  answer=$(call bids.v1.BidService/PlaceBid "{\"itemId\": \"$item\", \"amount\": 300, \"userId\": \"$user\"}") ||
    fail "PlaceBid as JSON: $answer"
  ok 'a bid as JSON'
  within streamed 1 || fail 'the live stream does not show the bid: is it buffered on its way?'
  ok 'the live stream shows it'
}

bid_grpc() {
  # The message by hand, so that curl is all there is to install: item_id = 1, amount = 2 (301, as a varint), user_id = 3.
  local status version=--http2-prior-knowledge
  case $api in https:*) version=--http2 ;; esac
  printf "\\n\\x24%s\\x10\\xad\\x02\\x1a\\x$(printf %02x ${#user})%s" "$item" "$user" >"$work/message"
  printf "\\x00\\x00\\x00\\x00\\x$(printf %02x "$(wc -c <"$work/message")")" | cat - "$work/message" >"$work/frame"
  "${curl[@]}" $version -D "$work/head" -o "$work/answer" "$api/bids.v1.BidService/PlaceBid" \
    -H 'content-type: application/grpc' -H 'te: trailers' --data-binary "@$work/frame" || fail 'PlaceBid as gRPC'
  status=$(tr -d '\r' <"$work/head" | sed -n 's/^grpc-status: *//p')
  [ "$status" = 0 ] || fail "PlaceBid as gRPC: $(tr -d '\r' <"$work/head" | grep -E '^(HTTP|grpc)' | paste -sd ' ')"
  ok 'a bid as gRPC'
  within streamed 2 || fail 'the live stream does not show the second bid'
  ok 'the live stream shows it'
}

check_statistics() {
  counted() { [ "$(call userstats.v1.UserStatsService/GetItemStats "{\"itemId\": \"$item\"}" | field totalBids)" = 2 ]; }
  within counted || fail "statistics do not show both bids: $(call userstats.v1.UserStatsService/GetItemStats "{\"itemId\": \"$item\"}")"
  ok 'the statistics show both bids'
}

check_end() {
  ended() { call bids.v1.BidService/GetItem "{\"id\": \"$brief\"}" | grep -q '"status": *"ITEM_STATUS_ENDED"'; }
  within ended || fail "an auction is not ended after its time: does the auctioneer run?"
  ok 'an auction has ended by itself'
}

if [ -n "$namespace" ]; then check_deployments; fi
check_ingress
check_web
item=$(put_up 120)
brief=$(put_up 3)
ok "two items are put up: $item and one that ends at once"
open_stream
bid_json
bid_grpc
check_statistics
check_end
