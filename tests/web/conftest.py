import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tests.servers import Server, program_with
from web.http_protocol import HttpProtocol
from web.server_limits import DEFAULT_LIMITS, ServerLimits
from web.websocket_protocol import WebSocketProtocol

LENGTH = (b"content-length", b"5")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A server for the tests that leave it as it was."""
    server = Server(tmp_path_factory.mktemp("server"), {})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A server with short deadlines."""
    server = Server(tmp_path_factory.mktemp("quick"), {}, program_with(head_deadline_s=1, keep_alive_s=1, write_deadline_s=1))
    yield server
    server.stop()


class Transport:
    """A transport in memory whose peer reads nothing."""

    def __init__(self) -> None:
        self.written = b""
        self.is_reading, self.is_closed, self.is_aborted = True, False, False
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def get_extra_info(self, *_: object) -> None:
        return None

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True


class Application:
    """An application that replies when `may_answer` is set, and counts its requests."""

    def __init__(self) -> None:
        self.n_started = 0
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.n_started += 1
        await receive()
        await self.may_answer.wait()
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        await send({"type": "http.response.start", "status": 200, "headers": [LENGTH]})
        await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
async def wire():
    """Return a function that connects a protocol with an application and a transport of the tests."""
    wired: list[tuple[Application, Transport]] = []

    def connect(limits: ServerLimits = DEFAULT_LIMITS, app: Any = None) -> tuple[HttpProtocol, Application, Transport]:
        application, transport = Application(), Transport()
        config = uvicorn.Config(
            app or application,
            http=HttpProtocol,
            ws=WebSocketProtocol,
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=limits.keep_alive_s,
        )
        config.load()
        transport.protocol = protocol = HttpProtocol(config, ServerState(), {}, limits=limits)
        protocol.connection_made(transport)
        wired.append((application, transport))
        return protocol, application, transport

    yield connect
    for application, transport in wired:
        application.may_answer.set()
        transport.protocol.connection_lost(None)
    await settle()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - of a transport, which sets no event
            await asyncio.sleep(0.001)


async def settle() -> None:
    """Run the event loop until it has nothing left to do."""
    for _ in range(2000):
        await asyncio.sleep(0)
