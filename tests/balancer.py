"""A plain balancer for tests: each connection goes to the next server whose readiness answers 200; nothing is tried twice."""

import asyncio
import contextlib
from typing import Self

LOOK_S = 0.1
CHUNK_BYTES = 65536
READY = b"GET /readiness HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n"


class Balancer:
    """Listens on a port of its own and passes connections on, as an orchestrator's service does."""

    def __init__(self) -> None:
        self.backends: list[int] = []
        self.ready: list[int] = []
        self.port = 0
        self._turn = 0
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, backlog=1000)
        self.port = self._server.sockets[0].getsockname()[1]
        self._looking = asyncio.ensure_future(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in (self._looking, *self._passing):
            task.cancel()
        await asyncio.gather(self._looking, *self._passing, return_exceptions=True)

    async def until_ready(self, port: int, within_s: float = 60) -> None:
        async with asyncio.timeout(within_s):
            while port not in self.ready:  # noqa: ASYNC110 - looked after elsewhere
                await asyncio.sleep(0.02)

    async def _look(self) -> None:
        while True:
            backends = self.backends  # as they are now: others may be named while these are asked
            answers = await asyncio.gather(*(self._is_ready(port) for port in backends))
            self.ready = [port for port, is_ready in zip(backends, answers, strict=True) if is_ready]
            await asyncio.sleep(LOOK_S)

    async def _is_ready(self, port: int) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                with contextlib.closing(writer):
                    writer.write(READY)
                    return (await reader.read()).startswith(b"HTTP/1.1 200 ")
        return False

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        self._turn += 1
        writers = [writer]
        try:
            # Where nobody is ready, or the server is gone, the caller sees a closed connection.
            with contextlib.suppress(OSError, IndexError):
                answers, backend = await asyncio.open_connection("127.0.0.1", self.ready[self._turn % max(1, len(self.ready))])
                writers.append(backend)
                await asyncio.gather(self._copy(reader, backend), self._copy(answers, writer))
        finally:
            for each in writers:
                each.close()
            self._passing.discard(task)

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(CHUNK_BYTES):
                writer.write(chunk)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
