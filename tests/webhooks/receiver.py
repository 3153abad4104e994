"""A receiver of webhooks: a real HTTP server that records what it gets; and deliveries to it, with short gaps."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry
from standardwebhooks import Webhook

from voice.store.store import Store
from voice.webhooks import deliveries
from voice.webhooks.addresses import Networks
from voice.webhooks.sender import Sender

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
        self.connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.answer: Callable[[Got], str | None] = lambda _: "204 No Content"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.connections[task] = writer
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

    async def close(self) -> None:
        """Close the connections."""
        for writer in self.connections.values():
            writer.close()
        await asyncio.gather(*self.connections, return_exceptions=True)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/orders?shop=7"
    try:
        yield receiver
    finally:
        server.close()
        await receiver.close()


@asynccontextmanager
async def delivering(store: Store, urls: dict[str, str], *, attempt_s: float = 0.3, **options: Any) -> AsyncIterator[CollectorRegistry]:
    """Deliver from the store to URLs by client; yield the metrics."""
    registry = CollectorRegistry()
    times: dict[str, Any] = {"gaps_s": (0.05,) * 3, "first_pause_s": 0.05, "poll_s": 0.02} | options
    receivers = {client: deliveries.Receiver(url, (b"0123456789abcdef0123456789abcdef",)) for client, url in urls.items()}
    running = deliveries.Deliveries(receivers, Sender(Networks(["127.0.0.0/8"]), attempt_s=attempt_s), registry, **times)
    following = asyncio.create_task(running.follow(store))
    try:
        yield registry
    finally:
        await running.close()
        await asyncio.wait_for(following, 5)
