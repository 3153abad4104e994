#!/bin/sh
# Order by voice over HTTP, with curl and jq: sh examples/order.sh [recording.wav [language]]
# VOICE_URL, VOICE_ID and VOICE_KEY say where the service is and who calls; without them it is a local one and its demo client.
set -eu

url="${VOICE_URL:-http://127.0.0.1:8000}/api/v1"
recording="${1:-$(dirname "$0")/order-vi.wav}"
language="${2:-vi}"

# --retry waits as long as Retry-After says; a failure's envelope is shown, and ends the script. Not in a pipe, whose status is its last one's.
ask() {
  reply=$(curl --silent --show-error --fail-with-body --retry 3 -H "Authorization: Bearer $token" "$@") || {
    status=$?
    printf '%s\n' "$reply" >&2
    exit "$status"
  }
  printf '%s\n' "$reply"
}

# Read a field of a reply: its text is no format of printf's.
read_json() {
  printf '%s\n' "$1" | jq --raw-output "$2"
}

token=""
reply=$(ask -X POST "$url/auth/token" -H 'Content-Type: application/json' \
  -d "{\"secret_id\": \"${VOICE_ID:-demo}\", \"secret_key\": \"${VOICE_KEY:-demo-secret}\"}")
token=$(read_json "$reply" .data.access_token)

echo "Heard:"
order=$(ask "$url/voice/order?menu=quan-nha&language=$language" -H 'Content-Type: audio/wav' --data-binary "@$recording")
read_json "$order" .data.transcript.text

echo "Ordered:"
read_json "$order" '.data.lines[] | "\(.quantity) x \(.name): \(.total)"'
read_json "$order" '.data.questions[] | "To be asked: \(.text)"'
# Of what is to be asked, the first choice is taken here.
lines=$(read_json "$order" '.data.lines | map(.options |= map(.choice //= .alternatives[0])) | tojson')

echo "Stored:"
id=$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)
stored=$(ask -X PUT "$url/voice/order/$id" -H 'Content-Type: application/json' -d "{\"menu\": \"quan-nha\", \"lines\": $lines}")
read_json "$stored" '.data | "\(.order_id), \(.total) \(.currency)"'

echo "To be offered:"
items=$(read_json "$order" '[.data.lines[] | {item, quantity}] | tojson')
offers=$(ask "$url/voice/recommend_order" -H 'Content-Type: application/json' -d "{\"menu\": \"quan-nha\", \"items\": $items, \"limit\": 3}")
read_json "$offers" '.data.items[] | "\(.name), \(.price) \(.currency): \(.reason.text)"'
