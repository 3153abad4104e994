"""A receiver of webhooks: a real HTTP server that records what it gets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from typing import Any, NamedTuple

from standardwebhooks import Webhook

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Got(NamedTuple):
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str = SECRET) -> Any:
        """Return the payload; raise WebhookVerificationError unless the library accepts the signature."""
        Webhook(secret).verify(self.body, self.headers)
        return json.loads(self.body)


class Receiver:
    """`answer(got)` returns the status line and further headers, or None to hang until the connection ends."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.url = ""
        self.connections: set[asyncio.Task[None]] = set()
        self.answer: Callable[[Got], str | None] = lambda _: "204 No Content"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)
        with suppress(asyncio.IncompleteReadError, ConnectionError), closing(writer):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
                got = Got(headers, await reader.readexactly(int(headers["content-length"])))
                self.got.append(got)
                answer = self.answer(got)
                if answer is None:
                    await reader.read()
                    return
                writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n".encode())

    async def received(self, count: int, within_s: float = 10) -> list[Got]:
        """Wait until so many requests came."""
        async with asyncio.timeout(within_s):
            while len(self.got) < count:  # noqa: ASYNC110 - a connection sets it
                await asyncio.sleep(0.01)
        return self.got


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/orders?shop=7"
    try:
        yield receiver
    finally:
        server.close()
        for task in receiver.connections.copy():
            task.cancel()
        await asyncio.gather(*receiver.connections, return_exceptions=True)
