"""A round-robin load balancer for tests: each connection goes to the next ready server, without retries."""

import asyncio
import contextlib
from typing import Self

POLL_S = 0.1
CHUNK_BYTES = 65536
READY = b"GET /readiness HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n"


class Balancer:
    """Forwards the connections to its port to servers whose readiness is 200, as an orchestrator's service does."""

    def __init__(self) -> None:
        self.backends: list[int] = []
        self.ready: list[int] = []
        self.port = 0
        self._n_connections = 0
        self._forwarding: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0, backlog=1000)
        self.port = self._server.sockets[0].getsockname()[1]
        self._polling = asyncio.ensure_future(self._poll())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in (self._polling, *self._forwarding):
            task.cancel()
        await asyncio.gather(self._polling, *self._forwarding, return_exceptions=True)

    async def until_ready(self, port: int, within_s: float = 60) -> None:
        async with asyncio.timeout(within_s):
            while port not in self.ready:  # noqa: ASYNC110 - the polling task sets it
                await asyncio.sleep(0.02)

    async def _poll(self) -> None:
        while True:
            backends = self.backends  # a copy: the test may add servers while these are polled
            are_ready = await asyncio.gather(*(self._is_ready(port) for port in backends))
            self.ready = [port for port, is_ready in zip(backends, are_ready, strict=True) if is_ready]
            await asyncio.sleep(POLL_S)

    async def _is_ready(self, port: int) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                with contextlib.closing(writer):
                    writer.write(READY)
                    return (await reader.read()).startswith(b"HTTP/1.1 200 ")
        return False

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._forwarding.add(task)
        self._n_connections += 1
        writers = [writer]
        try:
            # Without a ready server, or when it ended, the client's connection is closed.
            with contextlib.suppress(OSError, IndexError):
                replies, backend = await asyncio.open_connection("127.0.0.1", self.ready[self._n_connections % max(1, len(self.ready))])
                writers.append(backend)
                await asyncio.gather(self._copy(reader, backend), self._copy(replies, writer))
        finally:
            for each in writers:
                each.close()
            self._forwarding.discard(task)

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(CHUNK_BYTES):
                writer.write(chunk)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
