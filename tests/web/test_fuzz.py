"""Mutated recordings and mutated JSON: no crash, no 5xx, every reply as the OpenAPI document declares it."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT, client_of
from tests.web.fakes import FixedRecogniser

# --- Audio --------------------------------------------------------------------------------------------------------------------------


def test_mutated_recordings_are_decoded_or_rejected(tmp_path):
    # In its own process: a decoder that crashes would end the tests.
    command = [sys.executable, "-m", "bench.fuzz", "--count", "200", "--seed", "3", "--keep", str(tmp_path / "mutant.bin")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes = json.loads(done.stdout.splitlines()[-1])["outcomes"]
    assert set(outcomes) == {"sound", "AudioInvalid", "AudioTooLong"}
    assert sum(outcomes.values()) == 200


# --- JSON ---------------------------------------------------------------------------------------------------------------------------

MENU = "quan-nha"
LINE = {"item": "ca-phe-sua", "quantity": 2, "options": [{"group": "size", "choice": "l", "amount": None, "quantity": 1}]}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/v1/voice/order"): {"menu": MENU, "text": "thêm một latte", "lines": [LINE], "customer_id": 7, "language": "vi"},
    ("POST", "/api/v1/voice/recommend_order"): {
        "menu": MENU,
        "items": [{"item": "latte", "quantity": 1}],
        "customer_id": 7,
        "at": "2026-11-22T10:00:00Z",
        "limit": 5,
        "exclude": ["ca-phe-den"],
    },
    ("PUT", "/api/v1/voice/order/5f0c6d5e-54d4-4b6c-9a3e-0d7f2f1a9b11"): {
        "menu": MENU,
        "lines": [LINE],
        "customer_id": 7,
        "placed_at": "2026-11-22T10:00:00Z",
    },
    ("POST", "/api/v1/voice/speech"): {"audio": "AAAA", "sample_rate": 16000, "encoding": "pcm_s16le", "words": True},
    ("POST", "/api/v1/auth/token"): {"secret_id": "demo", "secret_key": "demo-secret"},
    ("POST", "/api/v1/auth/refresh"): {"refresh_token": "a.b.c"},
}
ODD_TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["\0", "e\u0301" * 30, "\u202e", "../../etc/passwd", "9999-12-31T23:59:59-12:00", "0001-01-01"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ODD_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD_TEXT, inner, max_size=4),
    max_leaves=8,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths of all values."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def put_at(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with another value at a path."""
    if not path:
        return value
    copy = dict(node) if isinstance(node, dict) else list(node)
    copy[path[0]] = put_at(node[path[0]], path[1:], value)
    return copy


@st.composite
def mutated(draw: Any, body: Any) -> bytes:
    """Replace one or two values by random ones, then perhaps some bytes."""
    for _ in range(draw(st.integers(1, 2))):
        body = put_at(body, draw(st.sampled_from(places(body))), draw(ANYTHING))
    written = bytearray(json.dumps(body, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass"))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at = draw(st.integers(0, len(written)))
        written[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(written)


def drawn(body: Any, count: int) -> list[bytes]:
    """Draw mutants, the same in each run."""
    mutants: list[bytes] = []

    @settings(
        max_examples=count, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(mutated(body))
    def collect(mutant: bytes) -> None:
        mutants.append(mutant)

    collect()
    return mutants


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path"), BODIES, ids=[path.rpartition("/")[2][:10] for _, path in BODIES])
async def test_mutated_json_never_gets_a_5xx(state, method, path):
    statuses = set()
    async with client_of(state, recogniser=FixedRecogniser("một latte")) as client:  # which holds each reply against the document
        for mutant in drawn(BODIES[method, path], 50):
            response = await client.request(method, path, content=mutant, headers={"Content-Type": "application/json"})
            assert response.status_code < 500, mutant
            statuses.add(response.status_code)
    assert {400, 422} <= statuses
