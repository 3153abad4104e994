import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import sqlalchemy as sa

from errors import OrderCancelled, OrderNotFound
from schemas import OrdersQuery
from tests.store.samples import NOON, make_order, opened, select
from voice.store.tables import order_events

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(sqlite_url, clock):
    """A store on one database: what differs between databases has a test on both below."""
    async with opened(sqlite_url, clock=clock) as store:
        yield store


def id_of(order):
    return UUID(order["order_id"])


async def stored(store, count, client="a", **fields):
    orders = [make_order(**fields) for _ in range(count)]
    for order in orders:
        await store.put_order(client, order, placed_at_given=True)
    return orders


async def read_on(store, after, **query):
    """Read the list to its end as a till does; return the orders and the cursor."""
    orders, more = [], True
    while more:
        page = await store.list_orders("a", OrdersQuery(after=after, **query))
        orders += page["orders"]
        after, more = page["after"], page["more"]
        assert len(page["orders"]) <= query.get("limit", 50)
    return orders, after


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
async def test_the_parts_of_a_list_make_the_whole_in_the_order_of_storing(store, limit):
    mine = await stored(store, 5)
    await stored(store, 2, client="b")
    orders, after = await read_on(store, None, limit=limit)
    assert orders == mine
    assert await read_on(store, after, limit=limit) == ([], after)
    later = await stored(store, 1)
    assert (await read_on(store, after, limit=limit))[0] == later


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_a_cancelled_order_comes_again_once(store, limit):
    mine = await stored(store, 4)
    await store.cancel_order("a", id_of(mine[3]), "Before anybody read the list.")
    orders, after = await read_on(store, None, limit=limit)
    assert [order.get("cancelled", {}).get("reason") for order in orders] == [None, None, None, "Before anybody read the list."]
    for order in (mine[2], mine[0]):
        await store.cancel_order("a", id_of(order), None)
    later = await stored(store, 2)
    await store.cancel_order("a", id_of(later[1]), None)
    orders, after = await read_on(store, after, limit=limit)
    assert [order["order_id"] for order in orders] == [order["order_id"] for order in (mine[2], mine[0], *later)]
    assert ["cancelled" in order for order in orders] == [True, True, False, True]
    assert await read_on(store, after, limit=limit) == ([], after)


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"menu": "bar"}, [1]),
    ({"customer_id": 9}, [2]),
    ({"placed_from": NOON}, [3]),
    ({"placed_before": NOON}, [0, 1, 2]),
    ({"status": "cancelled"}, [0]),
    ({"status": "stored"}, [1, 2, 3]),
    ({"menu": "bar", "status": "cancelled"}, []),
]


async def test_a_list_is_filtered(database_url):
    fields: list[dict[str, Any]] = [{}, {"menu": "bar"}, {"customer_id": 9}, {"placed_at": "2026-11-22T12:00:00Z"}]
    async with opened(database_url) as store:
        orders = [(await stored(store, 1, **one))[0] for one in fields]
        await store.cancel_order("a", id_of(orders[0]), None)
        for query, expected in FILTERS:
            listed = await store.list_orders("a", OrdersQuery(**query))
            assert [order["order_id"] for order in listed["orders"]] == [orders[number]["order_id"] for number in expected], query


async def test_a_cancelled_order_can_be_read_and_is_not_stored_again(store, clock):
    (order,) = await stored(store, 1)
    clock.now = NOON + timedelta(minutes=5)
    cancelled, is_new = await store.cancel_order("a", id_of(order), "Too late.")
    assert (cancelled, is_new) == ({**order, "cancelled": {"at": "2026-11-22T12:05:00Z", "reason": "Too late."}}, True)
    assert await store.get_order("a", id_of(order)) == cancelled
    assert await store.put_order("a", order, placed_at_given=True) == (cancelled, False)


async def test_a_second_cancellation_needs_the_same_reason(store, clock):
    (order,) = await stored(store, 1)
    first = await store.cancel_order("a", id_of(order), "Too late.")
    clock.now = NOON + timedelta(minutes=5)
    for reason in ("Too late.", None):
        assert await store.cancel_order("a", id_of(order), reason) == (first[0], False)
    with pytest.raises(OrderCancelled):
        await store.cancel_order("a", id_of(order), "Sold out.")


async def test_another_clients_order_is_not_cancelled(store):
    (order,) = await stored(store, 1)
    for client, order_id in (("b", id_of(order)), ("a", uuid4())):
        with pytest.raises(OrderNotFound):
            await store.cancel_order(client, order_id, None)
    assert "cancelled" not in await store.get_order("a", id_of(order))


async def test_of_cancellations_at_the_same_time_one_counts_and_leaves_one_event(database_url):
    async with opened(database_url, webhook_clients={"a"}) as one, opened(database_url, webhook_clients={"a"}) as other:
        (order,) = await stored(one, 1)
        outcomes = await asyncio.gather(*(store.cancel_order("a", id_of(order), "Twice.") for store in (one, other, one, other)))
        assert sorted(is_new for _, is_new in outcomes) == [False, False, False, True]
        rows = await select(database_url, sa.select(order_events.c.body).order_by(order_events.c.sequence))
        assert [orjson.loads(row.body)["type"] for row in rows] == ["order.stored", "order.cancelled"]


async def test_a_till_that_polls_while_others_store_and_cancel_misses_nothing(database_url):
    async with opened(database_url) as store, opened(database_url) as other:
        seen: dict[str, bool] = {}

        async def change() -> dict[str, bool]:
            final = {}
            for number in range(40):
                (order,) = await stored(other, 1)
                final[order["order_id"]] = number % 2 == 0
                if number % 2 == 0:
                    await other.cancel_order("a", id_of(order), None)
            return final

        changing, after = asyncio.create_task(change()), None
        while not changing.done():
            orders, after = await read_on(store, after, limit=3)
            seen |= {order["order_id"]: "cancelled" in order for order in orders}
        orders, after = await read_on(store, after, limit=3)
        seen |= {order["order_id"]: "cancelled" in order for order in orders}
        assert seen == changing.result()
