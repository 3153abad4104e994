"""The base of each part of the store: open and migrate a database, and run transactions that read or write."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from errors import Overloaded
from voice.store import migrations
from voice.store.connection import FAILURES, RETRY_S, connect, lock, overloaded_on_failure

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class Database:
    """A pool of connections. Until `open` has found the schema up to date, every call raises Overloaded."""

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        """`clock` returns the current time in UTC.

        Raises:
            ValueError: the URL does not name a supported, durable database.

        """
        self._url = url
        self._clock = clock
        self._engine = connect(url)
        self._is_ready = False
        self._preparing: asyncio.Task[None] | None = None

    async def open(self, *, migrate: bool) -> None:
        """Prepare the database; with `migrate`, upgrade the schema first. If the database fails, retry in the background."""
        try:
            await self._prepare(migrate=migrate)
        except Overloaded:
            self._preparing = asyncio.create_task(self._retry_preparing(migrate=migrate))

    async def _prepare(self, *, migrate: bool) -> None:
        if migrate:
            await self._migrate()
        async with overloaded_on_failure(), self._engine.connect() as connection:
            if await connection.run_sync(migrations.is_behind):
                log.error("the database's schema is behind: run `make migrate`")
                message = "The database is being prepared; try again."
                raise Overloaded(RETRY_S, message)
        self._is_ready = True

    async def _migrate(self) -> None:
        try:
            await migrations.migrate(self._url)
        except FAILURES as error:
            log.warning("the migration failed", extra={"cause": f"{type(error).__name__}: {error}"})
            raise Overloaded(RETRY_S) from error

    async def _retry_preparing(self, *, migrate: bool) -> None:
        while not self._is_ready:
            await asyncio.sleep(RETRY_S)
            try:
                await self._prepare(migrate=migrate)
            except Overloaded:
                continue
            except Exception:
                log.exception("the database cannot be prepared")

    async def close(self) -> None:
        """Close all connections."""
        if self._preparing is not None:
            self._preparing.cancel()
            with suppress(asyncio.CancelledError):
                await self._preparing
        await self._engine.dispose()

    async def ping(self) -> None:
        """Run a trivial query.

        Raises:
            Overloaded: the database does not answer, or its schema is not up to date.

        """
        async with self._reading() as connection:
            await connection.execute(sa.select(1))

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        self._check_ready()
        async with overloaded_on_failure(), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def _writing(self, key: int) -> AsyncIterator[AsyncConnection]:
        """Run one transaction under a write lock; commit it at the end."""
        self._check_ready()
        async with overloaded_on_failure(), self._engine.begin() as connection:
            await connection.run_sync(lock, key)
            yield connection

    def _check_ready(self) -> None:
        if not self._is_ready:
            message = "The database is being prepared; try again."
            raise Overloaded(RETRY_S, message)
