"""Floods, oversize, wrong credentials, junk and callers who leave, on the routes in the form of the OpenAI API."""

import asyncio
import json
import time
from contextlib import ExitStack

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.conftest import BEARER, CHAT, KEY, MENU, TRANSCRIPTIONS
from tests.conftest import APP, MANY, client_of
from tests.servers import Connection
from tests.web.fakes import FixedRecogniser
from tests.web.routes import scope_of
from voice.dialog.replay import Replays
from web.rate_limiter import RateLimiter

pytestmark = pytest.mark.anyio


def user(text):
    return {"role": "user", "content": text}


def said(text):
    return {"role": "assistant", "content": text}


def limiter(requests=MANY, speech=MANY, failed=MANY):
    return RateLimiter({"requests": requests, "speech": speech, "failed": failed})


async def post(state, body, **changed):
    async with client_of(state, headers=BEARER, **changed) as client:
        return await client.post(CHAT, content=body if isinstance(body, bytes) else json.dumps(body).encode(), headers=JSON)


JSON = {"Content-Type": "application/json"}


async def test_ten_thousand_messages_of_the_shop_are_no_obstacle(state):
    reply = await post(state, {"model": MENU, "messages": [*[said("ok")] * 10_000, user("two lattes")]})
    assert reply.json()["order"]["lines"][0]["quantity"] == 2


@pytest.mark.parametrize("turns", [[user("a latte"), said("ok")] * 5000, [user("a latte" + " " * 1900 + "x"), said("ok")] * 30])
async def test_a_conversation_of_too_many_words_is_refused_before_any_of_them_is_read(state, turns):
    started = time.perf_counter()
    reply = await post(state, {"model": MENU, "messages": turns}, replays=None)
    assert (reply.status_code, reply.json()["error"]["param"]) == (422, "messages")
    assert time.perf_counter() - started < 2


async def test_a_long_conversation_is_rebuilt_within_its_deadline_and_others_are_served_meanwhile(state):
    turns = [message for n in range(60) for message in (user(f"{n % 5 + 1} lattes"), said("ok"))][:-1]
    longest_s = 0.0
    async with client_of(state) as other:
        rebuilding = asyncio.ensure_future(post(state, {"model": MENU, "messages": turns}, replays=Replays()))
        while not rebuilding.done():
            started = time.perf_counter()
            await asyncio.sleep(0)  # the others' turn
            assert (await other.get("/healthcheck")).status_code == 200
            longest_s = max(longest_s, time.perf_counter() - started)
    assert (await rebuilding).status_code == 200
    assert longest_s < 1


async def test_what_has_to_be_rebuilt_counts_against_the_rate_limit(state):
    turns = [message for _ in range(4) for message in (user("hm " * 300), said("ok"))][:-1]
    changed = {"limiter": limiter(requests="3/minute"), "replays": Replays()}
    assert (await post(state, {"model": MENU, "messages": turns}, **changed)).status_code == 200  # one, and two for 2,700 characters
    refused = await post(state, {"model": MENU, "messages": turns}, **changed)
    assert (refused.status_code, refused.json()["error"]["type"]) == (429, "rate_limit_error")
    assert int(refused.headers["retry-after"]) >= 1


async def test_floods_are_limited_in_the_form_of_the_protocol(state):
    async with client_of(state, headers=BEARER, limiter=limiter("2/minute", "2/minute"), recogniser=FixedRecogniser()) as client:
        for path, request in ((CHAT, {"json": {"model": MENU, "messages": []}}), (TRANSCRIPTIONS, {"files": {"file": b"abc"}})):
            assert [(await client.post(path, **request)).status_code for _ in range(3)] == [200, 200, 429]
    wrong = {"Authorization": "Bearer demo~not-the-secret"}
    async with client_of(state, headers=wrong, limiter=limiter(failed="2/minute")) as client:
        assert [(await client.get("/v1/models")).status_code for _ in range(3)] == [400, 400, 429]


async def test_a_body_that_is_too_large_is_refused_in_the_form_of_the_protocol(state):
    large = b'{"model": "quan-nha", "messages": [], "metadata": "%b"}' % (b"x" * 1_048_576)
    assert (await post(state, large)).json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
    async with client_of(state, headers=BEARER) as client:
        reply = await client.post(TRANSCRIPTIONS, headers={"Content-Length": "200000001"})
        assert (reply.status_code, reply.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
        fields = [("keywords[]", (None, "x"))] * 1001
        assert (await client.post(TRANSCRIPTIONS, files=[*fields, ("file", b"abc")])).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"model": "quan-nha", "messages": %b' % (b"[" * 100_000), 400),
        (b'{"model": "quan-nha", "messages": [{"role": "user", "content": %b%b}]}' % (b"[" * 100_000, b"]" * 100_000), 400),
        (b'{"model": "quan-nha", "messages": [], "metadata": %b1%b}' % (b'{"a":' * 100, b"}" * 100), 200),
        (b'{"model": "quan-nha", "messages": [], "user": %b}' % (b"9" * 5000), 400),
        (b"\xff", 400),
        (b"[]", 422),
        (b"", 400),
    ],
)
async def test_nested_and_malformed_json_is_refused(state, body, status):
    reply = await post(state, body)
    assert reply.status_code == status, reply.text
    assert ("error" in reply.json()) == (status != 200)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "text", "id", "name", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)
ROLES = st.sampled_from(["system", "user", "assistant", "tool", "function"])
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": ROLES, "content": JUNK}, optional={"tool_calls": JUNK, "function_call": JUNK}), max_size=4
)
NAMES = ("stream_options", "tools", "functions", "tool_choice", "user", "metadata", "call", "customer", "elevenlabs_extra_body", "language")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=MESSAGES, fields=st.dictionaries(st.sampled_from(NAMES), JUNK, max_size=4))
async def test_no_junk_fails(state, messages, fields):
    reply = await post(state, {"model": MENU, "messages": messages, **fields})
    assert reply.status_code in {200, 422}, reply.text


async def test_a_caller_who_leaves_stops_the_rebuilding(state):
    class Endless:
        n_characters = 0

        def begin(self, *_):
            return self

        async def run(self):
            await asyncio.Event().wait()

    body = json.dumps({"model": MENU, "messages": [user("a latte")]}).encode()
    messages = [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    async with asyncio.timeout(5):
        await APP(scope_of(CHAT, "application/json", {**state, "replays": Endless()}), receive, send)
    assert sent == []


def test_callers_who_do_not_read_their_events_delay_nobody(hearing_server):
    body = json.dumps({"model": MENU, "stream": True, "messages": [user("two large milk teas with black pearls")]})
    fields = {"Host": "x", "Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Content-Length": len(body)}
    head = f"POST {CHAT} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    with ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(Connection(hearing_server.port))
            connection.send((head + body).encode() * 20)
        started = time.perf_counter()
        assert httpx.get(f"{hearing_server.url}/healthcheck").status_code == 200
        assert time.perf_counter() - started < 1
