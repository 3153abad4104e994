"""The events of orders, and the outbox that keeps them until they are delivered."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

import orjson

from schemas import StoredOrder
from voice.tracing import Trace


class EventType(StrEnum):
    """What happened to an order."""

    STORED = "order.stored"
    CANCELLED = "order.cancelled"


class Event(NamedTuple):
    """An event that this process has claimed; `n_attempts` includes the one that begins."""

    sequence: int
    event_id: UUID
    client: str
    body: bytes
    trace: Trace | None  # of the request
    created_at: datetime
    n_attempts: int

    @property
    def name(self) -> str:
        """Return the id that receivers know the event by, the same at each attempt."""
        return f"evt_{self.event_id.hex}"


class Settled(NamedTuple):
    """The end of an attempt: delivered (`due_at` None), to be retried at `due_at`, or given up."""

    event: Event
    due_at: datetime | None
    is_given_up: bool = False


class Outbox(Protocol):
    """A store of events, which several processes share; each call raises Overloaded when it does not answer."""

    async def due_clients(self, clients: Collection[str]) -> Sequence[str]:
        """Return those of the clients that have due events."""

    async def claim_events(self, client: str, *, limit: int) -> Sequence[Event]:
        """Claim due events for one attempt, oldest first, never two of one order; other processes leave them alone meanwhile."""

    async def settle_events(self, settled: Sequence[Settled]) -> None:
        """End attempts. An event that another process has claimed since is left alone."""

    async def oldest_event(self, clients: Collection[str]) -> datetime | None:
        """Return the time of the clients' oldest event that is neither delivered nor given up."""


def event_body(event_type: EventType, at: str, order: StoredOrder) -> bytes:
    """Return the body of a webhook, which is signed and sent as these bytes. `at`: UTC, whole seconds.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (payload structure)
    """
    return orjson.dumps({"type": event_type, "timestamp": at, "data": order})
