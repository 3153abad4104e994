"""A real server process, for tests and benches."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent


class Server:
    """A server in a process of its own, with the environment of this one; `stop` ends it."""

    def __init__(self, directory: Path, environment: dict[str, str], program: str | None = None, out: int | None = None) -> None:
        """`program` is run in place of app.py; `out` is a descriptor that takes the log in place of a file."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = directory / f"server-{self.port}.log"
        own = {
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite+aiosqlite:///{directory}/voice.db",
            # No test here speaks to a server process, and loading the models takes longer than all that they do.
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

    def wait_until(self, condition: Any, within_s: float = 60) -> None:
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
