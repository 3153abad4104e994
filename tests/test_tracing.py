"""Traces: headers are read as the specification says, continued in the log and in webhooks, and exported to a collector."""

import asyncio
import logging
from uuid import uuid4

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app import create_app
from tests.conftest import KEYS, SETTINGS, client_of
from tests.store.samples import make_order, opened
from tests.webhooks.receiver import delivering, receiving
from voice.tracing import CURRENT, Trace, Tracing, read_trace

pytestmark = pytest.mark.anyio

TRACE, SPAN = "4f0c8a1b2d3e4f5061728394a5b6c7d8", "0a1b2c3d4e5f6071"
PARENT = f"00-{TRACE}-{SPAN}-01"
ORDER = {"menu": "quan-nha", "lines": [{"item": "ca-phe-muoi"}], "placed_at": "2026-11-22T10:00:00Z"}


@pytest.mark.parametrize(
    ("parent", "flags"),
    [(PARENT, 1), (f"00-{TRACE}-{SPAN}-00", 0), (f"00-{TRACE}-{SPAN}-ff", 3), (f"cc-{TRACE}-{SPAN}-01", 1), (f"cc-{TRACE}-{SPAN}-01-x", 1)],
)
def test_a_valid_parent_is_read_and_written_as_version_00(parent, flags):
    trace = read_trace(parent, "a=1,b=2")
    assert trace == Trace(TRACE, SPAN, flags, "a=1,b=2")
    assert trace.headers == {"traceparent": f"00-{TRACE}-{SPAN}-{flags:02x}", "tracestate": "a=1,b=2"}


@pytest.mark.parametrize(
    "parent",
    [
        "",
        PARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{PARENT}-more",
        f"{PARENT} ",
        f"cc-{TRACE}-{SPAN}-01x",
        PARENT[:-1],
        PARENT.replace("-", "_"),
    ],
)
def test_an_invalid_parent_is_ignored_with_its_state(parent):
    assert read_trace(parent, "a=1") is None


@pytest.mark.parametrize("state", ["x" * 513, "a=é", "a=1\x00"])
def test_a_state_that_cannot_be_passed_on_is_dropped(state):
    trace = read_trace(PARENT, state)
    assert trace
    assert trace.headers == {"traceparent": PARENT}


async def test_a_trace_is_logged_and_kept_with_the_event_of_the_order(state, sqlite_url, caplog):
    caplog.set_level(logging.INFO, "voice.http")
    async with opened(sqlite_url, webhook_clients={"demo"}) as store, client_of(state, store=store) as client:
        path = f"/api/v1/voice/order/{uuid4()}"
        await client.put(path, json=ORDER, headers={"traceparent": PARENT, "tracestate": "a=1"})
        (event,) = await store.claim_events("demo", limit=9)
        assert event.trace
        assert (event.trace.trace_id, event.trace.flags, event.trace.state) == (TRACE, 1, "a=1")
        (record,) = [vars(record) for record in caplog.records if "trace_id" in vars(record)]
        assert (record["trace_id"], record["span_id"]) == (TRACE, event.trace.span_id)
        assert event.trace.span_id != SPAN
        await client.get(path)
        assert caplog.records[-1].getMessage() == "answered"
        assert "trace_id" not in vars(caplog.records[-1]), "the next request has its own trace, or none"


async def test_a_webhook_continues_the_trace_with_a_span_of_its_own(sqlite_url):
    async with opened(sqlite_url, webhook_clients={"a"}) as store, receiving() as receiver:
        CURRENT.set(read_trace(PARENT, "a=1"))
        await store.put_order("a", make_order(), placed_at_given=True)
        CURRENT.set(None)
        await store.put_order("a", make_order(), placed_at_given=True)
        async with delivering(store, {"a": receiver.url}):
            got = await receiver.received(2)
        traced, other = sorted(got, key=lambda one: "traceparent" not in one.headers)
        trace = read_trace(traced.headers["traceparent"])
        assert trace
        assert (trace.trace_id, trace.span_id != SPAN, traced.headers["tracestate"]) == (TRACE, True, "a=1")
        assert not {"traceparent", "tracestate"} & other.headers.keys()


async def test_spans_of_requests_and_webhooks_reach_a_collector(state, sqlite_url):
    async with receiving() as collector, receiving() as receiver, opened(sqlite_url, webhook_clients={"demo"}) as store:
        collector.answer = lambda _: "200 OK"
        endpoint = collector.url.partition("/orders")[0]
        app = create_app(SETTINGS.model_copy(update={"otel_exporter_otlp_endpoint": endpoint}))
        tracing: Tracing = app.state.tracing
        tracing.open()

        async def application(scope, receive, send):
            scope["state"] = {**state, "store": store}
            await app(scope, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://voice.test", headers=KEYS) as client:
            await client.put(f"/api/v1/voice/order/{uuid4()}", json=ORDER, headers={"traceparent": PARENT})
            await client.get("/api/v1/voice/order/7")
        async with delivering(store, {"demo": receiver.url}, tracing=tracing):
            await receiver.received(1)
        await asyncio.to_thread(tracing.close)
        exported = [ExportTraceServiceRequest.FromString(got.body) for got in collector.got]
        spans = {span.name: span for one in exported for part in one.resource_spans for scope in part.scope_spans for span in scope.spans}
        put, webhook = spans["PUT /api/v1/voice/order/{order_id}"], spans["webhook"]
        assert (put.trace_id.hex(), put.parent_span_id.hex()) == (TRACE, SPAN)
        assert (webhook.trace_id, webhook.parent_span_id) == (put.trace_id, put.span_id)
        assert receiver.got[0].headers["traceparent"] == f"00-{TRACE}-{webhook.span_id.hex()}-01"
        facts = {attribute.key: attribute.value for attribute in put.attributes}
        assert (facts["http.response.status_code"].int_value, facts["voice.client"].string_value) == (201, "demo")
        assert spans["GET /api/v1/voice/order/{order_id}"].trace_id.hex() != TRACE
