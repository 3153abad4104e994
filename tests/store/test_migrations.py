import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from errors import RefreshTokenNotValid
from schemas import StoredOrder
from settings import ROOT
from voice.store.database import alembic_config, connect, metadata, migrate
from voice.store.orders import Counted, Store

pytestmark = pytest.mark.anyio


async def on(url: str, act: Callable[[sa.Connection], Any]) -> Any:
    engine = connect(url)
    async with engine.begin() as connection:
        outcome = await connection.run_sync(act)
    await engine.dispose()
    return outcome


async def downgrade(url: str, revision: str) -> None:
    config = alembic_config()

    def run(connection: sa.Connection) -> None:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)

    engine = connect(url)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


def revisions() -> Iterator[str]:
    """All of them, the first first."""
    return reversed([script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()])


def tables(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def an_order() -> StoredOrder:
    return {
        "order_id": str(uuid4()),
        "menu": "cafe",
        "lines": [],
        "total": 0,
        "currency": "VND",
        "customer_id": None,
        "placed_at": "2026-11-22T10:00:00Z",
    }


async def test_the_migrations_make_the_tables_that_the_code_means(database_url):
    await migrate(database_url)
    assert await on(database_url, lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)) == []


async def test_each_migration_goes_forward_back_and_forward_again(database_url):
    before = None
    for revision in revisions():
        await migrate(database_url, revision)
        made = await on(database_url, tables)
        if before:
            await downgrade(database_url, before)
            await migrate(database_url, revision)
            assert await on(database_url, tables) == made
        before = revision
    await downgrade(database_url, "base")
    assert await on(database_url, tables) <= {"alembic_version", "sqlite_sequence"}
    await migrate(database_url)


async def test_what_is_stored_stays_when_migrations_are_taken_back_and_applied_again(database_url):
    """Orders stay. Refresh tokens go with their table: their clients sign in again. What was learned is learned again."""
    store = Store(database_url)
    await store.open(migrate=True)
    put, later = an_order(), datetime.now(UTC) + timedelta(days=1)
    await store.put_order("a", put, placed_at_given=True)
    await store.begin_family("a", UUID(int=1), "t0", later)
    await store.keep_fit("a", "cafe", 400, b"fitted")
    await store.keep_counts([Counted("a", "cafe", 1, b"counted")], since=0)
    await store.close()
    await downgrade(database_url, next(revisions()))
    await store.open(migrate=True)
    assert await store.get_order("a", UUID(put["order_id"])) == put
    assert await store.put_order("a", put, placed_at_given=True) == (put, False)
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(UUID(int=1), "t0", "t1", later)
    await store.begin_family("a", UUID(int=1), "t0", later)
    assert (await store.get_fit("a", "cafe", after=0), await store.counted_sequences()) == (None, {})
    await store.close()


OPEN = """
import asyncio, sys
from voice.store.orders import Store
async def run():
    print("here", flush=True)
    sys.stdin.readline()
    store = Store(sys.argv[1])
    await store.open(migrate=True)
    await store.ping()
    await store.close()
asyncio.run(run())
"""


async def test_processes_that_start_at_once_migrate_once(database_url):
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, database_url, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=ROOT)
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        await process.stdout.readline()
    outcomes = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [(process.returncode, log) for process, (_, log) in zip(processes, outcomes, strict=True)] == [(0, b"")] * 3


async def test_connections_that_open_a_new_file_at_once_wait_for_one_another(tmp_path):
    async def select(path):
        engine = connect(f"sqlite+aiosqlite:///{path}")
        async with engine.connect() as connection:
            assert await connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        await engine.dispose()

    for number in range(50):
        await asyncio.gather(*(select(tmp_path / f"{number}.db") for _ in range(4)))


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(database_url):
    """Here the second one fails, after the first: a table is in its way."""
    first, second, *_ = revisions()
    await migrate(database_url, first)
    await on(database_url, lambda connection: connection.exec_driver_sql("CREATE TABLE refresh_tokens (other INTEGER)"))
    await downgrade(database_url, "base")
    with pytest.raises(sa.exc.DBAPIError):
        await migrate(database_url, second)
    assert "orders" not in await on(database_url, tables)


async def test_a_schema_of_a_newer_release_is_served(database_url):
    """While releases are exchanged one by one, the database is migrated before the last old process has gone."""
    await migrate(database_url)
    await on(database_url, lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'newer'"))
    store = Store(database_url)
    await store.open(migrate=False)
    await store.ping()
    await store.close()
