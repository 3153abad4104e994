"""Recognition ends with its caller or its deadline, and its errors become replies."""

import asyncio
import gc
import weakref
from typing import Any, cast

import pytest
from starlette.requests import Request

from errors import AudioTooLong, Overloaded
from schemas import SpeechOptions
from tests.conftest import APP, client_of
from tests.web.fakes import FixedRecogniser
from tests.web.routes import MENU, ORDER, SPEECH, scope_of
from web.auth import Clients
from web.context import CONTEXT_KEY, RequestContext
from web.recognition import recognise

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", [SPEECH, ORDER])
@pytest.mark.parametrize("error", [AudioTooLong, Overloaded])
async def test_errors_of_recognition_are_returned_on_both_routes(state, path, error):
    async with client_of(state, recogniser=FixedRecogniser(error=error())) as client:
        response = await client.post(path, json={"audio": "YWJj", **({"menu": MENU} if path == ORDER else {})})
        assert (response.status_code, response.json()["data"]["error"]) == (error.status, error.error)


async def test_until_the_models_are_loaded_only_speech_is_rejected(state):
    recogniser = FixedRecogniser()
    recogniser.ready = False
    async with client_of(state, recogniser=recogniser) as client:
        response = await client.post(SPEECH, content=b"abc", headers={"Content-Type": "audio/wav"})
        assert (response.status_code, response.json()["data"]["error"]) == (503, "OVERLOADED")
        assert int(response.headers["retry-after"]) >= 1
        assert (await client.get("/healthcheck")).status_code == 200
        ready = await client.get("/readiness")
        assert (ready.status_code, ready.json()["data"]["checks"]["speech"]) == (503, False)


async def test_recognition_is_cancelled_at_its_deadline():
    class Hanging(FixedRecogniser):
        async def transcribe(self, *_, **__):
            await asyncio.sleep(60)

    async def receive():
        await asyncio.sleep(60)

    scope = scope_of(SPEECH, "audio/wav", {})
    scope[CONTEXT_KEY] = RequestContext({}, "1", "127.0.0.1", Clients({}, demo=True).authenticate(b"demo", b"demo-secret"))
    with pytest.raises(Overloaded):
        await recognise(Request(scope, receive), cast("Any", Hanging()), b"", SpeechOptions(), None, deadline_s=0.05)


async def test_an_invalid_transcript_fails_in_the_envelope_and_the_next_request_is_served(state):
    class Rubbish(FixedRecogniser):
        async def transcribe(self, *_, **__):
            return {"text": object()}

    for recogniser, status in ((Rubbish(), 500), (FixedRecogniser("xin chào"), 200)):
        async with client_of(state, recogniser=recogniser) as client:
            assert (await client.post(SPEECH, json={"audio": "AAAA"})).status_code == status


async def test_recognition_is_cancelled_when_the_caller_disconnects(state):
    cancelled, sent = asyncio.Event(), []

    class Slow(FixedRecogniser):
        async def transcribe(self, *_, **__):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.set()
                raise

    messages = [{"type": "http.request", "body": b"abc"}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = scope_of(SPEECH, "audio/wav", {**state, "recogniser": Slow()})
    await APP(scope, receive, send)
    await asyncio.wait_for(cancelled.wait(), 5)
    assert sent == []


async def test_a_rejection_is_freed_with_its_reply_and_does_not_keep_the_audio(state):
    refusals = []

    class Full(FixedRecogniser):
        async def transcribe(self, *_, **__):
            error = Overloaded()
            refusals.append(weakref.ref(error))
            try:
                raise error
            finally:
                del error  # else it would hold itself here

    gc.disable()
    try:
        async with client_of(state, recogniser=Full()) as client:
            assert (await client.post(SPEECH, json={"audio": "AAAA"})).status_code == 503
        assert [refusal() for refusal in refusals] == [None]
    finally:
        gc.enable()
