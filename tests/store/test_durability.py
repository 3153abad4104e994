import asyncio
import resource
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa

from settings import ROOT
from tests.store.samples import expect_each_once, opened, select
from voice.store.connection import connect

pytestmark = pytest.mark.anyio


async def test_sqlite_flushes_its_log_before_a_commit_is_acknowledged(sqlite_url):
    async with opened(sqlite_url):
        engine = connect(sqlite_url)
        async with engine.connect() as connection:
            found = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
        await engine.dispose()
    assert found == ["wal", 2]  # 2: FULL


async def test_postgresql_flushes_its_log_before_a_commit_is_acknowledged_even_if_configured_not_to(postgres, postgres_url):
    name = sa.make_url(postgres_url).database
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    assert await select(postgres_url, sa.select(sa.func.current_setting("synchronous_commit"))) == [("on",)]


CALLERS = """
import asyncio, resource, sys, uuid
from errors import Overloaded
from voice.store.store import Store

def order():
    return {"order_id": str(uuid.uuid4()), "menu": "cafe", "lines": [], "notes": [], "total": 0, "currency": "VND", "customer_id": None,
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
    """Start a process that stores orders as fast as it can and prints the ids of those acknowledged; end it by SIGKILL."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CALLERS, *arguments, stdout=PIPE, cwd=ROOT)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            yield process, process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_every_acknowledged_order_is_stored_once_after_the_process_was_killed(database_url):
    acknowledged: set[str] = set()
    for round_ in range(1, 6):
        goal = len(acknowledged) + 100 + 17 * round_
        async with eight_callers(database_url) as (process, output):
            async for written in output:  # to the end: all that it acknowledged
                acknowledged.add(written.decode().strip())
                if len(acknowledged) == goal:
                    process.kill()
        assert len(acknowledged) >= goal
        await expect_each_once(database_url, acknowledged)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits the files of a running process")
async def test_while_the_disk_is_full_writes_are_overloaded_and_afterwards_they_succeed(sqlite_url):
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
