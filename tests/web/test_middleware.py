"""Every reply has a request id, and every failure is a reply in the envelope."""

import asyncio
import json

import pytest

from tests.conftest import APP, client_of
from tests.web.fakes import FixedRecogniser
from tests.web.routes import SPEECH, scope_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("given", "kept"), [("a.B_9-", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("a\tb", False), ("é", False), ("", False)]
)
async def test_a_well_formed_request_id_is_returned_and_another_is_replaced(stranger, given, kept):
    response = await stranger.get("/healthcheck", headers={"X-Request-ID": given.encode()})
    assert (response.headers["x-request-id"] == given) is kept


async def test_request_ids_differ(stranger):
    ids = {(await stranger.get("/healthcheck")).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


async def test_an_unhandled_exception_is_answered_in_the_envelope_and_logged_without_its_message(state, caplog):
    async with client_of(state, recogniser=FixedRecogniser(error=RuntimeError("canary-of-the-engine"))) as client:
        response = await client.post(SPEECH, content=b"abc", headers={"Content-Type": "audio/wav"})
        assert (response.status_code, response.json()["data"]["error"]) == (500, "SERVER_ERROR")
        assert "canary" not in response.text
        assert (await client.get("/healthcheck")).status_code == 200
    assert any(record.getMessage() == "failed" for record in caplog.records)


async def test_a_cancelled_request_is_answered_before_the_server_closes(state):
    sent = []

    async def send(message):
        sent.append(message)

    class Hanging(FixedRecogniser):
        async def transcribe(self, *_, **__):
            await asyncio.sleep(60)

    scope = scope_of(SPEECH, "audio/wav", {**state, "recogniser": Hanging()})
    messages = [{"type": "http.request", "body": b"abc"}]

    async def receive():
        return messages.pop() if messages else await asyncio.sleep(60)

    task = asyncio.ensure_future(APP(scope, receive, send))
    await asyncio.sleep(0.05)
    task.cancel()
    await task
    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"])["data"]["error"] == "OVERLOADED"
