"""Store the events of orders until they are delivered.

`OrderStore` writes an event in the transaction of its order, so that none is lost and none is sent of an order that was not stored. A claim
counts an attempt and moves the event's due time to the end of the claim; the number of attempts tells a claim from a later one.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import sqlalchemy as sa

from schemas import StoredOrder
from voice.store.connection import OUTBOX_LOCK
from voice.store.database import Database
from voice.store.stored_orders import format_timestamp
from voice.store.tables import order_events
from voice.tracing import Trace, read_trace
from voice.webhooks.events import Event, EventType, Settled, event_body

# Longer than an attempt (15 s) and the settling after it, also where the clocks of two processes differ by half a minute.
CLAIM: Final = timedelta(seconds=60)
# Given-up events, and those of clients without a webhook, are deleted after this time; the orders stay.
KEPT: Final = timedelta(days=30)


class OutboxStore(Database):
    """Events of all clients."""

    async def due_clients(self, clients: Collection[str]) -> Sequence[str]:
        """Return those of the clients that have due events.

        Raises:
            Overloaded: the database does not answer.

        """
        table = order_events
        is_due = sa.and_(table.c.failed_at.is_(None), table.c.due_at <= self._clock())
        async with self._reading() as connection:
            found = await connection.execute(sa.select(table.c.client).distinct().where(is_due, table.c.client.in_(clients)))
        return [row.client for row in found]

    async def claim_events(self, client: str, *, limit: int) -> Sequence[Event]:
        """Claim a client's due events, oldest first; of an order only the first that is neither delivered nor given up.

        Raises:
            Overloaded: nothing is claimed, or that is unknown; then the claim ends by itself.

        """
        table, now = order_events, self._clock()
        earlier = table.alias()
        of_order = sa.and_(earlier.c.client == table.c.client, earlier.c.order_id == table.c.order_id)
        comes_later = sa.exists().where(of_order, earlier.c.sequence < table.c.sequence, earlier.c.failed_at.is_(None))
        is_due = sa.and_(table.c.client == client, table.c.failed_at.is_(None), table.c.due_at <= now)
        async with self._writing(OUTBOX_LOCK) as connection:
            await connection.execute(sa.delete(table).where(table.c.created_at < now - KEPT))
            statement = sa.select(table).where(is_due, ~comes_later).order_by(table.c.due_at, table.c.sequence).limit(limit)
            rows = (await connection.execute(statement)).all()
            claimed = sa.update(table).where(table.c.sequence.in_([row.sequence for row in rows]))
            await connection.execute(claimed.values(n_attempts=table.c.n_attempts + 1, due_at=now + CLAIM))
        return [
            Event(
                row.sequence,
                row.event_id,
                row.client,
                row.body,
                read_trace(row.traceparent or "", row.tracestate or ""),
                row.created_at,
                row.n_attempts + 1,
            )
            for row in rows
        ]

    async def settle_events(self, settled: Sequence[Settled]) -> None:
        """End attempts: delete delivered events, and set the due time of the others.

        Raises:
            Overloaded: the attempts are not ended, or that is unknown; then the events are sent again.

        """
        table = order_events
        delivered = [(event.sequence, event.n_attempts) for event, due_at, _ in settled if due_at is None]
        async with self._writing(OUTBOX_LOCK) as connection:
            is_delivered = sa.tuple_(table.c.sequence, table.c.n_attempts).in_(delivered)
            await connection.execute(sa.delete(table).where(is_delivered))
            for event, due_at, is_given_up in settled:
                if due_at is not None:
                    is_claimed = sa.and_(table.c.sequence == event.sequence, table.c.n_attempts == event.n_attempts)
                    failed_at = due_at if is_given_up else None
                    await connection.execute(sa.update(table).where(is_claimed).values(due_at=due_at, failed_at=failed_at))

    async def oldest_event(self, clients: Collection[str]) -> datetime | None:
        """Return the time of the clients' oldest event that is neither delivered nor given up.

        Raises:
            Overloaded: the database does not answer.

        """
        table = order_events
        is_waiting = sa.and_(table.c.failed_at.is_(None), table.c.client.in_(clients))
        statement = sa.select(table.c.created_at).where(is_waiting).order_by(table.c.sequence).limit(1)
        async with self._reading() as connection:
            oldest: datetime | None = (await connection.execute(statement)).scalar()
        return oldest

    async def resend_events(self, client: str) -> int:
        """Make a client's given-up events due again, with all attempts; return their number.

        Raises:
            Overloaded: the database does not answer.

        """
        table = order_events
        given_up = sa.update(table).where(table.c.client == client, table.c.failed_at.is_not(None))
        async with self._writing(OUTBOX_LOCK) as connection:
            n_events: int = (await connection.execute(given_up.values(failed_at=None, n_attempts=0, due_at=self._clock()))).rowcount
        return n_events


def event_row(event_type: EventType, client: str, order: StoredOrder, now: datetime, trace: Trace | None) -> dict[str, Any]:
    """Return the row of a new event, which is due at once."""
    return {
        "event_id": uuid4(),
        "client": client,
        "order_id": UUID(order["order_id"]),
        "body": event_body(event_type, format_timestamp(now), order),
        "traceparent": trace.parent if trace else None,
        "tracestate": trace.state if trace else None,
        "created_at": now,
        "due_at": now,
        "n_attempts": 0,
    }
