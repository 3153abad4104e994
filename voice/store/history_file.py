"""Read a merchant's past orders from a CSV file with the columns order_id, timestamp, customer_id, item, quantity."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError

from schemas import CustomerId, Id, Quantity, Timestamp
from voice.menus.menu import Menu

# The largest quantity of a line.
MAX_QUANTITY = 999


def _empty_to_none(value: object) -> object:
    return None if value == "" else value


class HistoryRow(BaseModel):
    """A row: one item of an order."""

    order_id: Annotated[str, BeforeValidator(_empty_to_none)]
    timestamp: Annotated[Timestamp | None, BeforeValidator(_empty_to_none)]
    customer_id: Annotated[CustomerId | None, BeforeValidator(_empty_to_none)]
    item: Id
    quantity: Quantity


@dataclass(slots=True)
class HistoryOrder:
    """All rows with one order id."""

    placed_at: datetime | None
    customer_id: int | None
    quantities: Counter[str] = field(default_factory=Counter)


class InvalidRow(Exception):
    """A row that cannot be imported; the message is the reason."""


def read_history(lines: Iterable[str], menu: Menu, reject: Callable[[int, str], None]) -> dict[str, HistoryOrder]:
    """Group rows into orders by their id in the file; an order's rows need not be adjacent.

    `reject` is called with each invalid row's number (1 is the first below the header) and the reason.

    Raises:
        ValueError: a column is missing.

    """
    history: dict[str, HistoryOrder] = {}
    reader = csv.DictReader(lines)
    missing = HistoryRow.model_fields.keys() - set(reader.fieldnames or ())
    if missing:
        message = f"the columns {', '.join(sorted(missing))} are missing"
        raise ValueError(message)
    for number, fields in _enumerate_rows(reader, reject):
        try:
            _add_row(fields, menu, history)
        except InvalidRow as reason:
            reject(number, str(reason))
    return history


def _enumerate_rows(reader: "csv.DictReader[str]", reject: Callable[[int, str], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each row with its number; reject malformed rows."""
    number = 0
    while True:
        number += 1
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reject(number, str(error))


def _add_row(fields: dict[str, Any], menu: Menu, history: dict[str, HistoryOrder]) -> None:
    """Add a row to its order.

    Raises:
        InvalidRow: a field is invalid or contradicts an earlier row of the order.

    """
    if None in fields:
        message = "more fields than columns"
        raise InvalidRow(message)
    try:
        row = HistoryRow.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        message = f"{first['loc'][0]}: {first['msg']}"
        raise InvalidRow(message) from error
    if row.item not in menu.items:
        message = f"item: {row.item!r} is not on the menu"
        raise InvalidRow(message)
    order = history.get(row.order_id)
    if order is None:
        order = history[row.order_id] = HistoryOrder(None, None)
    if row.customer_id and order.customer_id and row.customer_id != order.customer_id:
        message = "customer_id: differs from an earlier row of the order"
        raise InvalidRow(message)
    if order.quantities[row.item] + row.quantity > MAX_QUANTITY:
        message = f"quantity: more than {MAX_QUANTITY} of one item in one order"
        raise InvalidRow(message)
    order.placed_at = order.placed_at or row.timestamp
    order.customer_id = order.customer_id or row.customer_id
    order.quantities[row.item] += row.quantity
