"""JSON with much base64 audio: decoded off the event loop; any other large JSON is rejected without parsing."""

import asyncio
import base64
import json
from collections.abc import Awaitable

import numpy as np
import pytest

from errors import BadRequest, PayloadTooLarge
from tests.conftest import SETTINGS, client_of
from tests.web.fakes import FixedRecogniser
from tests.web.routes import loc_of
from web.large_json import PIECE_BYTES, PLACEHOLDER, cut_out_audio, decode_json_base64

pytestmark = pytest.mark.anyio

SPEECH, ORDER = "/api/v1/voice/speech", "/api/v1/voice/order"
MIB = 2**20
AUDIO = np.random.default_rng(3).integers(0, 256, 2_100_000, np.uint8).tobytes()  # base64 of it ends without padding
BASE64 = base64.b64encode(AUDIO).decode()
ESCAPED = BASE64.replace("/", r"\/").replace("+", r"\u002B")
WRAPPED = r"data:audio\/wav;base64," + r"\r\n".join(BASE64[place : place + 76] for place in range(0, len(BASE64), 76))
JSON = {"Content-Type": "application/json"}


async def post(state, body, path=SPEECH):
    recogniser = FixedRecogniser("xin chào")
    async with client_of(state, recogniser=recogniser) as client:
        return await client.post(path, content=body.encode() if isinstance(body, str) else body, headers=JSON), recogniser


@pytest.mark.parametrize(
    "body",
    [
        f'{{"audio": "{BASE64}", "language": "vi"}}',
        f'{{"language": "vi", "audio": "{ESCAPED}"}}',
        f'{{"audio": "{WRAPPED}", "language": "vi"}}',
        f'{{"audio": "AAAA", "language": "vi", "audio"\n:\t"{BASE64}"}}',
        f'{{"l\\u0061nguage": "vi", "audi\\u006f": "{BASE64}"}}',
        f'{{"audio": "{BASE64}", "language": "vi"}}' + " " * 1000,
    ],
    ids=["plain", "escaped", "wrapped", "twice", "escaped names", "spaces behind"],
)
async def test_large_audio_is_decoded_unchanged(state, body):
    assert len(body) > 2 * SETTINGS.max_json_bytes
    response, recogniser = await post(state, body)
    assert response.status_code == 200
    assert recogniser.calls[0]["audio"] == AUDIO
    assert recogniser.calls[0]["language"] == "vi"


async def test_a_spoken_order_with_much_audio_is_understood(state):
    response, recogniser = await post(state, json.dumps({"audio": BASE64, "menu": "quan-nha", "lines": [{"item": "latte"}]}), ORDER)
    assert response.status_code == 200
    assert recogniser.calls[0]["audio"] == AUDIO
    assert [line["item"] for line in response.json()["data"]["lines"]] == ["latte"]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (f'{{"audio": "{BASE64}!"}}', 422, "VALIDATION_FAILED"),
        (f'{{"audio": "{BASE64}A"}}', 422, "VALIDATION_FAILED"),
        (f'{{"audio": "{BASE64}data:;base64,{BASE64}"}}', 422, "VALIDATION_FAILED"),
        (f'{{"audio": "A{BASE64[1 : PIECE_BYTES - 1]}={BASE64[PIECE_BYTES:]}"}}', 422, "VALIDATION_FAILED"),
        (f'{{"audio": "{BASE64}", "language": 5}}', 422, "VALIDATION_FAILED"),
        (f'{{"audio": "{BASE64}", "discount": 5}}', 422, "VALIDATION_FAILED"),
        (f'{{"audio": "{BASE64}\n"}}', 400, "BAD_REQUEST"),
        (f'{{"audio": "{BASE64}', 413, "PAYLOAD_TOO_LARGE"),
        (f'{{"audio": "{BASE64}"', 400, "BAD_REQUEST"),
        (f'{{"audio": "{BASE64}", "audio": "AAAA"}}', 413, "PAYLOAD_TOO_LARGE"),
        ('{"audio": [' + '{"a":1},' * 300_000 + "1]}", 413, "PAYLOAD_TOO_LARGE"),
        ("[" * 3_000_000, 413, "PAYLOAD_TOO_LARGE"),
        ('"' * 3_000_000, 413, "PAYLOAD_TOO_LARGE"),
        (" " * 3_000_000 + '{"audio": "AAAA"}', 413, "PAYLOAD_TOO_LARGE"),
        (f'{{"audio": "{BASE64}", "menu": "{"x" * 1_100_000}"}}', 413, "PAYLOAD_TOO_LARGE"),
    ],
    ids=range(15),
)
async def test_errors_in_a_large_body_are_reported(state, body, status, error):
    response, recogniser = await post(state, body)
    assert (response.status_code, response.json()["data"]["error"]) == (status, error)
    assert recogniser.calls == []


async def test_a_large_text_is_rejected(state):
    response, _ = await post(state, json.dumps({"text": "x" * 3_000_000}), ORDER)
    assert (response.status_code, response.json()["data"]["error"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_the_field_that_is_not_base64_is_named(state):
    response, _ = await post(state, f'{{"audio": "{BASE64}!"}}')
    assert loc_of(response) == [["audio"]]


def test_the_audio_is_cut_out():
    rest, string = cut_out_audio(f'{{"words": true, "audio": "{BASE64}"}}'.encode(), MIB)
    assert json.loads(rest) == {"words": True, "audio": base64.b64encode(PLACEHOLDER).decode()}
    assert bytes(string).decode() == BASE64


def test_a_body_without_one_long_string_is_rejected():
    with pytest.raises(PayloadTooLarge):
        cut_out_audio(b'{"a": "x", "b": [' + b"1," * 100_000 + b"1]}", 1000)


@pytest.mark.parametrize("length", [4, PIECE_BYTES - 4, PIECE_BYTES, PIECE_BYTES + 4, 3 * PIECE_BYTES])
def test_pieces_join_wherever_an_escape_falls(length):
    audio = base64.b64decode(BASE64[:length])
    for shift in range(8):
        plain = base64.b64encode(b"\0" * 3 * shift + audio)
        assert decode_json_base64(memoryview(plain)) == b"\0" * 3 * shift + audio
        escaped = plain.replace(b"/", rb"\/").replace(b"+", rb"\u002B")
        assert decode_json_base64(memoryview(escaped)) == b"\0" * 3 * shift + audio
        wrapped = rb"\r\n".join(plain[place : place + 77] for place in range(0, len(plain), 77))
        assert decode_json_base64(memoryview(b"data:;base64," + wrapped)) == b"\0" * 3 * shift + audio


@pytest.mark.parametrize("string", [b'AA"A', b"AAA\\", b"A\nAA", b"\xff\xff\xff\xff"])
def test_a_malformed_json_string_is_a_bad_request(string):
    with pytest.raises(BadRequest):
        decode_json_base64(memoryview(string))


async def ticks_during(work: Awaitable[object]) -> int:
    """Count the iterations of the event loop until `work` is done."""
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.ensure_future(tick())
    await work
    ticking.cancel()
    return ticks


async def test_the_event_loop_runs_while_a_thread_decodes():
    assert await ticks_during(asyncio.to_thread(decode_json_base64, memoryview(BASE64.encode() * 8))) > 10


async def test_the_event_loop_runs_while_a_request_with_large_audio_is_decoded(state):
    body = f'{{"audio": "{BASE64 * 8}"}}'.encode()
    with_small_audio = await ticks_during(post(state, b'{"audio": "AAAA"}'))
    assert await ticks_during(post(state, body)) > with_small_audio + 10
