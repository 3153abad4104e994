#!/usr/bin/env bash
# Build the image without a registry, and take an order in it: `make image-check`. Needs root, and of Debian buildah, mmdebstrap and curl.
#
# The base images are stand-ins, made of Debian bookworm with Debian's Python 3.11, under the names that the Dockerfile asks for.
# Proved: the Dockerfile builds; the image contains everything that the service needs in PRODUCTION as user 10001, without the wheels
# that the models came in; /readiness is 200 and an order is taken with real credentials; the image's size.
# Not proved: the real python:3.11 images, and the isolation of a container runtime (a chroot with the host's network is used).
set -euo pipefail
cd "$(dirname "$0")/.."

PORT=${PORT:-8500}
CACHE=$PWD/.cache/image
RUNTIME=docker.io/library/python:3.11-slim-bookworm
BUILD=docker.io/library/python:3.11-bookworm
READY_S=60
export BUILDAH_ISOLATION=chroot
work=$(mktemp -d)
mkdir -p "$CACHE/wheels" "$work/pids"
chown 10001:10001 "$work/pids" && chmod 711 "$work"
container=""

buildah() { command buildah --storage-driver vfs --root "$CACHE/storage" --runroot "$work/run" "$@"; }

stop() {
    if [ -s "$work/pids/server" ]; then kill "$(cat "$work/pids/server")" 2>/dev/null || true; fi
    wait
    [ -z "$container" ] || buildah rm "$container" >/dev/null
    rm -rf "$work"
}
trap stop EXIT

url=http://127.0.0.1:$PORT
if curl --silent --output /dev/null "$url"; then echo "PORT: $PORT is in use"; exit 2; fi

# Make a base image NAME with the packages PACKAGES, unless there is one.
base() {
    buildah inspect --type image "$1" >/dev/null 2>&1 && return
    echo "== $1"
    mmdebstrap --quiet --variant=minbase --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include="usr-is-merged,$2" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='ln -s python3 "$1/usr/bin/python"' bookworm "$work/root.tar" 2>"$work/log" || { cat "$work/log"; exit 1; }
    made=$(buildah from scratch)
    buildah add --quiet "$made" "$work/root.tar" / >/dev/null
    # pip finds the pinned files here, so that the build needs no network.
    buildah config --env PIP_NO_INDEX=1 --env PIP_FIND_LINKS=/wheels "$made"
    buildah commit --quiet --rm "$made" "$1" >/dev/null
    rm "$work/root.tar"
}
base $RUNTIME python3,python3-venv,ca-certificates
base $BUILD python3-dev,python3-venv,gcc,libc6-dev,ca-certificates

echo "== wheels"
# Without the markers, which pip would evaluate for the Python that runs it here.
sed 's/ ; .* \\$/ \\/' requirements.txt >"$work/requirements.txt"
.venv/bin/python -m pip -qq --disable-pip-version-check download --no-deps --require-hashes --requirement "$work/requirements.txt" \
    --only-binary :all: --python-version 3.11 --dest "$CACHE/wheels"

echo "== build"
began_s=$SECONDS
buildah build --quiet --volume "$CACHE/wheels:/wheels:ro" --tag voice . >/dev/null
built_s=$((SECONDS - began_s))

echo "== run"
container=$(buildah from voice)
in_image() { buildah run --volume "$work/pids:/pids" "${settings[@]}" "$container" -- "$@"; }
settings=()
made=$(in_image python -m voice new-client till --scopes speech,order)
key=$(sed -n 's/^The key of till, shown this once: //p' <<<"$made")
secret=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
settings=(--env ENVIRONMENT=PRODUCTION --env HOST=127.0.0.1 --env PORT="$PORT" --env TOKEN_SECRET="$secret"
    --env "$(sed -n '/^CREDENTIALS=/p' <<<"$made")")
in_image alembic upgrade head 2>"$work/log" || { cat "$work/log"; exit 1; }
[ "$(in_image id -u)" = 10001 ]
# What the requests below do not load: PostgreSQL, Valkey, compressed audio, a model by its name, the documentation's bundle.
in_image python -c 'import asyncpg, av, redis.asyncio, huggingface_hub.hf_api, importlib.util as found, pathlib
assert list(pathlib.Path(found.find_spec("drf_spectacular_sidecar").origin).parent.rglob("redoc.standalone.js"))'
in_image sh -c 'echo $$ >/pids/server && exec python app.py' >"$work/log" 2>&1 &

for ((left = READY_S; left > 0; left--)); do
    curl --silent --fail --output /dev/null "$url/readiness" && break
    jobs %% >/dev/null 2>&1 || break
    sleep 1
done
request() { curl --silent --show-error --fail-with-body --max-time 60 -H "X-Secret-Id: till" -H "X-Secret-Key: $key" "$@" && echo; }
if ! { request "$url/healthcheck" && request "$url/readiness" &&
    request "$url/api/v1/voice/order" --json '{"menu": "quan-nha", "text": "hai cà phê sữa đá"}' | tee "$work/order" &&
    grep -q '"quantity":2' "$work/order" &&
    request -X PUT "$url/api/v1/voice/order/$(cat /proc/sys/kernel/random/uuid)" --json '{"menu": "quan-nha", "lines": [{"item": "nuoc-cam"}]}' &&
    request "$url/api/v1/voice/speech?language=vi" -H "Content-Type: audio/wav" --data-binary @examples/order-vi.wav | tee "$work/vi" &&
    grep -q '"text":"cho anh hai ly' "$work/vi" &&
    request "$url/api/v1/voice/speech?language=en" -H "Content-Type: audio/wav" --data-binary @examples/order-en.wav | tee "$work/en" &&
    grep -qi '"text":"could i get' "$work/en"; }; then
    cat "$work/log"
    exit 1
fi
if grep -q "Traceback" "$work/log"; then cat "$work/log"; exit 1; fi

echo "== image"
buildah images --filter reference=localhost/voice --format 'size {{.Size}}'
echo "built in $built_s s"
in_image du -sm /srv/venv /srv/models /srv/voice
