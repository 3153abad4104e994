"""Orders and stores for the tests of the store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import sqlalchemy as sa

from schemas import StoredOrder
from voice.store.connection import connect
from voice.store.store import Store
from voice.store.tables import orders

MENU = """
id: cafe
name: Cafe
currency: VND
option_groups:
  size: {name: Size, default: s, choices: {s: {name: Small, price: 500}, l: {name: Large, price: 8000}}}
  topping: {name: Topping, select: many, choices: {pearls: {name: Pearls, price: 5000}}}
items:
  tea: {name: Tea, price: 10000}
  coffee: {name: Coffee, price: 25000, options: [size, topping]}
"""
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=30)


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Store]:
    store = Store(url, **options)
    await store.open(migrate=True)
    try:
        yield store
    finally:
        await store.close()


def option(choice: str | None, **changes: Any) -> dict[str, Any]:
    return {"group": "size", "choice": choice, "name": "Ly lớn", "amount": None, "quantity": 1, "price": 8000} | changes


def line(item: str, *options: dict[str, Any], **changes: Any) -> dict[str, Any]:
    priced = {"name": "Cà phê sữa đá", "quantity": 1, "unit_price": 25000, "total": 25000, "confidence": None, "span": None}
    return {"item": item, "options": list(options)} | priced | changes


def make_order(**changes: Any) -> StoredOrder:
    lines = [line("ca-phe-sua", option("l"), option(None, group="ice", alternatives=["less", "more"])), line("tra-da", quantity=2)]
    order = {"order_id": str(uuid4()), "menu": "cafe", "lines": lines, "notes": [], "total": 50000, "currency": "VND", "customer_id": 7}
    return cast("StoredOrder", order | {"placed_at": "2026-11-22T10:00:00Z"} | changes)


async def select(url: str, statement: sa.Select[Any]) -> list[Any]:
    engine = connect(url)
    async with engine.connect() as connection:
        rows = list(await connection.execute(statement))
    await engine.dispose()
    return rows


async def expect_each_once(url: str, acknowledged: set[str]) -> None:
    stored = [str(row.order_id) for row in await select(url, sa.select(orders.c.order_id))]
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored)
