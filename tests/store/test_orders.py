import asyncio
import random
import resource
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
import sqlalchemy as sa

from errors import OrderConflict, OrderNotFound, Overloaded, RefreshTokenNotValid
from schemas import StoredOrder, StoreOrderRequest
from settings import ROOT
from tests.clock import Clock
from tests.databases import Postgres
from voice.store.database import ORDERS_LOCK, connect, migrate, orders, refresh_tokens
from voice.store.orders import Store

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    return Clock(NOON)


@asynccontextmanager
async def opened(url: str, **how: Any) -> AsyncIterator[Store]:
    store = Store(url, **how)
    await store.open(migrate=True)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(database_url, clock):
    async with opened(database_url, clock=clock) as store:
        yield store


def option(choice: str | None, **changes: Any) -> dict[str, Any]:
    return {"group": "size", "choice": choice, "name": "Ly lớn", "amount": None, "quantity": 1, "price": 8000} | changes


def line(item: str, *options: dict[str, Any], **changes: Any) -> dict[str, Any]:
    priced = {"name": "Cà phê sữa đá", "quantity": 1, "unit_price": 25000, "total": 25000, "confidence": None, "span": None}
    return {"item": item, "options": list(options)} | priced | changes


def order(**changes: Any) -> StoredOrder:
    lines = [line("ca-phe-sua", option("l"), option(None, group="ice", alternatives=["less", "more"])), line("tra-da", quantity=2)]
    made = {"order_id": str(uuid4()), "menu": "cafe", "lines": lines, "total": 50000, "currency": "VND", "customer_id": 7}
    return cast("StoredOrder", made | {"placed_at": "2026-11-22T10:00:00Z"} | changes)


async def rows_of(url: str, statement: sa.Select[Any]) -> list[Any]:
    engine = connect(url)
    async with engine.connect() as connection:
        rows = list(await connection.execute(statement))
    await engine.dispose()
    return rows


# --- Orders -------------------------------------------------------------------------------------------------------------------------


async def test_an_order_comes_back_as_it_was_stored(store):
    put = order()
    assert await store.put_order("a", put, placed_at_given=True) == (put, True)
    assert await store.get_order("a", UUID(put["order_id"])) == put


async def test_an_order_is_there_after_a_restart(database_url):
    put = order()
    async with opened(database_url) as store:
        await store.put_order("a", put, placed_at_given=True)
    async with opened(database_url) as store:
        assert await store.get_order("a", UUID(put["order_id"])) == put


async def test_another_clients_order_is_not_found(store):
    put = order()
    await store.put_order("a", put, placed_at_given=True)
    with pytest.raises(OrderNotFound):
        await store.get_order("b", UUID(put["order_id"]))
    with pytest.raises(OrderNotFound):
        await store.get_order("a", uuid4())


async def test_two_clients_may_use_one_id(store):
    first, second = order(), order(customer_id=None)
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
async def test_an_order_that_means_the_same_is_stored_once_at_its_first_price(store, change):
    put = order()
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
    put = order()
    other = deepcopy(put)
    change(other)
    await store.put_order("a", put, placed_at_given=True)
    with pytest.raises(OrderConflict):
        await store.put_order("a", other, placed_at_given=True)
    assert await store.get_order("a", UUID(put["order_id"])) == put


async def test_an_order_that_cannot_be_priced_any_more_is_still_known(store):
    put = order()
    asked = StoreOrderRequest.model_validate_json(orjson.dumps({name: put[name] for name in ("menu", "lines", "customer_id")}))
    unpriced = put | {"lines": [line.model_dump() for line in asked.lines], "total": 0}
    with pytest.raises(OrderNotFound):
        await store.get_same_order("a", unpriced, placed_at_given=True)
    await store.put_order("a", put, placed_at_given=True)
    assert await store.get_same_order("a", unpriced, placed_at_given=True) == put
    with pytest.raises(OrderConflict):
        await store.get_same_order("a", unpriced | {"customer_id": 8}, placed_at_given=True)


async def test_an_order_without_a_time_is_the_same_again_later(store):
    put = order()
    later = put | {"placed_at": "2026-11-22T11:00:00Z"}
    await store.put_order("a", put, placed_at_given=False)
    assert await store.put_order("a", later, placed_at_given=False) == (put, False)
    assert await store.put_order("a", put, placed_at_given=True) == (put, False)
    with pytest.raises(OrderConflict):
        await store.put_order("a", later, placed_at_given=True)


async def test_an_order_with_a_time_is_another_one_without(store):
    put = order()
    await store.put_order("a", put, placed_at_given=True)
    with pytest.raises(OrderConflict):
        await store.put_order("a", put | {"placed_at": "2026-11-22T11:00:00Z"}, placed_at_given=False)


async def test_times_at_the_ends_of_the_calendar_come_back(store):
    for placed_at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        put = order(placed_at=placed_at)
        await store.put_order("a", put, placed_at_given=True)
        assert await store.get_order("a", UUID(put["order_id"])) == put


async def test_of_concurrent_puts_of_one_id_one_stores(database_url):
    """Both within a process, where they wait in line, and between processes, where the database decides."""
    put = order()
    async with opened(database_url) as first, opened(database_url) as second:
        puts = [store.put_order("a", put, placed_at_given=True) for store in (first, second) for _ in range(25)]
        outcomes = await asyncio.gather(*puts)
        assert sorted(created for _, created in outcomes) == [False] * 49 + [True]
        assert all(stored == put for stored, _ in outcomes)
        assert len(await first.orders_after(0, limit=10)) == 1


async def test_of_concurrent_puts_of_different_orders_under_one_id_one_wins(database_url):
    put = order()
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
    sound = [order() for _ in range(10)]
    broken = order(lines=[line("tra-da", price=2**70)])
    outcomes = await asyncio.gather(
        *(store.put_order("a", put, placed_at_given=True) for put in [*sound[:5], broken, *sound[5:]]), return_exceptions=True
    )
    failed = outcomes.pop(5)
    assert isinstance(failed, Exception)
    assert not isinstance(failed, Overloaded)  # trying again would not help
    assert outcomes == [(put, True) for put in sound]


@pytest.mark.parametrize("turns", [1, 4], ids=["while it waits", "while it is written"])
async def test_a_caller_that_hangs_up_takes_nobody_along(store, turns):
    puts = [asyncio.create_task(store.put_order("a", order(), placed_at_given=True)) for _ in range(10)]
    for _ in range(turns):
        await asyncio.sleep(0)
    puts[3].cancel()
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert isinstance(outcomes.pop(3), asyncio.CancelledError)
    assert all(not isinstance(outcome, BaseException) and outcome[1] for outcome in outcomes)


# --- Followers ----------------------------------------------------------------------------------------------------------------------


async def test_followers_read_each_order_once_in_the_order_they_were_stored(store):
    for customer_id in range(1, 8):
        await store.put_order("a", order(customer_id=customer_id), placed_at_given=True)
    seen, sequence = [], 0
    while page := await store.orders_after(sequence, limit=3):
        seen += [past.customer_id for past in page]
        assert [past.sequence for past in page] == sorted({past.sequence for past in page})
        sequence = page[-1].sequence
    assert seen == [1, 2, 3, 4, 5, 6, 7]


async def test_followers_read_who_had_what_and_when(store):
    put = order(lines=[line("tra-da", option("l"), quantity=2), line("ca-phe-sua"), line("tra-da", quantity=3)])
    await store.put_order("a", put, placed_at_given=True)
    (past,) = await store.orders_after(0, limit=10)
    assert (past.client, past.menu, past.customer_id) == ("a", "cafe", 7)
    assert past.placed_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert past.placed_at.utcoffset() == timedelta(0)
    assert dict(past.items) == {"tra-da": 5, "ca-phe-sua": 1}


async def test_followers_miss_nothing_that_two_processes_store(database_url):
    async with opened(database_url) as first, opened(database_url) as second:
        puts = [store.put_order("a", order(), placed_at_given=True) for store in (first, second) for _ in range(100)]
        random.shuffle(puts)
        storing = asyncio.gather(*puts)
        seen: list[int] = []
        while len(seen) < 200:
            finished = storing.done()
            page = await first.orders_after(seen[-1] if seen else 0, limit=1000)
            seen += [past.sequence for past in page]
            assert page or not finished, f"{200 - len(seen)} orders were missed"
        await storing


async def test_a_writer_waits_for_the_one_before_it_so_that_sequences_become_visible_in_order(postgres_url):
    """Else the later sequence could be seen first, and a follower would go past the earlier one."""
    async with opened(postgres_url) as store:
        other = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT pg_advisory_xact_lock($1)", ORDERS_LOCK)
        put = asyncio.create_task(store.put_order("a", order(), placed_at_given=True))
        done, _ = await asyncio.wait({put}, timeout=0.3)
        assert not done
        await transaction.commit()
        await put
        await other.close()


async def test_the_sequence_of_a_deleted_order_is_not_given_again(sqlite_url):
    async with opened(sqlite_url) as store:
        await store.put_order("a", order(), placed_at_given=True)
        (first,) = await store.orders_after(0, limit=1)
        engine = connect(sqlite_url)
        async with engine.begin() as connection:
            await connection.execute(sa.delete(orders))
        await engine.dispose()
        await store.put_order("a", order(), placed_at_given=True)
        (second,) = await store.orders_after(0, limit=1)
        assert second.sequence > first.sequence


# --- Refresh tokens -----------------------------------------------------------------------------------------------------------------

LATER = NOON + timedelta(days=30)
FAMILY, OTHER_FAMILY = UUID(int=1), UUID(int=2)


async def test_a_refresh_token_is_rotated_again_and_again(store):
    await store.begin_family("a", FAMILY, "t0", LATER)
    for generation in range(5):
        await store.rotate(FAMILY, f"t{generation}", f"t{generation + 1}", LATER)


async def test_an_unknown_refresh_token_is_refused(store):
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(FAMILY, "t0", "t1", LATER)
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(FAMILY, "t1", "t2", LATER)


async def test_a_refresh_token_that_comes_again_at_once_is_refused_and_the_family_goes_on(store, clock):
    await store.begin_family("a", FAMILY, "t0", LATER)
    await store.rotate(FAMILY, "t0", "t1", LATER)
    clock.now += timedelta(seconds=5)
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(FAMILY, "t0", "stolen", LATER)
    await store.rotate(FAMILY, "t1", "t2", LATER)


async def test_a_refresh_token_that_comes_again_later_ends_its_family_and_no_other(store, clock):
    for family, name in ((FAMILY, "t"), (OTHER_FAMILY, "u")):
        await store.begin_family("a", family, f"{name}0", LATER)
        await store.rotate(family, f"{name}0", f"{name}1", LATER)
    await store.rotate(FAMILY, "t1", "t2", LATER)
    clock.now += timedelta(seconds=6)
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(FAMILY, "t0", "stolen", LATER)
    for token in ("t0", "t1", "t2", "stolen"):
        with pytest.raises(RefreshTokenNotValid):
            await store.rotate(FAMILY, token, "t3", LATER)
    await store.rotate(OTHER_FAMILY, "u1", "u2", LATER)


async def test_used_refresh_tokens_are_purged_and_still_end_their_family_when_they_come_again(database_url, clock):
    async with opened(database_url, clock=clock) as store:
        await store.begin_family("a", FAMILY, "t0", LATER)
        for generation in range(20):
            await store.rotate(FAMILY, f"t{generation}", f"t{generation + 1}", LATER)
            clock.now += timedelta(seconds=61)
        assert len(await rows_of(database_url, sa.select(refresh_tokens))) == 2
        with pytest.raises(RefreshTokenNotValid):
            await store.rotate(FAMILY, "t3", "stolen", LATER)
        with pytest.raises(RefreshTokenNotValid):
            await store.rotate(FAMILY, "t20", "t21", LATER)


async def test_a_revocation_ends_all_families_of_the_client_in_all_processes_and_of_no_other(database_url, clock):
    async with opened(database_url, clock=clock) as first, opened(database_url, clock=clock) as second:
        assert await first.begin_family("a", FAMILY, "t0", LATER) == 0
        await first.begin_family("a", UUID(int=3), "v0", LATER)
        await first.begin_family("b", OTHER_FAMILY, "u0", LATER)
        await first.rotate(FAMILY, "t0", "t1", LATER)
        assert await second.revoke("a") == 2
        for family, token in ((FAMILY, "t0"), (FAMILY, "t1"), (UUID(int=3), "v0")):
            with pytest.raises(RefreshTokenNotValid):
                await first.rotate(family, token, "t2", LATER)
        await first.rotate(OTHER_FAMILY, "u0", "u1", LATER)
        assert await first.revocations() == {"a": 1}
        assert await second.revoke("a") == 0
        assert await first.begin_family("a", FAMILY, "t0", LATER) == 2
        assert await first.begin_family("b", UUID(int=4), "w0", LATER) == 0


async def test_an_expired_refresh_token_is_refused(store, clock):
    await store.begin_family("a", FAMILY, "t0", NOON + timedelta(seconds=60))
    clock.now += timedelta(seconds=60)
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(FAMILY, "t0", "t1", LATER)


async def test_expired_refresh_tokens_are_forgotten(database_url, clock):
    async with opened(database_url, clock=clock) as store:
        await store.begin_family("a", FAMILY, "t0", NOON + timedelta(seconds=60))
        clock.now += timedelta(seconds=61)
        await store.begin_family("b", OTHER_FAMILY, "u0", LATER)
        rows = await rows_of(database_url, sa.select(refresh_tokens))
        assert [row.client for row in rows] == ["b"]


async def test_of_concurrent_rotations_of_one_token_one_wins_and_the_family_goes_on(database_url, clock):
    async with opened(database_url, clock=clock) as first, opened(database_url, clock=clock) as second:
        await first.begin_family("a", FAMILY, "t", LATER)
        token = "t"
        for round_ in range(50):
            names = [f"{round_}-{caller}" for caller in range(2)]
            rotations = [store.rotate(FAMILY, token, name, LATER) for store, name in zip((first, second), names, strict=True)]
            outcomes = await asyncio.gather(*rotations, return_exceptions=True)
            assert set(map(type, outcomes)) == {RefreshTokenNotValid, type(None)}
            token = names[outcomes.index(None)]
        await first.rotate(FAMILY, token, "last", LATER)


async def test_a_theft_that_is_found_during_a_rotation_still_ends_the_family(database_url, clock):
    async with opened(database_url, clock=clock) as first, opened(database_url, clock=clock) as second:
        for round_ in range(20):
            await first.begin_family("a", FAMILY, f"{round_}-0", LATER)
            await first.rotate(FAMILY, f"{round_}-0", f"{round_}-1", LATER)
            clock.now += timedelta(seconds=6)
            replay = first.rotate(FAMILY, f"{round_}-0", "stolen", LATER)
            rotation = second.rotate(FAMILY, f"{round_}-1", f"{round_}-2", LATER)
            await asyncio.gather(*random.sample([replay, rotation], 2), return_exceptions=True)
            with pytest.raises(RefreshTokenNotValid):
                await first.rotate(FAMILY, f"{round_}-2", f"{round_}-3", LATER)


async def test_nothing_in_the_database_can_be_used_as_a_token(database_url):
    async with opened(database_url) as store:
        await store.begin_family("a", FAMILY, "canary-token", datetime.now(UTC) + timedelta(days=1))
        await store.rotate(FAMILY, "canary-token", "canary-heir", datetime.now(UTC) + timedelta(days=1))
        rows = await rows_of(database_url, sa.select(refresh_tokens))
    assert len(rows) == 2
    assert "canary" not in str([tuple(row) for row in rows])


# --- Durability ---------------------------------------------------------------------------------------------------------------------


async def test_sqlite_flushes_its_log_before_a_commit_is_acknowledged(sqlite_url):
    async with opened(sqlite_url):
        engine = connect(sqlite_url)
        async with engine.connect() as connection:
            found = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
        await engine.dispose()
    assert found == ["wal", 2]  # 2: FULL


async def test_postgresql_flushes_its_log_before_a_commit_is_acknowledged_even_where_it_is_told_not_to(postgres, postgres_url):
    name = sa.make_url(postgres_url).database
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    assert await rows_of(postgres_url, sa.select(sa.func.current_setting("synchronous_commit"))) == [("on",)]


CALLERS = """
import asyncio, resource, sys, uuid
from errors import Overloaded
from voice.store.orders import Store

def order():
    return {"order_id": str(uuid.uuid4()), "menu": "cafe", "lines": [], "total": 0, "currency": "VND", "customer_id": None,
            "placed_at": "2026-11-22T10:00:00Z"}

async def caller(store):
    while True:
        put = order()
        try:
            stored, _ = await store.put_order("a", put, placed_at_given=True)
            print(stored["order_id"], flush=True)
        except Overloaded:
            print("overloaded", flush=True)
            await asyncio.sleep(0.1)

async def run():
    store = Store(sys.argv[1])
    await store.open(migrate=True)
    if len(sys.argv) > 2:  # no file may grow beyond this, as on a disk that is full
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    await asyncio.gather(*(caller(store) for _ in range(8)))

asyncio.run(run())
"""


@asynccontextmanager
async def eight_callers(*arguments: str) -> AsyncIterator[tuple[Process, asyncio.StreamReader]]:
    """Let a process store orders as fast as it can; what can be read are the ids of those acknowledged. It ends by SIGKILL."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CALLERS, *arguments, stdout=PIPE, cwd=ROOT)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            yield process, process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_every_acknowledged_order_is_there_once_after_the_process_was_killed(database_url):
    acknowledged: set[str] = set()
    for round_ in range(1, 6):
        goal = len(acknowledged) + 100 + 17 * round_
        async with eight_callers(database_url) as (process, output):
            async for written in output:  # what it acknowledged before it died is read to the end
                acknowledged.add(written.decode().strip())
                if len(acknowledged) == goal:
                    process.kill()
        await expect_each_once(database_url, acknowledged)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits the files of a process that runs")
async def test_while_the_disk_is_full_writes_are_overloaded_and_go_on_when_it_is_not(sqlite_url):
    acknowledged: set[str] = set()
    async with eight_callers(sqlite_url, str(200_000)) as (process, output):
        overloaded = after = 0
        async for written in output:
            if written == b"overloaded\n":
                overloaded += 1
            else:
                acknowledged.add(written.decode().strip())
                after += overloaded > 8
            if overloaded == 8:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                overloaded += 1
            if after == 50:
                process.kill()
    assert after >= 50
    await expect_each_once(sqlite_url, acknowledged)


async def expect_each_once(url: str, acknowledged: set[str]) -> None:
    stored = [str(row.order_id) for row in await rows_of(url, sa.select(orders.c.order_id))]
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored)


# --- When the database fails --------------------------------------------------------------------------------------------------------


async def every_call_is_overloaded(store: Store) -> None:
    """Each within the deadline: nothing hangs."""
    calls: list[Awaitable[object]] = [
        store.ping(),
        store.put_order("a", order(), placed_at_given=True),
        store.get_order("a", uuid4()),
        store.orders_after(0, limit=10),
        store.begin_family("a", FAMILY, uuid4().hex, LATER),
        store.rotate(FAMILY, "t0", "t1", LATER),
    ]
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Overloaded}, outcomes
    assert all(cast("Overloaded", outcome).headers == {"Retry-After": "1"} for outcome in outcomes)


async def until_it_is_back(store: Store) -> None:
    """Store an order, trying again as callers do."""
    put = order()
    async with asyncio.timeout(60):
        while True:
            try:
                assert (await store.put_order("a", put, placed_at_given=True))[0] == put
            except Overloaded:
                await asyncio.sleep(0.1)
            else:
                return await store.ping()


async def test_while_postgresql_is_down_every_call_is_overloaded_and_it_recovers_by_itself(postgres: Postgres, postgres_url):
    async with opened(postgres_url) as store:
        kept, lost = order(), order()
        await store.put_order("a", kept, placed_at_given=True)
        try:
            postgres.kill()
            await every_call_is_overloaded(store)
            with pytest.raises(Overloaded):
                await store.put_order("a", lost, placed_at_given=True)
        finally:
            postgres.start()
        await until_it_is_back(store)
        assert await store.put_order("a", kept, placed_at_given=True) == (kept, False)
        assert await store.put_order("a", lost, placed_at_given=True) == (lost, True)


async def test_the_first_call_works_after_postgresql_was_restarted(postgres: Postgres, postgres_url):
    async with opened(postgres_url) as store:
        put = order()
        await store.put_order("a", put, placed_at_given=True)
        try:
            await asyncio.to_thread(postgres.kill)
        finally:
            await asyncio.to_thread(postgres.start)
        assert await store.put_order("a", put, placed_at_given=True) == (put, False)


async def test_while_postgresql_hangs_every_call_is_overloaded_and_it_recovers_by_itself(postgres: Postgres, postgres_url):
    async with opened(postgres_url) as store:
        await store.ping()
        postgres.freeze()
        try:
            await every_call_is_overloaded(store)
        finally:
            postgres.thaw()
        await until_it_is_back(store)


async def test_postgresql_may_come_up_after_the_service(postgres: Postgres, postgres_url):
    async with AsyncExitStack() as stack:
        postgres.kill()
        try:
            store = await stack.enter_async_context(opened(postgres_url))
            await every_call_is_overloaded(store)
        finally:
            postgres.start()
        await until_it_is_back(store)


async def test_no_order_is_lost_when_postgresql_is_killed_under_load(postgres: Postgres, postgres_url):
    acknowledged: list[StoredOrder] = []
    unexpected: list[BaseException] = []
    async with opened(postgres_url) as store:
        busy = True

        async def caller() -> None:
            while busy:
                put = order()
                try:
                    acknowledged.append((await store.put_order("a", put, placed_at_given=True))[0])
                except Overloaded:
                    await asyncio.sleep(0.02)
                except Exception as error:
                    unexpected.append(error)
                    raise

        async def enough(count: int) -> None:
            goal = len(acknowledged) + count
            async with asyncio.timeout(60):
                while len(acknowledged) < goal:  # noqa: ASYNC110 - an event would need counting too
                    await asyncio.sleep(0.01)

        callers = [asyncio.create_task(caller()) for _ in range(8)]
        for _ in range(2):
            await enough(50)
            try:
                await asyncio.to_thread(postgres.kill)
            finally:
                await asyncio.to_thread(postgres.start)
        await until_it_is_back(store)
        busy = False
        await asyncio.gather(*callers)
        assert not unexpected
        await expect_each_once(postgres_url, {put["order_id"] for put in acknowledged})


async def test_while_sqlite_is_locked_writes_are_overloaded_and_reads_go_on(sqlite_url):
    async with opened(sqlite_url) as store:
        put = order()
        await store.put_order("a", put, placed_at_given=True)
        other = sqlite3.connect(sa.make_url(sqlite_url).database or "", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        later = order()
        with pytest.raises(Overloaded):
            await store.put_order("a", later, placed_at_given=True)
        assert await store.get_order("a", UUID(put["order_id"])) == put
        other.execute("ROLLBACK")
        other.close()
        assert await store.put_order("a", later, placed_at_given=True) == (later, True)


async def test_a_database_that_is_read_only_is_overloaded_for_writes(sqlite_url):
    async with opened(sqlite_url) as store:
        put = order()
        await store.put_order("a", put, placed_at_given=True)
        read_only = Store(f"sqlite+aiosqlite:///file:{sa.make_url(sqlite_url).database}?mode=ro&uri=true")
        await read_only.open(migrate=False)
        with pytest.raises(Overloaded):
            await read_only.put_order("a", order(), placed_at_given=True)
        assert await read_only.get_order("a", UUID(put["order_id"])) == put
        await read_only.close()


async def test_a_postgresql_that_is_read_only_is_overloaded_for_writes(postgres, postgres_url):
    await migrate(postgres_url)
    postgres.execute(f"ALTER DATABASE {sa.make_url(postgres_url).database} SET default_transaction_read_only = on")
    async with opened(postgres_url) as store:
        with pytest.raises(Overloaded):
            await store.put_order("a", order(), placed_at_given=True)
        assert await store.orders_after(0, limit=1) == []


async def test_until_the_schema_is_up_to_date_every_call_is_overloaded(database_url):
    store = Store(database_url)
    await store.open(migrate=False)
    await every_call_is_overloaded(store)
    await migrate(database_url)
    await until_it_is_back(store)
    await store.close()


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "mysql://localhost/voice", "nonsense", ""])
def test_a_database_that_keeps_nothing_is_refused_by_name(url):
    with pytest.raises(ValueError, match=r"^DATABASE_URL: "):
        Store(url)
