import asyncio
import random
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import sqlalchemy as sa

from errors import OrderConflict, OrderNotFound, Overloaded
from tests.store.samples import line, make_order, opened, option
from voice.store.connection import ORDERS_LOCK, connect
from voice.store.stored_orders import order_digest
from voice.store.tables import orders

pytestmark = pytest.mark.anyio

TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)


async def test_an_order_is_returned_as_it_was_stored(store):
    put = make_order()
    assert await store.put_order("a", put, placed_at_given=True) == (put, True)
    assert await store.get_order("a", UUID(put["order_id"])) == put


async def test_an_order_survives_a_restart(database_url):
    put = make_order()
    async with opened(database_url) as store:
        await store.put_order("a", put, placed_at_given=True)
    async with opened(database_url) as store:
        assert await store.get_order("a", UUID(put["order_id"])) == put


async def test_another_clients_order_is_not_found(store):
    put = make_order()
    await store.put_order("a", put, placed_at_given=True)
    with pytest.raises(OrderNotFound):
        await store.get_order("b", UUID(put["order_id"]))
    with pytest.raises(OrderNotFound):
        await store.get_order("a", uuid4())


async def test_two_clients_may_use_one_id(store):
    first, second = make_order(), make_order(customer_id=None)
    second["order_id"] = first["order_id"]
    assert await store.put_order("a", first, placed_at_given=True) == (first, True)
    assert await store.put_order("b", second, placed_at_given=True) == (second, True)
    assert await store.get_order("a", UUID(first["order_id"])) == first


SAME: dict[str, Callable[[Any], object]] = {
    "as it is": lambda put: put,
    "lines in another order": lambda put: put["lines"].reverse(),
    "options in another order": lambda put: put["lines"][0]["options"].reverse(),
    "alternatives in another order": lambda put: put["lines"][0]["options"][1]["alternatives"].reverse(),
    "equal lines split": lambda put: (put["lines"][1].update(quantity=1), put["lines"].append(deepcopy(put["lines"][1]))),
    "another price": lambda put: (put.update(total=1), put["lines"][0].update(total=1, unit_price=1, name="")),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
async def test_the_same_order_again_changes_nothing(store, change):
    put = make_order()
    again = deepcopy(put)
    change(again)
    await store.put_order("a", put, placed_at_given=True)
    assert await store.put_order("a", again, placed_at_given=True) == (put, False)
    assert len(await store.orders_after(0, limit=10)) == 1


OTHER: dict[str, Callable[[Any], object]] = {
    "menu": lambda put: put.update(menu="bar"),
    "customer": lambda put: put.update(customer_id=8),
    "no customer": lambda put: put.update(customer_id=None),
    "time": lambda put: put.update(placed_at="2026-11-22T10:00:01Z"),
    "item": lambda put: put["lines"][0].update(item="tra-da"),
    "quantity": lambda put: put["lines"][0].update(quantity=2),
    "a line less": lambda put: put["lines"].pop(),
    "a line twice": lambda put: put["lines"].append(put["lines"][0]),
    "choice": lambda put: put["lines"][0]["options"][0].update(choice="s"),
    "group": lambda put: put["lines"][0]["options"][0].update(group="sugar"),
    "amount": lambda put: put["lines"][0]["options"][0].update(amount="no"),
    "portions": lambda put: put["lines"][0]["options"][0].update(quantity=2),
    "alternatives": lambda put: put["lines"][0]["options"][1]["alternatives"].pop(),
    "an option on the other line": lambda put: put["lines"][1]["options"].append(put["lines"][0]["options"].pop()),
}


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
async def test_another_order_under_the_same_id_is_a_conflict(store, change):
    put = make_order()
    other = deepcopy(put)
    change(other)
    await store.put_order("a", put, placed_at_given=True)
    with pytest.raises(OrderConflict):
        await store.put_order("a", other, placed_at_given=True)
    assert await store.get_order("a", UUID(put["order_id"])) == put


async def test_an_order_is_found_by_its_digest(store):
    put = make_order()
    order_id, digest = UUID(put["order_id"]), order_digest("cafe", 7, put["lines"])
    with pytest.raises(OrderNotFound):
        await store.get_same_order("a", order_id, digest, TEN)
    await store.put_order("a", put, placed_at_given=True)
    assert await store.get_same_order("a", order_id, digest, TEN) == put
    for other_digest, placed_at in ((order_digest("cafe", 8, put["lines"]), TEN), (digest, TEN + timedelta(seconds=1)), (digest, None)):
        with pytest.raises(OrderConflict):
            await store.get_same_order("a", order_id, other_digest, placed_at)


async def test_an_order_without_a_time_is_found_by_its_digest_without_one(store):
    put = make_order()
    await store.put_order("a", put, placed_at_given=False)
    assert await store.get_same_order("a", UUID(put["order_id"]), order_digest("cafe", 7, put["lines"]), None) == put


async def test_an_order_without_a_time_is_the_same_at_a_later_time(store):
    put = make_order()
    later = put | {"placed_at": "2026-11-22T11:00:00Z"}
    await store.put_order("a", put, placed_at_given=False)
    assert await store.put_order("a", later, placed_at_given=False) == (put, False)
    assert await store.put_order("a", put, placed_at_given=True) == (put, False)
    with pytest.raises(OrderConflict):
        await store.put_order("a", later, placed_at_given=True)


async def test_an_order_with_a_time_is_not_the_same_without(store):
    put = make_order()
    await store.put_order("a", put, placed_at_given=True)
    with pytest.raises(OrderConflict):
        await store.put_order("a", put | {"placed_at": "2026-11-22T11:00:00Z"}, placed_at_given=False)


async def test_times_at_the_ends_of_the_calendar_are_returned(store):
    for placed_at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        put = make_order(placed_at=placed_at)
        await store.put_order("a", put, placed_at_given=True)
        assert await store.get_order("a", UUID(put["order_id"])) == put


async def test_one_of_concurrent_puts_of_one_order_creates_it(database_url):
    """Within a process they share a batch; between processes the database decides."""
    put = make_order()
    async with opened(database_url) as first, opened(database_url) as second:
        puts = [store.put_order("a", put, placed_at_given=True) for store in (first, second) for _ in range(25)]
        outcomes = await asyncio.gather(*puts)
        assert sorted(created for _, created in outcomes) == [False] * 49 + [True]
        assert all(stored == put for stored, _ in outcomes)
        assert len(await first.orders_after(0, limit=10)) == 1


async def test_one_of_concurrent_puts_of_different_orders_under_one_id_succeeds(database_url):
    put = make_order()
    async with opened(database_url) as first, opened(database_url) as second:
        puts = [
            store.put_order("a", put | {"customer_id": number + 1}, placed_at_given=True)
            for number, store in enumerate([first, second] * 10)
        ]
        outcomes = await asyncio.gather(*puts, return_exceptions=True)
        winners = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert len(winners) == 1
        assert sum(isinstance(outcome, OrderConflict) for outcome in outcomes) == 19
        assert await second.get_order("a", UUID(put["order_id"])) == winners[0][0]


async def test_an_order_that_cannot_be_written_fails_alone(store):
    sound = [make_order() for _ in range(10)]
    broken = make_order(lines=[line("tra-da", price=2**70)])
    outcomes = await asyncio.gather(
        *(store.put_order("a", put, placed_at_given=True) for put in [*sound[:5], broken, *sound[5:]]), return_exceptions=True
    )
    failed = outcomes.pop(5)
    assert isinstance(failed, Exception)
    assert not isinstance(failed, Overloaded)  # a retry would not help
    assert outcomes == [(put, True) for put in sound]


@pytest.mark.parametrize("turns", [1, 4], ids=["while it is queued", "while it is written"])
async def test_a_cancelled_call_does_not_affect_the_others_of_its_batch(store, turns):
    puts = [asyncio.create_task(store.put_order("a", make_order(), placed_at_given=True)) for _ in range(10)]
    for _ in range(turns):
        await asyncio.sleep(0)
    puts[3].cancel()
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert isinstance(outcomes.pop(3), asyncio.CancelledError)
    assert all(not isinstance(outcome, BaseException) and outcome[1] for outcome in outcomes)


# Followers


async def test_followers_read_each_order_once_in_ascending_sequence(store):
    for customer_id in range(1, 8):
        await store.put_order("a", make_order(customer_id=customer_id), placed_at_given=True)
    seen, sequence = [], 0
    while page := await store.orders_after(sequence, limit=3):
        seen += [past.customer_id for past in page]
        assert [past.sequence for past in page] == sorted({past.sequence for past in page})
        sequence = page[-1].sequence
    assert seen == [1, 2, 3, 4, 5, 6, 7]


async def test_followers_read_customers_items_and_times(store):
    put = make_order(lines=[line("tra-da", option("l"), quantity=2), line("ca-phe-sua"), line("tra-da", quantity=3)], customer_id=2**53 - 1)
    await store.put_order("a", put, placed_at_given=True)
    (past,) = await store.orders_after(0, limit=10)
    assert (past.client, past.menu, past.customer_id) == ("a", "cafe", 2**53 - 1)
    assert past.placed_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert past.placed_at.utcoffset() == timedelta(0)
    assert dict(past.items) == {"tra-da": 5, "ca-phe-sua": 1}


async def test_followers_miss_no_order_of_two_processes_that_store_at_once(database_url):
    async with opened(database_url) as first, opened(database_url) as second:
        puts = [store.put_order("a", make_order(), placed_at_given=True) for store in (first, second) for _ in range(100)]
        random.shuffle(puts)
        storing = asyncio.gather(*puts)
        seen: list[int] = []
        while len(seen) < 200:
            finished = storing.done()
            page = await first.orders_after(seen[-1] if seen else 0, limit=1000)
            seen += [past.sequence for past in page]
            assert page or not finished, f"{200 - len(seen)} orders were missed"
        await storing


async def test_a_writer_waits_for_the_one_before(postgres_url):
    """Otherwise a later sequence could become visible first, and a follower would miss the earlier one."""
    async with opened(postgres_url) as store:
        other = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT pg_advisory_xact_lock($1)", ORDERS_LOCK)
        put = asyncio.create_task(store.put_order("a", make_order(), placed_at_given=True))
        done, _ = await asyncio.wait({put}, timeout=0.3)
        assert not done
        await transaction.commit()
        await put
        await other.close()


async def test_the_sequence_of_a_deleted_order_is_not_reused(sqlite_url):
    async with opened(sqlite_url) as store:
        await store.put_order("a", make_order(), placed_at_given=True)
        (first,) = await store.orders_after(0, limit=1)
        engine = connect(sqlite_url)
        async with engine.begin() as connection:
            await connection.execute(sa.delete(orders))
        await engine.dispose()
        await store.put_order("a", make_order(), placed_at_given=True)
        (second,) = await store.orders_after(0, limit=1)
        assert second.sequence > first.sequence
