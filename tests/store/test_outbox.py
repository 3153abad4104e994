from datetime import timedelta

import orjson
import pytest
import sqlalchemy as sa

from errors import OrderConflict, Overloaded
from tests.store.samples import NOON, make_order, opened, select
from voice.store.outbox import CLAIM, KEPT, event_row
from voice.store.tables import order_events, orders
from voice.webhooks.events import EventType, Settled

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(database_url, clock):
    async with opened(database_url, clock=clock, webhook_clients={"a", "b"}) as store:
        yield store


async def test_an_order_of_a_client_with_a_webhook_leaves_one_event(store):
    order = make_order()
    for client in ("a", "c"):
        for _ in range(2):
            await store.put_order(client, order, placed_at_given=True)
    with pytest.raises(OrderConflict):
        await store.put_order("a", {**order, "customer_id": 8}, placed_at_given=True)
    assert await store.due_clients(["a", "b", "c"]) == ["a"]
    (event,) = await store.claim_events("a", limit=9)
    assert orjson.loads(event.body) == {"type": "order.stored", "timestamp": "2026-11-22T12:00:00Z", "data": order}
    assert (event.client, event.n_attempts, event.created_at) == ("a", 1, NOON)


async def test_an_order_is_stored_with_its_event_or_not_at_all(store, database_url):
    async with store._engine.begin() as connection:  # noqa: SLF001
        await connection.execute(sa.text("ALTER TABLE order_events RENAME TO elsewhere"))
    with pytest.raises(Overloaded):
        await store.put_order("a", make_order(), placed_at_given=True)
    assert await select(database_url, sa.select(orders)) == []


async def test_a_claimed_event_is_left_alone_until_the_claim_ends(store, clock):
    await store.put_order("a", make_order(), placed_at_given=True)
    (first,) = await store.claim_events("a", limit=9)
    assert (await store.due_clients(["a"]), await store.claim_events("a", limit=9)) == ([], [])
    clock.now = NOON + CLAIM
    (second,) = await store.claim_events("a", limit=9)
    assert (second.name, second.body, second.n_attempts) == (first.name, first.body, 2)
    # The first process comes back: what it settles is no longer its own.
    await store.settle_events([Settled(first, None)])
    assert (await store.oldest_event(["a"]), await store.oldest_event(["b"])) == (NOON, None)
    await store.settle_events([Settled(second, None)])
    assert await store.oldest_event(["a"]) is None


async def test_two_processes_never_claim_the_same_event(database_url):
    async with opened(database_url, webhook_clients={"a"}) as one, opened(database_url) as other:
        for _ in range(10):
            await one.put_order("a", make_order(), placed_at_given=True)
        claimed = [event.name for _ in range(3) for store in (one, other) for event in await store.claim_events("a", limit=2)]
        assert len(claimed) == len(set(claimed)) == 10


async def test_of_one_order_the_next_event_waits_for_the_one_before(store):
    first, other = make_order(), make_order()
    for order in (first, other):
        await store.put_order("a", order, placed_at_given=True)
    async with store._engine.begin() as connection:  # noqa: SLF001 - a later event of the order
        await connection.execute(sa.insert(order_events), event_row(EventType.CANCELLED, "a", first, NOON, None))
    events = await store.claim_events("a", limit=9)
    assert [orjson.loads(event.body)["data"]["order_id"] for event in events] == [first["order_id"], other["order_id"]]
    await store.settle_events([Settled(event, NOON, is_given_up=True) for event in events])
    (later,) = await store.claim_events("a", limit=9)
    assert orjson.loads(later.body)["type"] == "order.cancelled"


async def test_events_that_were_given_up_can_be_sent_again_for_thirty_days(store, clock):
    for client in ("a", "a", "b"):
        await store.put_order(client, make_order(), placed_at_given=True)
    for client in ("a", "b"):
        events = await store.claim_events(client, limit=9)
        await store.settle_events([Settled(event, NOON, is_given_up=True) for event in events])
    assert await store.due_clients(["a", "b"]) == []
    assert await store.resend_events("a") == 2
    assert [event.n_attempts for event in await store.claim_events("a", limit=9)] == [1, 1]
    clock.now = NOON + KEPT + timedelta(seconds=1)
    assert await store.claim_events("b", limit=9) == []
    assert await store.resend_events("b") == 0
