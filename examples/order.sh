#!/bin/sh
# Order by voice over HTTP, with curl and jq: sh examples/order.sh [recording.wav]
# VOICE_URL, VOICE_ID and VOICE_KEY say where the service is and who calls; without them it is a local one and its demo client.
set -eu

url="${VOICE_URL:-http://127.0.0.1:8000}/api/v1"
recording="${1:-$(dirname "$0")/order-vi.wav}"

# --retry waits as long as Retry-After says; a failure's envelope is shown, and ends the script.
ask() {
  curl --silent --show-error --fail-with-body --retry 3 -H "Authorization: Bearer $token" "$@"
}

token=""
token=$(ask -X POST "$url/auth/token" -H 'Content-Type: application/json' \
  -d "{\"secret_id\": \"${VOICE_ID:-demo}\", \"secret_key\": \"${VOICE_KEY:-demo-secret}\"}" | jq --raw-output .data.access_token)

echo "Heard:"
text=$(ask "$url/voice/speech?language=vi&menu=quan-nha" -H 'Content-Type: audio/wav' --data-binary "@$recording" | jq .data.text)
echo "$text"

echo "Ordered:"
lines=$(ask "$url/voice/order" -H 'Content-Type: application/json' -d "{\"menu\": \"quan-nha\", \"text\": $text}" | jq --compact-output .data.lines)
echo "$lines" | jq --raw-output '.[] | "\(.quantity) x \(.name): \(.total)"'

echo "Stored:"
id=$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)
ask -X PUT "$url/voice/order/$id" -H 'Content-Type: application/json' -d "{\"menu\": \"quan-nha\", \"lines\": $lines}" |
  jq --raw-output '.data | "\(.order_id), \(.total) \(.currency)"'

echo "To be offered:"
items=$(echo "$lines" | jq --compact-output '[.[] | {item, quantity}]')
ask "$url/voice/recommend_order" -H 'Content-Type: application/json' -d "{\"menu\": \"quan-nha\", \"items\": $items, \"limit\": 3}" |
  jq --raw-output '.data.items[] | "\(.name), \(.price) \(.currency): \(.reason.text)"'
