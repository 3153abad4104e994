"""Place an order: price it from its menu and store it once."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from errors import ApiError, MenuNotFound, OrderNotFound, ValidationFailed
from schemas import Line, LineRequest, Menu, StoredOrder, StoreOrderRequest
from voice.store.orders import OrderStore
from voice.store.stored_orders import build_order, order_digest


class Pricer(Protocol):
    """A menu and its prices; `voice.dialog.turn.DialogEngine` is one."""

    menu: Menu

    def price(self, lines: Sequence[LineRequest]) -> list[Line]:
        """Return the lines with prices, without merging any; raise ValidationFailed if the menu lacks an item or option."""


def price_order(
    pricer: Pricer, order_id: UUID, lines: Sequence[LineRequest], *, customer_id: int | None, placed_at: datetime | None
) -> StoredOrder:
    """Price an order from the menu; without `placed_at` it is placed now.

    Raises:
        ItemNotFound, ValidationFailed: the menu has no such item, option or choice.

    """
    priced = pricer.price(lines)
    return build_order(
        order_id,
        menu=pricer.menu.id,
        lines=priced,
        total=sum(line["total"] for line in priced),
        currency=pricer.menu.currency,
        customer_id=customer_id,
        placed_at=placed_at or datetime.now(UTC),
    )


async def place_order(
    store: OrderStore, find_pricer: Callable[[str], Pricer], client: str, order_id: UUID, request: StoreOrderRequest
) -> tuple[StoredOrder, bool]:
    """Price and store an order once; return the stored one, and whether this call created it.

    If the menu has changed since the order was stored and can no longer price it, the stored order is returned.

    Raises:
        MenuNotFound, ItemNotFound, ValidationFailed: the order cannot be priced and is not stored.
        OrderConflict: another order is stored under this id.
        Overloaded: the order is not stored, or that is unknown; retry.

    """
    try:
        pricer = find_pricer(request.menu)
        order = price_order(pricer, order_id, request.lines, customer_id=request.customer_id, placed_at=request.placed_at)
    except (MenuNotFound, ValidationFailed) as error:
        return await _get_order_stored_before(store, client, order_id, request, error), False
    return await store.put_order(client, order, placed_at_given=request.placed_at is not None)


async def _get_order_stored_before(
    store: OrderStore, client: str, order_id: UUID, request: StoreOrderRequest, error: ApiError
) -> StoredOrder:
    digest = order_digest(request.menu, request.customer_id, [line.model_dump() for line in request.lines])
    try:
        return await store.get_same_order(client, order_id, digest, request.placed_at)
    except OrderNotFound:
        raise error from None
