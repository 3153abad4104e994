#!/bin/sh
# Order by voice over HTTP, with curl and jq: sh examples/order.sh [recording.wav [language]]
# VOICE_URL, VOICE_ID and VOICE_KEY are the service and the credentials; the default is a local service and its demo client.
set -eu

url="${VOICE_URL:-http://127.0.0.1:8000}/api/v1"
recording="${1:-$(dirname "$0")/order-vi.wav}"
language="${2:-vi}"

# --retry waits for Retry-After. An error reply is printed and ends the script; not in a pipe, which hides the exit status of curl.
request() {
  reply=$(curl --silent --show-error --fail-with-body --retry 3 -H "Authorization: Bearer $token" "$@") || {
    status=$?
    printf '%s\n' "$reply" >&2
    exit "$status"
  }
  printf '%s\n' "$reply"
}

# Print a field of a reply; %s, since its text is not a printf format.
read_json() {
  printf '%s\n' "$1" | jq --raw-output "$2"
}

token=""
reply=$(request -X POST "$url/auth/token" -H 'Content-Type: application/json' \
  -d "{\"secret_id\": \"${VOICE_ID:-demo}\", \"secret_key\": \"${VOICE_KEY:-demo-secret}\"}")
token=$(read_json "$reply" .data.access_token)

echo "Heard:"
order=$(request "$url/voice/order?menu=quan-nha&language=$language" -H 'Content-Type: audio/wav' --data-binary "@$recording")
read_json "$order" .data.transcript.text

echo "Ordered:"
read_json "$order" '.data.lines[] | "\(.quantity) x \(.name): \(.total)"'
read_json "$order" '.data.questions[] | "To be asked: \(.text)"'
# Take the first choice of each question.
lines=$(read_json "$order" '.data.lines | map(.options |= map(.choice //= .alternatives[0])) | tojson')

echo "Stored:"
id=$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)
stored=$(request -X PUT "$url/voice/order/$id" -H 'Content-Type: application/json' -d "{\"menu\": \"quan-nha\", \"lines\": $lines}")
read_json "$stored" '.data | "\(.order_id), \(.total) \(.currency)"'

echo "To be offered:"
items=$(read_json "$order" '[.data.lines[] | {item, quantity}] | tojson')
offers=$(request "$url/voice/recommend_order" -H 'Content-Type: application/json' -d "{\"menu\": \"quan-nha\", \"items\": $items, \"limit\": 3}")
read_json "$offers" '.data.items[] | "\(.name), \(.price) \(.currency): \(.reason.text)"'
