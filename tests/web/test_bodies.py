"""Bodies are read within their limits; forms may be malformed."""

import json

import pytest

from tests.conftest import APP, REGISTRY, SETTINGS, client_of
from tests.web.fakes import FixedRecogniser
from tests.web.routes import MENU, ORDER, RECOMMEND, SPEECH, scope_of
from web.bodies import UNCOUNTED_BODY_BYTES

pytestmark = pytest.mark.anyio


def value_of(metric):
    return REGISTRY.get_sample_value(metric)


async def test_a_declared_length_over_the_limit_is_rejected_before_the_body_and_the_credentials(stranger):
    async def body():
        pytest.fail("the body was read")
        yield b""

    headers = {"Content-Length": str(SETTINGS.max_json_bytes + 1), "Content-Type": "application/json"}
    response = await stranger.post(RECOMMEND, content=body(), headers=headers)
    assert (response.status_code, response.json()["data"]["error"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("path", ["/api/v1/auth/token", "/api/v1/auth/refresh"])
async def test_open_routes_accept_only_small_bodies(stranger, path):
    async def body():
        for _ in range(9):
            yield b" " * 1024

    headers = {"Content-Type": "application/json"}
    for response in (
        await stranger.post(path, content=b" " * 8193, headers=headers),
        await stranger.post(path, content=body(), headers=headers),
    ):
        assert (response.status_code, response.json()["data"]["error"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_large_body_is_rejected_while_other_clients_use_the_whole_budget(client, state):
    budget = state["bodies"].budget
    small, headers = b'{"menu": "quan-nha", "items": []}', {"Content-Type": "application/json"}
    large = small + b" " * UNCOUNTED_BODY_BYTES

    async def in_pieces():
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    held_bytes, half = budget.held_bytes, budget.max_bytes // 2
    budget.hold("one", half)
    budget.hold("another", half)
    try:
        for body in (large, in_pieces()):
            response = await client.post(RECOMMEND, content=body, headers=headers)
            assert (response.status_code, response.json()["data"]["error"]) == (503, "OVERLOADED")
            assert int(response.headers["retry-after"]) >= 1
        assert (await client.post(RECOMMEND, content=small, headers=headers)).status_code == 200
    finally:
        budget.release("one", half)
        budget.release("another", half)
    for body in (large, in_pieces()):
        assert (await client.post(RECOMMEND, content=body, headers=headers)).status_code == 200
    assert budget.held_bytes == held_bytes


async def test_a_chunked_body_is_rejected_as_soon_as_it_is_too_long(client):
    taken = 0

    async def body():
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b" " * 100_000

    response = await client.post(RECOMMEND, content=body(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert taken * 100_000 <= SETTINGS.max_json_bytes + 100_000


async def test_the_chunks_of_a_body_are_joined(client):
    async def body():
        for piece in (b'{"menu": "quan', b"", b'-nha", "items"', b": []}"):
            yield piece

    assert (await client.post(RECOMMEND, content=body(), headers={"Content-Type": "application/json"})).status_code == 200


async def test_json_without_audio_has_the_smaller_limit_on_routes_that_accept_audio(client):
    body = json.dumps({"menu": MENU, "text": "một cà phê", "lines": []}) + " " * SETTINGS.max_json_bytes
    response = await client.post(ORDER, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 413


async def test_a_caller_that_disconnects_within_its_body_is_counted_and_gets_no_reply(state):
    sent = []
    before = value_of("voice_http_disconnected_total")

    async def send(message):
        sent.append(message)

    messages = [{"type": "http.request", "body": b"abc", "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    scope = scope_of(RECOMMEND, "application/json", dict(state))
    await APP(scope, receive, send)
    assert sent == []
    assert value_of("voice_http_disconnected_total") == before + 1
    assert value_of("voice_http_in_flight") == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"--x\r\n", 422),
        (b"", 422),
        (b"nothing of the kind", 400),
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--x--\r\n', 422),
        (b'--x\r\nContent-Disposition: form-data; name="words"\r\n\r\ntrue\r\n--x--\r\n', 422),
        (b'--x\r\nContent-Disposition: form-data; name="words"\r\n\r\n' + b"t" * 5000 + b"\r\n--x--\r\n", 400),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\na\r\n' * 2 + b"--x--\r\n", 400),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\na\r\n' * 50 + b"--x--\r\n", 400),
    ],
)
async def test_a_malformed_form_is_rejected(client, body, status):
    response = await client.post(SPEECH, content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert response.status_code == status, response.text


async def test_a_form_without_a_boundary_is_rejected(client):
    assert (await client.post(SPEECH, content=b"--x", headers={"Content-Type": "multipart/form-data"})).status_code == 400


@pytest.mark.parametrize("charset", ["utf-8", "idna", "zlib", "nonsense"])
async def test_a_form_is_decoded_as_utf8_despite_its_charset(state, charset):
    body = '--Ä\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--Ä\r\n'
    body += 'Content-Disposition: form-data; name="language"\r\n\r\nvi\r\n--Ä--\r\n'
    body, recogniser = body.replace("Ä", "A-b'()+_,./:=?"), FixedRecogniser("xin chào")
    headers = {"Content-Type": f'multipart/form-data; charset={charset}; boundary="A-b\'()+_,./:=?"'}
    async with client_of(state, recogniser=recogniser) as client:
        assert (await client.post(SPEECH, content=body, headers=headers)).status_code == 200
    assert (recogniser.calls[0]["audio"], recogniser.calls[0]["language"]) == (b"abc", "vi")
