"""Print how many acknowledged orders are lost by kill -9 of the service, kill -9 of PostgreSQL, and a power cut.

    .venv/bin/python -m bench.durability [--parts kill-sqlite,kill-postgresql,database,power] [--rounds 10] [--orders 2000]

`kill-sqlite` and `kill-postgresql` kill a real server that stores in the named database, `database` kills PostgreSQL under a real server.
`power` needs root and Linux: it stores on a separate file system and discards the unwritten pages; a control with weaker settings shows
that such a cut loses orders.
"""

import argparse
import asyncio
import contextlib
import fcntl
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from uuid import uuid4

import httpx
import sqlalchemy as sa

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.databases import Postgres  # noqa: E402 - the path is set above
from voice.menus.loading import read_menu  # noqa: E402
from voice.store.connection import connect  # noqa: E402
from voice.store.migrations import migrate  # noqa: E402
from voice.store.tables import orders  # noqa: E402

CALLERS = 8
# linux/fs.h and fs/ext4: _IOR('X', 125, __u32) with "do not flush the journal" discards unflushed pages, as a power cut does.
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class Server:
    """The service in a separate process."""

    def __init__(self, database_url: str, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {"ENVIRONMENT": "TESTING", "PORT": str(self.port), "DATABASE_URL": database_url, "ACCESS_LOG": "off"}
        # No audio is sent, and loading the models takes longer than the measurement.
        settings |= {"RATE_LIMIT": "1000000/second", "SPEECH_MODEL": "/nonexistent", "SPEECH_MODEL_VI": "/nonexistent"}
        self._environment = os.environ | settings
        self._log = directory / "server.log"
        self.start()

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=self._environment, stdout=log, stderr=log)
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{self.port}/healthcheck")
                return
            if self.process.poll() is not None:
                sys.exit(self._log.read_text()[-3000:])
            time.sleep(0.05)

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the process."""
        self.kill()

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.process.kill()
        self.process.wait()


class Callers:
    """Eight callers that store orders and retry each until it is acknowledged."""

    def __init__(self, port: int, goal: int | None) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/voice/order/"
        self._left = goal
        menu = read_menu(next(iter(sorted((ROOT / "menus").glob("*.yaml")))))
        self._body = {"menu": menu.id, "lines": [{"item": next(iter(menu.items)), "quantity": 2}]}
        self.acknowledged: list[str] = []
        self.answers: Counter[str] = Counter()
        self.slowest_s = 0.0

    async def run(self) -> None:
        """Store until the goal is reached or `stop` is called."""
        async with httpx.AsyncClient(headers={"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}, timeout=30) as client:
            await asyncio.gather(*(self._call(client) for _ in range(CALLERS)))

    def stop(self) -> None:
        """End after the present requests."""
        self._left = 0

    async def _call(self, client: httpx.AsyncClient) -> None:
        while self._left is None or self._left > 0:
            if self._left is not None:
                self._left -= 1
            order_id = str(uuid4())
            while True:
                began_s = time.monotonic()
                try:
                    answer = str((await client.put(self._url + order_id, json=self._body)).status_code)
                except httpx.TransportError:
                    answer = "cut off"
                self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
                self.answers[answer] += 1
                if answer in ("200", "201"):
                    self.acknowledged.append(order_id)
                    break
                await asyncio.sleep(0.05)


async def stored_in(url: str) -> Counter[str]:
    """Count the rows by order id."""
    engine = connect(url, statement_s=None)
    async with engine.connect() as connection:
        rows = await connection.execute(sa.select(orders.c.order_id))
        stored = Counter(str(row.order_id) for row in rows)
    await engine.dispose()
    return stored


def compared(acknowledged: list[str], stored: Counter[str]) -> str:
    """Return the numbers of orders acknowledged, lost, and stored twice."""
    lost = sum(order_id not in stored for order_id in acknowledged)
    return f"{len(acknowledged):5} acknowledged, {lost} lost, {sum(count > 1 for count in stored.values())} twice"


async def until_acknowledged(callers: Callers, count: int) -> None:
    """Wait until `count` orders are acknowledged in all."""
    while len(callers.acknowledged) < count:  # noqa: ASYNC110 - the callers set no event
        await asyncio.sleep(0.002)


async def kill_the_service(name: str, url: str, directory: Path, rounds: int, count: int) -> None:
    """Kill the service at a random time in each round."""
    for round_ in range(1, rounds + 1):
        with Server(url, directory) as server:
            before = set(await stored_in(url))
            callers = Callers(server.port, count)
            storing = asyncio.create_task(callers.run())
            await until_acknowledged(callers, random.randint(count // 10, count * 9 // 10))  # noqa: S311 - a moment, no secret
            server.kill()
            killed = compared(list(callers.acknowledged), await stored_in(url))
            await asyncio.to_thread(server.start)
            await storing
        stored = await stored_in(url)
        extra = len(set(stored) - before - set(callers.acknowledged))
        at_the_end = f"at the end {compared(callers.acknowledged, stored)}, {extra} unknown"
        print(f"kill -9, {name}, round {round_:2}: when killed {killed}; {at_the_end}", flush=True)


async def kill_the_database(postgres: Postgres, url: str, directory: Path, rounds: int) -> None:
    """Kill PostgreSQL in each round while orders are stored."""
    with Server(url, directory) as server:
        callers = Callers(server.port, None)
        storing = asyncio.create_task(callers.run())
        for round_ in range(1, rounds + 1):
            await until_acknowledged(callers, len(callers.acknowledged) + 200)
            await asyncio.to_thread(postgres.kill)
            await asyncio.sleep(1)
            await asyncio.to_thread(postgres.start)
            back_s = time.monotonic()
            await until_acknowledged(callers, len(callers.acknowledged) + 1)
            print(
                f"PostgreSQL killed, round {round_}: next order acknowledged {time.monotonic() - back_s:.2f} s after it was back",
                flush=True,
            )
        callers.stop()
        await storing
    stored = compared(callers.acknowledged, await stored_in(url))
    answers = ", ".join(f"{answer}: {count}" for answer, count in sorted(callers.answers.items()))
    print(f"PostgreSQL killed: {stored}; answers {answers}; slowest {callers.slowest_s:.1f} s")


# --- Power cut ----------------------------------------------------------------------------------------------------------------------

STORING = """
import asyncio, sys, uuid
import sqlalchemy as sa
from voice.store.store import Store

async def caller(store):
    while True:
        put = {"order_id": str(uuid.uuid4()), "menu": "m", "lines": [], "total": 0, "currency": "VND", "customer_id": None,
               "placed_at": "2026-11-22T10:00:00Z"}
        stored, _ = await store.put_order("a", put, placed_at_given=True)
        print(stored["order_id"], flush=True)

def weaken(connection, _):
    cursor = connection.cursor()
    cursor.execute(sys.argv[2])
    cursor.close()

async def run():
    store = Store(sys.argv[1])
    if len(sys.argv) > 2:
        sa.event.listen(store._engine.sync_engine, "connect", weaken)
    await store.open(migrate=True)
    await asyncio.gather(*(caller(store) for _ in range(8)))

asyncio.run(run())
"""


class Disk:
    """A file system in an image file, whose unflushed pages can be discarded."""

    def __init__(self, directory: Path) -> None:
        self._image, self.path = directory / "image", directory / "disk"
        self.path.mkdir()
        with self._image.open("wb") as image:
            image.truncate(512 * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", self._image], check=True)  # noqa: S603, S607
        self.mount()

    def mount(self) -> None:
        """Mount the image; the file system replays its journal."""
        subprocess.run(["mount", "-o", "loop", self._image, self.path], check=True, capture_output=True)  # noqa: S603, S607

    def cut(self) -> None:
        """Discard all unflushed pages and prevent further writes."""
        root = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(root, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(root)

    def unmount(self) -> None:
        """Unmount the image."""
        subprocess.run(["umount", self.path], check=True, capture_output=True)  # noqa: S603, S607


@contextlib.contextmanager
def a_disk() -> Iterator[Disk]:
    """Mount a new disk, and unmount it at the end."""
    with tempfile.TemporaryDirectory(prefix="power-") as directory:
        disk = Disk(Path(directory))
        disk.path.parent.chmod(0o755)
        try:
            yield disk
        finally:
            disk.unmount()


async def store_until_cut(disk: Disk, count: int, *arguments: str) -> list[str]:
    """Store on a disk until `count` orders are acknowledged, then cut its power."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STORING, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    acknowledged: list[str] = []
    assert process.stdout is not None  # noqa: S101 - for the type checker
    async for line in process.stdout:
        acknowledged.append(line.decode().strip())
        if len(acknowledged) == count:
            disk.cut()
            process.kill()
    await process.wait()
    return acknowledged


async def cut_the_power(count: int) -> None:
    """Cut the power of both databases with their usual settings, and as a control without flushing."""
    for note, weaker in (("usual settings", []), ("control, synchronous=NORMAL", ["PRAGMA synchronous=NORMAL"])):
        with a_disk() as disk:
            url = f"sqlite+aiosqlite:///{disk.path}/voice.db"
            await migrate(url)
            os.sync()
            acknowledged = await store_until_cut(disk, count, url, *weaker)
            disk.unmount()
            disk.mount()
            print(f"power cut, sqlite, {note}: {compared(acknowledged, await stored_in(url))}")
    for note, fsync in (("usual settings", "on"), ("control, fsync=off", "off")):
        with a_disk() as disk:
            home = disk.path / "postgres"
            home.mkdir()
            postgres = Postgres(home)
            postgres.start()
            await migrate(postgres.url())
            postgres.execute(f"ALTER SYSTEM SET fsync = {fsync}")
            postgres.execute("SELECT pg_reload_conf()")
            os.sync()
            acknowledged = await store_until_cut(disk, count, postgres.url())
            postgres.kill()
            disk.unmount()
            disk.mount()
            postgres.start()
            print(f"power cut, postgresql, {note}: {compared(acknowledged, await stored_in(postgres.url()))}")
            postgres.kill()


async def run(parts: list[str], rounds: int, count: int) -> None:
    """Run the named parts."""
    with tempfile.TemporaryDirectory(prefix="durability-") as directory:
        os.chmod(directory, 0o755)  # noqa: PTH101, S103 - PostgreSQL runs as another user
        home = Path(directory) / "postgres"
        home.mkdir()
        postgres = Postgres(home)
        postgres.start()
        try:
            for name, url in (("sqlite", f"sqlite+aiosqlite:///{directory}/voice.db"), ("postgresql", postgres.url())):
                if f"kill-{name}" in parts:
                    await migrate(url)
                    await kill_the_service(name, url, Path(directory), rounds, count)
            if "database" in parts:
                await migrate(postgres.url())
                await kill_the_database(postgres, postgres.url(), Path(directory), rounds // 2)
        finally:
            postgres.stop()
    if "power" in parts:
        if os.geteuid() == 0 and sys.platform == "linux":
            await cut_the_power(count)
        else:
            print("power cut: skipped, it needs root and Linux")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", default="kill-sqlite,kill-postgresql,database,power")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--orders", type=int, default=2000)
    arguments = parser.parse_args()
    asyncio.run(run(arguments.parts.split(","), arguments.rounds, arguments.orders))


if __name__ == "__main__":
    main()
