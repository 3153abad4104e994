"""Record turns in the background: a turn never waits for the database."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from errors import Overloaded
from schemas import Order
from voice.dialog.state import State
from voice.review.kept import Kept, kept

log = logging.getLogger(__name__)

MAX_WAITING: Final = 10_000  # records of some KB; more are dropped while the database does not answer
MAX_BATCH: Final = 500
WRITE_EVERY_S: Final = 1.0
FORGET_EVERY_S: Final = 3600.0


class Keeping(Protocol):
    """Where records are kept: `voice.store.store.Store`."""

    async def keep_utterances(self, kept: Sequence[Kept]) -> None:
        """Store records."""

    async def forget_utterances(self, before: datetime) -> int:
        """Delete the records of what was said before a time."""


class Recorder:
    """Keeps turns for some days; with 0 days it keeps none, and deletes those that were kept before."""

    def __init__(self, store: Keeping, days: int, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`clock` returns the current time in UTC."""
        self._store, self._days, self._clock = store, days, clock
        self._waiting: deque[Kept] = deque()  # appended to by any thread
        self._is_dropping = False

    def record(self, client: str, utterance: str, before: State, order: Order) -> None:
        """Record a turn soon; an empty utterance, and anything while too many wait, is not kept."""
        if not self._days or not utterance.strip():
            return
        if len(self._waiting) >= MAX_WAITING:
            if not self._is_dropping:
                log.warning("utterances are not kept: the database does not answer")
            self._is_dropping = True
            return
        self._is_dropping = False
        self._waiting.append(kept(client, utterance, before, order, self._clock().replace(microsecond=0)))

    async def follow(self) -> None:
        """Write what waits and delete what has expired, until cancelled.

        Raises:
            Overloaded: the database does not answer; call again.

        """
        while True:
            await self.forget()
            for _ in range(int(FORGET_EVERY_S / WRITE_EVERY_S)):
                await self.write()
                await asyncio.sleep(WRITE_EVERY_S)

    async def forget(self) -> None:
        """Delete what has expired.

        Raises:
            Overloaded: it is not deleted, or that is unknown.

        """
        await self._store.forget_utterances(self._clock() - timedelta(days=self._days))

    async def write(self) -> None:
        """Write what waits.

        Raises:
            Overloaded: some of it still waits.

        """
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
            try:
                await self._store.keep_utterances(batch)
            except Overloaded:
                self._waiting.extendleft(reversed(batch))
                raise

    async def close(self) -> None:
        """Write what waits, if the database answers."""
        try:
            await self.write()
        except Overloaded:
            log.warning("utterances were not kept: the database does not answer", extra={"count": len(self._waiting)})
