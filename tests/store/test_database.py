"""The store while its database is away, hanging, locked or read-only."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from errors import Overloaded
from tests.databases import Postgres
from tests.store.samples import LATER, expect_each_once, make_order, opened
from voice.store.migrations import migrate
from voice.store.store import Store

pytestmark = pytest.mark.anyio

FAMILY = UUID(int=1)


async def every_call_is_overloaded(store: Store) -> None:
    """Each call ends within a deadline."""
    calls: list[Any] = [
        store.ping(),
        store.put_order("a", make_order(), placed_at_given=True),
        store.get_order("a", uuid4()),
        store.orders_after(0, limit=10),
        store.begin_family("a", FAMILY, uuid4().hex, LATER),
        store.rotate(FAMILY, "t0", "t1", LATER),
    ]
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Overloaded}, outcomes
    assert all(cast("Overloaded", outcome).headers == {"Retry-After": "1"} for outcome in outcomes)


async def until_it_recovers(store: Store) -> None:
    """Store an order, retrying as callers do."""
    put = make_order()
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
        before, during = make_order(), make_order()
        await store.put_order("a", before, placed_at_given=True)
        try:
            postgres.kill()
            await every_call_is_overloaded(store)
            with pytest.raises(Overloaded):
                await store.put_order("a", during, placed_at_given=True)
        finally:
            postgres.start()
        await until_it_recovers(store)
        assert await store.put_order("a", before, placed_at_given=True) == (before, False)
        assert await store.put_order("a", during, placed_at_given=True) == (during, True)


async def test_the_first_call_works_after_postgresql_was_restarted(postgres: Postgres, postgres_url):
    async with opened(postgres_url) as store:
        put = make_order()
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
        await until_it_recovers(store)


async def test_postgresql_may_come_up_after_the_service(postgres: Postgres, postgres_url):
    async with AsyncExitStack() as stack:
        postgres.kill()
        try:
            store = await stack.enter_async_context(opened(postgres_url))
            await every_call_is_overloaded(store)
        finally:
            postgres.start()
        await until_it_recovers(store)


async def test_no_order_is_lost_when_postgresql_is_killed_under_load(postgres: Postgres, postgres_url):
    acknowledged: list[Any] = []
    unexpected: list[BaseException] = []
    async with opened(postgres_url) as store:
        busy = True

        async def caller() -> None:
            while busy:
                put = make_order()
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
                while len(acknowledged) < goal:  # noqa: ASYNC110 - the callers set no event
                    await asyncio.sleep(0.01)

        callers = [asyncio.create_task(caller()) for _ in range(8)]
        for _ in range(2):
            await enough(50)
            try:
                await asyncio.to_thread(postgres.kill)
            finally:
                await asyncio.to_thread(postgres.start)
        await until_it_recovers(store)
        busy = False
        await asyncio.gather(*callers)
        assert not unexpected
        await expect_each_once(postgres_url, {put["order_id"] for put in acknowledged})


async def test_while_sqlite_is_locked_writes_are_overloaded_and_reads_go_on(sqlite_url):
    async with opened(sqlite_url) as store:
        put = make_order()
        await store.put_order("a", put, placed_at_given=True)
        other = sqlite3.connect(sa.make_url(sqlite_url).database or "", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        later = make_order()
        with pytest.raises(Overloaded):
            await store.put_order("a", later, placed_at_given=True)
        assert await store.get_order("a", UUID(put["order_id"])) == put
        other.execute("ROLLBACK")
        other.close()
        assert await store.put_order("a", later, placed_at_given=True) == (later, True)


async def test_a_database_that_is_read_only_is_overloaded_for_writes(sqlite_url):
    async with opened(sqlite_url) as store:
        put = make_order()
        await store.put_order("a", put, placed_at_given=True)
        read_only = Store(f"sqlite+aiosqlite:///file:{sa.make_url(sqlite_url).database}?mode=ro&uri=true")
        await read_only.open(migrate=False)
        with pytest.raises(Overloaded):
            await read_only.put_order("a", make_order(), placed_at_given=True)
        assert await read_only.get_order("a", UUID(put["order_id"])) == put
        await read_only.close()


async def test_a_postgresql_that_is_read_only_is_overloaded_for_writes(postgres, postgres_url):
    await migrate(postgres_url)
    postgres.execute(f"ALTER DATABASE {sa.make_url(postgres_url).database} SET default_transaction_read_only = on")
    async with opened(postgres_url) as store:
        with pytest.raises(Overloaded):
            await store.put_order("a", make_order(), placed_at_given=True)
        assert await store.orders_after(0, limit=1) == []


async def test_until_the_schema_is_up_to_date_every_call_is_overloaded(database_url):
    store = Store(database_url)
    await store.open(migrate=False)
    await every_call_is_overloaded(store)
    await migrate(database_url)
    await until_it_recovers(store)
    await store.close()


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "mysql://localhost/voice", "nonsense", ""])
def test_a_url_of_no_durable_database_is_rejected_with_the_setting_s_name(url):
    with pytest.raises(ValueError, match=r"^DATABASE_URL: "):
        Store(url)
