"""Build stored orders, compare them for idempotency, and map them to rows."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from schemas import Line, Note, OrdersQuery, StoredOrder
from voice.store.tables import orders
from voice.tracing import Trace


def format_timestamp(moment: datetime) -> str:
    """Format a datetime in UTC and whole seconds, e.g. `2026-11-22T10:00:00Z`."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def build_order(  # noqa: PLR0913 - the fields of a stored order
    order_id: UUID | str,
    *,
    menu: str,
    lines: list[Line],
    total: int,
    currency: str,
    customer_id: int | None,
    placed_at: datetime,
    notes: Sequence[Note] = (),
) -> StoredOrder:
    """Build a stored order."""
    return {
        "order_id": str(order_id),
        "menu": menu,
        "lines": lines,
        "notes": list(notes),
        "total": total,
        "currency": currency,
        "customer_id": customer_id,
        "placed_at": format_timestamp(placed_at),
    }


def order_digest(menu: str, customer_id: int | None, lines: Iterable[Mapping[str, Any]], notes: Iterable[Mapping[str, Any]] = ()) -> bytes:
    """Digest an order regardless of prices, names, the order of lines, options and notes, and the split of equal lines."""
    quantities: Counter[bytes] = Counter()
    for line in lines:
        remark = [line["note"]] if line.get("note") else []
        quantities[orjson.dumps([line["item"], _meanings(line["options"]), *remark])] += line["quantity"]
    sums = [[line.decode(), quantity] for line, quantity in sorted(quantities.items())]
    noted = sorted(orjson.dumps([note["kind"], note["line"], note["text"], note.get("value")]).decode() for note in notes)
    return hashlib.sha256(orjson.dumps([menu, customer_id, sums, *([noted] if noted else [])])).digest()


def _meanings(options: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what distinguishes options, sorted; the nested ones of a choice that is left out mean nothing."""
    return sorted(
        orjson.dumps(
            [
                option["group"],
                option["choice"] or sorted(option.get("alternatives", ())),
                option["amount"],
                option["quantity"],
                *([_meanings(option["options"])] if option.get("options") and option["amount"] != "no" else []),
            ]
        ).decode()
        for option in options
    )


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A client's order to store; if no time was given, its `placed_at` is the time of storing. `trace`: of the request."""

    client: str
    order: StoredOrder
    placed_at_given: bool
    trace: Trace | None = None

    @property
    def key(self) -> tuple[str, UUID]:
        """Return the client and the order's id: the unique key of the order."""
        return self.client, UUID(self.order["order_id"])

    def digest(self) -> bytes:
        """Return the order's digest."""
        return order_digest(self.order["menu"], self.order["customer_id"], self.order["lines"], self.order["notes"])

    def is_stored_as(self, record: "OrderRecord") -> bool:
        """Return True if storing this order again changes nothing."""
        return record.is_same(self.digest(), self.order["placed_at"] if self.placed_at_given else None)


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """A stored order, whether its time was given, and its digest."""

    order: StoredOrder
    placed_at_given: bool
    digest: bytes

    def is_same(self, digest: bytes, placed_at: str | None) -> bool:
        """True if the digest and the given time match; `placed_at` None matches only a record without a given time."""
        same_time = self.order["placed_at"] == placed_at if placed_at is not None else not self.placed_at_given
        return same_time and self.digest == digest


def read_row(row: sa.Row[Any]) -> OrderRecord:
    """Map a row of the table `orders` to its record."""
    order = build_order(
        row.order_id,
        menu=row.menu,
        lines=row.lines,
        total=row.total,
        currency=row.currency,
        customer_id=row.customer_id,
        placed_at=row.placed_at,
        notes=row.notes or (),
    )
    if row.cancelled_at is not None:
        order = with_cancellation(order, row.cancelled_at, row.cancel_reason)
    return OrderRecord(order, row.placed_at_given, row.digest)


def with_cancellation(order: StoredOrder, at: datetime, reason: str | None) -> StoredOrder:
    """Return the order as a cancelled one."""
    return {**order, "cancelled": {"at": format_timestamp(at), "reason": reason}}


def order_filters(asked: OrdersQuery) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a list of orders."""
    column, filters = orders.c, []
    if asked.menu is not None:
        filters.append(column.menu == asked.menu)
    if asked.customer_id is not None:
        filters.append(column.customer_id == asked.customer_id)
    if asked.placed_from is not None:
        filters.append(column.placed_at >= asked.placed_from)
    if asked.placed_before is not None:
        filters.append(column.placed_at < asked.placed_before)
    if asked.status is not None:
        filters.append(column.cancelled_at.is_not(None) if asked.status == "cancelled" else column.cancelled_at.is_(None))
    return filters


def make_row(new: NewOrder, digest: bytes) -> dict[str, object]:
    """Map a new order to a row of the table `orders`."""
    order = new.order
    return {
        "client": new.client,
        "order_id": UUID(order["order_id"]),
        "menu": order["menu"],
        "customer_id": order["customer_id"],
        "placed_at": datetime.fromisoformat(order["placed_at"]),
        "placed_at_given": new.placed_at_given,
        "lines": order["lines"],
        "total": order["total"],
        "currency": order["currency"],
        "notes": order["notes"] or None,
        "digest": digest,
    }


def count_items(lines: Sequence[Line]) -> tuple[tuple[str, int], ...]:
    """Return the quantity of each item of an order."""
    items: dict[str, int] = {}  # a Counter takes three times as long, and a start reads every order
    for line in lines:
        items[line["item"]] = items.get(line["item"], 0) + line["quantity"]
    return tuple(items.items())
