"""Store orders durably and exactly once, and list them for followers.

- An order is acknowledged after its transaction was flushed to the disk. A flush costs the same for one order as for many, so orders that
  arrive during a transaction share the next one (group commit).
- One transaction writes at a time, so orders become visible in ascending sequence, and a follower that reads sequences greater than the
  last one it read misses none. A bare PostgreSQL sequence may assign 7 and 8 and show 8 first. Group commit makes the lock cheap: one
  acquisition per transaction instead of one per order.
- A failing database leaves nothing half-written, and the first call after its recovery works. If it is unknown whether a commit succeeded,
  Overloaded is raised, too: the caller retries, and storing is idempotent.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from errors import OrderCancelled, OrderConflict, OrderNotFound, Overloaded
from schemas import OrderList, OrdersQuery, StoredOrder
from voice.recommend.past_orders import PastOrder
from voice.store.connection import ORDERS_LOCK, RETRY_S
from voice.store.database import Database, utc_now
from voice.store.outbox import event_row
from voice.store.stored_orders import (
    NewOrder,
    OrderRecord,
    count_items,
    format_timestamp,
    make_row,
    order_filters,
    read_row,
    with_cancellation,
)
from voice.store.tables import order_events, orders
from voice.tracing import CURRENT
from voice.webhooks.events import EventType

# The longest wait of an order. A flush takes milliseconds, a failover seconds; after that a retry is better than waiting.
PATIENCE_S = 4.0
# At the measured rate of over 1,000 orders a second a longer queue would take longer than PATIENCE_S.
MAX_QUEUED = 5_000
# Large enough to make a flush cheap per order, small enough to release the lock within tens of milliseconds.
MAX_BATCH = 200


@dataclass(slots=True)
class QueuedOrder:
    """An order in the queue, and the future that its caller awaits: the record, and whether this order created it."""

    new: NewOrder
    outcome: "asyncio.Future[tuple[OrderRecord, bool]]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class OrderStore(Database):
    """Orders of all clients."""

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now, webhook_clients: Collection[str] = ()) -> None:
        """`webhook_clients`: the clients that get events of their orders; for `clock` and `url` see `Database`."""
        super().__init__(url, clock=clock)
        self._webhook_clients = frozenset(webhook_clients)
        self._queue: list[QueuedOrder] = []
        self._writer: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Store the queued orders, then close all connections."""
        if self._writer is not None:
            await self._writer
        await super().close()

    async def put_order(self, client: str, order: StoredOrder, *, placed_at_given: bool) -> tuple[StoredOrder, bool]:
        """Store an order once; return the stored one, and whether this call created it.

        Raises:
            OrderConflict: another order is stored under this id.
            Overloaded: the order is not stored, or that is unknown; retry.

        """
        self._check_ready()
        if len(self._queue) >= MAX_QUEUED:
            raise Overloaded(RETRY_S)
        queued = QueuedOrder(NewOrder(client, order, placed_at_given, CURRENT.get()))
        self._queue.append(queued)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_queue())
        try:
            async with asyncio.timeout(PATIENCE_S):
                record, is_new = await queued.outcome
        except TimeoutError as error:
            message = "The database does not answer; try again."
            raise Overloaded(RETRY_S, message) from error
        if not is_new and not queued.new.is_stored_as(record):
            raise OrderConflict
        return record.order, is_new

    async def _write_queue(self) -> None:
        """Store the queued orders, batch by batch, until the queue is empty."""
        while self._queue:
            batch = [queued for queued in self._queue[:MAX_BATCH] if not queued.outcome.done()]  # done: the caller was cancelled
            del self._queue[:MAX_BATCH]
            await self._write(batch)

    async def _write(self, batch: Sequence[QueuedOrder]) -> None:
        """Store a batch and set its outcomes. If the batch fails because of an order, each order is stored alone."""
        try:
            outcomes: Sequence[tuple[OrderRecord, bool] | Exception] = await self.put_orders([queued.new for queued in batch])
        except Exception as error:  # noqa: BLE001 - callers receive any failure
            if len(batch) > 1 and not isinstance(error, Overloaded):
                for queued in batch:
                    await self._write([queued])
                return
            outcomes = [error] * len(batch)
        for queued, outcome in zip(batch, outcomes, strict=True):
            if queued.outcome.done():
                continue
            if isinstance(outcome, Exception):
                queued.outcome.set_exception(outcome)
            else:
                queued.outcome.set_result(outcome)

    async def put_orders(self, new_orders: Sequence[NewOrder]) -> list[tuple[OrderRecord, bool]]:
        """Store orders in one transaction; return for each the record under its id, and whether it created the record.

        Raises:
            Overloaded: no order is stored, or that is unknown; retry.

        """
        async with self._writing(ORDERS_LOCK) as connection:
            ids = {new.key[1] for new in new_orders}
            found = await connection.execute(sa.select(orders).where(orders.c.order_id.in_(ids)))
            known = {(row.client, row.order_id): read_row(row) for row in found}
            rows, events, outcomes, now = [], [], [], self._clock()
            for new in new_orders:
                is_new = new.key not in known
                if is_new:
                    record = known[new.key] = OrderRecord(new.order, new.placed_at_given, new.digest())
                    rows.append(make_row(new, record.digest))
                    if new.client in self._webhook_clients:
                        events.append(event_row(EventType.STORED, new.client, new.order, now, new.trace))
                outcomes.append((known[new.key], is_new))
            if rows:
                await connection.execute(sa.insert(orders), rows)
            if events:
                await connection.execute(sa.insert(order_events), events)
        return outcomes

    async def get_order(self, client: str, order_id: UUID) -> StoredOrder:
        """Return a client's order.

        Raises:
            OrderNotFound: this client has stored no order under this id.
            Overloaded: the database does not answer.

        """
        return (await self._get_record(client, order_id)).order

    async def get_same_order(self, client: str, order_id: UUID, digest: bytes, placed_at: datetime | None) -> StoredOrder:
        """Return the stored order if its digest and time match; the menu can no longer price it.

        The menu may change after an order was stored and before its caller receives the reply. `placed_at` is None if the caller gave none.

        Raises:
            OrderNotFound: this client has stored no order under this id.
            OrderConflict: another order is stored under this id.
            Overloaded: the database does not answer.

        """
        record = await self._get_record(client, order_id)
        if not record.is_same(digest, format_timestamp(placed_at) if placed_at is not None else None):
            raise OrderConflict
        return record.order

    async def _get_record(self, client: str, order_id: UUID) -> OrderRecord:
        async with self._reading() as connection:
            found = await connection.execute(sa.select(orders).where(orders.c.order_id == order_id, orders.c.client == client))
            row = found.one_or_none()
        if row is None:
            raise OrderNotFound
        return read_row(row)

    async def cancel_order(self, client: str, order_id: UUID, reason: str | None) -> tuple[StoredOrder, bool]:
        """Cancel an order; return it, and whether this call cancelled it.

        Raises:
            OrderNotFound: this client has stored no order under this id.
            OrderCancelled: it was cancelled before, with another reason.
            Overloaded: the order is not cancelled, or that is unknown; retry.

        """
        is_order = sa.and_(orders.c.order_id == order_id, orders.c.client == client)
        async with self._writing(ORDERS_LOCK) as connection:
            row = (await connection.execute(sa.select(orders).where(is_order))).one_or_none()
            if row is None:
                raise OrderNotFound
            if row.cancelled_at is not None:
                if reason not in (None, row.cancel_reason):
                    raise OrderCancelled
                return read_row(row).order, False
            now = self._clock()
            last = await connection.scalar(sa.select(sa.func.max(orders.c.cancellation)).where(orders.c.client == client))
            values = {"cancelled_at": now, "cancel_reason": reason, "cancellation": (last or 0) + 1}
            await connection.execute(sa.update(orders).where(is_order).values(values))
            cancelled = with_cancellation(read_row(row).order, now, reason)
            if client in self._webhook_clients:
                await connection.execute(sa.insert(order_events), event_row(EventType.CANCELLED, client, cancelled, now, CURRENT.get()))
        return cancelled, True

    async def list_orders(self, client: str, asked: OrdersQuery) -> OrderList:
        """Return a part of a client's orders: what was cancelled since `asked.after`, then what was stored since.

        The cancelled ones are read first: an order that is cancelled between the two reads comes cancelled, or again with the next part.

        Raises:
            Overloaded: the database does not answer.

        """
        filters = [orders.c.client == client, *order_filters(asked)]
        stored, cancelled = map(int, (asked.after or "0-0").split("-"))
        async with self._reading() as connection:
            last = await connection.scalar(sa.select(sa.func.max(orders.c.cancellation)).where(orders.c.client == client))
            again = sa.select(orders).where(*filters, orders.c.cancellation > cancelled, orders.c.sequence <= stored)
            found = (await connection.execute(again.order_by(orders.c.cancellation).limit(asked.limit))).all()
            new = sa.select(orders).where(*filters, orders.c.sequence > stored).order_by(orders.c.sequence)
            found_new = (await connection.execute(new.limit(asked.limit - len(found) + 1))).all()
        page = [*found, *found_new][: asked.limit]
        stored = max([stored, *(row.sequence for row in page)])
        # Without further ones among the orders read before, all up to `last` were returned now, or come cancelled with the new orders.
        numbers = [cancelled, *(row.cancellation for row in found), *([last or 0] if len(found) < asked.limit else ())]
        more = len(found) + len(found_new) > asked.limit
        return {"orders": [read_row(row).order for row in page], "after": f"{stored}-{max(numbers)}", "more": more}

    async def orders_after(self, sequence: int, *, limit: int) -> list[PastOrder]:
        """Return up to `limit` orders of all clients with a greater sequence, in ascending order.

        Raises:
            Overloaded: the database does not answer.

        """
        columns = orders.c["sequence", "client", "menu", "placed_at", "customer_id", "lines"]
        statement = sa.select(*columns).where(orders.c.sequence > sequence).order_by(orders.c.sequence).limit(limit)
        async with self._reading() as connection:
            rows = (await connection.execute(statement)).all()
        return [PastOrder(row.sequence, row.client, row.menu, row.placed_at, row.customer_id, count_items(row.lines)) for row in rows]
