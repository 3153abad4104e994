"""A real server process and plain connections to it, for tests and benches."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).parent.parent


def program_with(**limits: float) -> str:
    """Return a program for `Server` that serves with other `ServerLimits`."""
    return (
        "from settings import Settings, read_settings; from web import server; from web.server_limits import ServerLimits; "
        f"server.run('app:app', read_settings(Settings), ServerLimits(**{limits}))"
    )


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Server:
    """A server in its own process, with the environment of this one; `stop` ends it."""

    def __init__(self, directory: Path, environment: dict[str, str], program: str | None = None, out: int | None = None) -> None:
        """`program`: Python code to run in place of app.py. `out`: a descriptor for the log in place of a file."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = directory / f"server-{self.port}.log"
        own = {
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite+aiosqlite:///{directory}/voice.db",
            # Tests that send speech set the models themselves; loading them takes longer than the other tests.
            "SPEECH_MODEL": "/nonexistent",
            "SPEECH_MODEL_VI": "/nonexistent",
        }
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - ours
                [sys.executable, "app.py"] if program is None else [sys.executable, "-c", program],
                cwd=ROOT,
                env=dict(os.environ) | own | environment,
                stdout=log if out is None else out,
                stderr=subprocess.STDOUT,
            )
        self.wait_until(lambda: httpx.get(f"{self.url}/healthcheck").status_code == 200)

    def wait_until(self, condition: Any, within_s: float = 120) -> None:
        deadline = time.monotonic() + within_s
        while True:
            with contextlib.suppress(httpx.TransportError):
                if condition():
                    return
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def log(self) -> str:
        return self.log_path.read_text()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


class Connection:
    """A plain socket to a server."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 30)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> bytes:
        """Read until the server closes."""
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while data := self.socket.recv(65536):
                received += data
        return received

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
