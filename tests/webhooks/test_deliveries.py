"""Deliveries from a real store to a real HTTP server; the standardwebhooks library verifies them."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from standardwebhooks.webhooks import WebhookVerificationError

from tests.conftest import KEYS
from tests.store.samples import make_order, opened
from tests.webhooks.receiver import SECRET, delivering, receiving
from voice.store.tables import order_events
from voice.webhooks.deliveries import GAPS_S

pytestmark = pytest.mark.anyio


def attempts_of(metrics, outcome):
    return metrics.get_sample_value("voice_webhook_attempts_total", {"outcome": outcome}) or 0


async def settled(store):
    async with asyncio.timeout(10):
        while await store.oldest_event(["a", "demo"]) is not None:  # noqa: ASYNC110 - a delivery deletes it
            await asyncio.sleep(0.02)


async def test_an_order_reaches_its_receiver_signed(sqlite_url):
    async with opened(sqlite_url, webhook_clients={"a"}) as store, receiving() as receiver, delivering(store, {"a": receiver.url}):
        order = make_order()
        await store.put_order("a", order, placed_at_given=True)
        (got,) = await receiver.received(1)
        assert got.verified() == {"type": "order.stored", "timestamp": got.verified()["timestamp"], "data": order}
        with pytest.raises(WebhookVerificationError):
            got._replace(body=got.body + b" ").verified()
        assert got.headers["content-type"] == "application/json"
        await settled(store)
        assert len(receiver.got) == 1


async def test_a_failed_delivery_is_repeated_with_the_same_id_and_body(sqlite_url):
    async with opened(sqlite_url, webhook_clients={"a"}) as store, receiving() as receiver:
        answers = iter(["500 Internal Server Error", "503 Service Unavailable", "302 Found", "200 OK"])
        receiver.answer = lambda _: next(answers)
        async with delivering(store, {"a": receiver.url}) as metrics:
            await store.put_order("a", make_order(), placed_at_given=True)
            got = await receiver.received(4)
            await settled(store)
            assert len({(one.event, one.body) for one in got}) == 1
            assert [attempts_of(metrics, outcome) for outcome in ("rejected", "busy", "delivered")] == [1, 2, 1]


async def test_an_event_that_is_always_rejected_is_given_up_after_the_last_gap(sqlite_url):
    async with opened(sqlite_url, webhook_clients={"a"}) as store, receiving() as receiver:
        receiver.answer = lambda _: "400 Bad Request"
        async with delivering(store, {"a": receiver.url}) as metrics:
            await store.put_order("a", make_order(), placed_at_given=True)
            await settled(store)
            assert len(receiver.got) == 4
            assert metrics.get_sample_value("voice_webhook_given_up_total") == 1
            receiver.answer = lambda _: "200 OK"
            assert await store.resend_events("a") == 1
            await receiver.received(5)


def test_the_gaps_add_up_to_a_day():
    assert 85_000 <= sum(GAPS_S) <= 90_000
    assert list(GAPS_S) == sorted(GAPS_S)


async def test_a_receiver_that_hangs_delays_no_other_and_spends_the_attempts_of_one_event(sqlite_url):
    async with (
        opened(sqlite_url, webhook_clients={"a", "b"}) as store,
        receiving() as hanging,
        receiving() as receiver,
    ):
        hanging.answer = lambda _: None
        for _ in range(3):
            await store.put_order("a", make_order(), placed_at_given=True)
        async with delivering(store, {"a": hanging.url, "b": receiver.url}, gaps_s=(30,) * 5):
            await hanging.received(3)
            await store.put_order("b", make_order(), placed_at_given=True)
            await receiver.received(1, within_s=0.25)
            for _ in range(20):
                await store.put_order("a", make_order(), placed_at_given=True)
            await hanging.received(4)
            await asyncio.sleep(0.1)
            assert len(hanging.got) == 4, "one event is tried while the receiver fails"
            hanging.answer = lambda _: "200 OK"
            await hanging.received(4 + 19)


async def test_a_receiver_that_is_gone_is_left_alone(sqlite_url):
    async with opened(sqlite_url, webhook_clients={"a"}) as store, receiving() as receiver:
        receiver.answer = lambda _: "410 Gone"
        async with delivering(store, {"a": receiver.url}):
            await store.put_order("a", make_order(), placed_at_given=True)
            await receiver.received(1)
            await store.put_order("a", make_order(), placed_at_given=True)
            await asyncio.sleep(0.2)
            assert len(receiver.got) == 1
            assert await store.oldest_event(["a", "demo"]) is not None, "nothing is lost"


async def test_a_retry_is_not_earlier_than_the_receiver_asks(sqlite_url):
    async with opened(sqlite_url, webhook_clients={"a"}) as store, receiving() as receiver:
        receiver.answer = lambda _: "400 Bad Request\r\nretry-after: 1"
        async with delivering(store, {"a": receiver.url}):
            began = datetime.now(UTC)
            await store.put_order("a", make_order(), placed_at_given=True)
            await receiver.received(2)
            assert (datetime.now(UTC) - began).total_seconds() >= 1


async def test_a_drained_process_leaves_its_running_attempts_to_the_next_one(sqlite_url):
    async with opened(sqlite_url, webhook_clients={"a"}) as store, receiving() as receiver:
        receiver.answer = lambda _: None
        async with delivering(store, {"a": receiver.url}, attempt_s=15, close_s=0.05):
            await store.put_order("a", make_order(), placed_at_given=True)
            await receiver.received(1)
        receiver.answer = lambda _: "200 OK"
        async with delivering(store, {"a": receiver.url}):
            one, other = await receiver.received(2, within_s=1)
            assert (one.event, one.body) == (other.event, other.body)


async def test_no_event_is_lost_when_the_server_is_killed_and_each_follows_its_commit(server, tmp_path):
    """The receiver hangs, the server dies, and the next process on the same database delivers what is claimed as well as what is not."""
    ids = {str(uuid4()) for _ in range(20)}
    order = {"menu": "quan-nha", "lines": [{"item": "ca-phe-muoi"}], "placed_at": "2026-11-22T10:00:00Z"}
    async with receiving() as receiver, httpx.AsyncClient(headers=KEYS, timeout=20) as client:
        settings = {
            "ORDER_WEBHOOKS": json.dumps({"demo": {"url": receiver.url, "secrets": [SECRET]}}),
            "WEBHOOK_NETWORKS": "127.0.0.1",
            "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/shared.db",
        }
        receiver.answer = lambda _: None
        first = server(**settings)
        replies = await asyncio.gather(*(client.put(f"{first.url}/api/v1/voice/order/{order_id}", json=order) for order_id in ids))
        assert {reply.status_code for reply in replies} == {201}
        await receiver.received(1)
        first.stop()
        async with opened(settings["DATABASE_URL"]) as store:
            assert await store.oldest_event(["a", "demo"]) is not None
            await end_claims(store)
            stored_when_heard: dict[str, bool] = {}

            def answer(got):
                order_id = got.verified()["data"]["order_id"]
                with closing(sqlite3.connect(tmp_path / "shared.db")) as database:
                    found = database.execute("SELECT 1 FROM orders WHERE order_id = ?", (UUID(order_id).hex,)).fetchone()
                stored_when_heard[order_id] = found is not None
                return "200 OK"

            receiver.answer = answer
            async with delivering(store, {"demo": receiver.url}):
                await settled(store)
        assert stored_when_heard == dict.fromkeys(ids, True)


async def end_claims(store):
    """Make the events due as after the minute that a claim lasts."""
    async with store._engine.begin() as connection:  # noqa: SLF001
        await connection.execute(sa.update(order_events).values(due_at=datetime.now(UTC)))
