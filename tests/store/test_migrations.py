import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from errors import RefreshTokenNotValid
from settings import ROOT
from tests.store.samples import make_order
from voice.recommend.past_orders import CountsSnapshot
from voice.store.connection import connect
from voice.store.migrations import alembic_config, migrate
from voice.store.store import Store
from voice.store.tables import metadata

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
    """Return all revisions, oldest first."""
    return reversed([script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()])


def tables(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


async def test_the_migrations_make_the_tables_of_the_code(database_url):
    await migrate(database_url)
    assert await on(database_url, lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)) == []


async def test_each_migration_can_be_applied_reverted_and_applied_again(database_url):
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


async def test_orders_survive_reverting_and_applying_migrations(database_url):
    """Refresh tokens, fits and snapshots are deleted with their tables: clients sign in again, and fits are made again."""
    store = Store(database_url)
    await store.open(migrate=True)
    put, later = make_order(), datetime.now(UTC) + timedelta(days=1)
    await store.put_order("a", put, placed_at_given=True)
    await store.begin_family("a", UUID(int=1), "t0", later)
    await store.save_fit("a", "cafe", 400, b"fitted")
    await store.save_snapshots([CountsSnapshot("a", "cafe", 1, b"counts")], since=0)
    await store.close()
    await downgrade(database_url, next(revisions()))
    await store.open(migrate=True)
    assert await store.get_order("a", UUID(put["order_id"])) == put
    assert await store.put_order("a", put, placed_at_given=True) == (put, False)
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(UUID(int=1), "t0", "t1", later)
    await store.begin_family("a", UUID(int=1), "t0", later)
    assert (await store.get_fit("a", "cafe", after=0), await store.snapshot_sequences()) == (None, {})
    await store.close()


OPEN = """
import asyncio, sys
from voice.store.store import Store
async def run():
    print("here", flush=True)
    sys.stdin.readline()
    store = Store(sys.argv[1])
    await store.open(migrate=True)
    await store.ping()
    await store.close()
asyncio.run(run())
"""


async def test_processes_that_start_at_the_same_time_migrate_once(database_url):
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, database_url, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=ROOT)
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        await process.stdout.readline()
    outcomes = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [(process.returncode, log) for process, (_, log) in zip(processes, outcomes, strict=True)] == [(0, b"")] * 3


async def test_connections_that_open_a_new_file_at_the_same_time_wait_for_one_another(tmp_path):
    async def select(path):
        engine = connect(f"sqlite+aiosqlite:///{path}")
        async with engine.connect() as connection:
            assert await connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        await engine.dispose()

    for number in range(50):
        await asyncio.gather(*(select(tmp_path / f"{number}.db") for _ in range(4)))


async def test_a_failing_migration_does_not_change_the_schema(database_url):
    """The second migration fails after the first, as its table exists."""
    first, second, *_ = revisions()
    await migrate(database_url, first)
    await on(database_url, lambda connection: connection.exec_driver_sql("CREATE TABLE refresh_tokens (other INTEGER)"))
    await downgrade(database_url, "base")
    with pytest.raises(sa.exc.DBAPIError):
        await migrate(database_url, second)
    assert "orders" not in await on(database_url, tables)


async def test_a_schema_of_a_newer_release_is_served(database_url):
    """In a rolling update the database is migrated before the last old process has ended."""
    await migrate(database_url)
    await on(database_url, lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'newer'"))
    store = Store(database_url)
    await store.open(migrate=False)
    await store.ping()
    await store.close()
