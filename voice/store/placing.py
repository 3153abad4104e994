"""Place an order: price it from its menu and store it once."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from errors import ApiError, FieldError, MenuNotFound, OrderIncomplete, OrderNotFound, ValidationFailed
from schemas import NOTE_KINDS, Line, LineRequest, Note, StoredOrder, StoreOrderRequest
from voice.menus.menu import Menu
from voice.menus.requirements import open_options, unmet_groups
from voice.store.orders import OrderStore
from voice.store.stored_orders import build_order, order_digest


class Pricer(Protocol):
    """A menu and its prices; `voice.dialog.turn.DialogEngine` is one."""

    menu: Menu

    def price(self, lines: Sequence[LineRequest]) -> list[Line]:
        """Return the lines with prices, without merging any; raise ValidationFailed if the menu lacks an item or option."""


def price_order(  # noqa: PLR0913 - the parts of an order
    pricer: Pricer,
    order_id: UUID,
    lines: Sequence[LineRequest],
    *,
    customer_id: int | None,
    placed_at: datetime | None,
    notes: Sequence[Note] = (),
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
        notes=notes,
    )


def check_completeness(menu: Menu, lines: Sequence[Line]) -> None:
    """Check that no line has an open choice or lacks a required one.

    Raises:
        OrderIncomplete: with the place of each group.

    """
    errors: list[FieldError] = []
    for number, line in enumerate(lines):
        place: list[str | int] = ["lines", number, "options"]
        item, options = line["item"], line["options"]
        errors += [
            {"loc": [*place, one.group], "msg": "The choice is open", "type": "choice_open"} for one in open_options(menu, item, options)
        ]
        errors += [
            {"loc": [*place, one.group], "msg": f"{one.minimum} needed, {one.n_portions} chosen", "type": "choice_missing"}
            for one in unmet_groups(menu, item, options)
        ]
    if errors:
        raise OrderIncomplete(errors=errors)


async def place_order(
    store: OrderStore, find_pricer: Callable[[str], Pricer], client: str, order_id: UUID, request: StoreOrderRequest
) -> tuple[StoredOrder, bool]:
    """Price and store an order once; return the stored one, and whether this call created it.

    If the menu has changed since the order was stored and can no longer price it, the stored order is returned.

    Raises:
        MenuNotFound, ItemNotFound, ValidationFailed: the order cannot be priced and is not stored.
        OrderIncomplete: a line has an open choice, or lacks a required one; the order is not stored.
        OrderConflict: another order is stored under this id.
        Overloaded: the order is not stored, or that is unknown; retry.

    """
    try:
        pricer = find_pricer(request.menu)
        notes = _notes_of(request)
        order = price_order(pricer, order_id, request.lines, customer_id=request.customer_id, placed_at=request.placed_at, notes=notes)
        check_completeness(pricer.menu, order["lines"])
    except (MenuNotFound, ValidationFailed) as error:
        return await _get_order_stored_before(store, client, order_id, request, error), False
    return await store.put_order(client, order, placed_at_given=request.placed_at is not None)


async def _get_order_stored_before(
    store: OrderStore, client: str, order_id: UUID, request: StoreOrderRequest, error: ApiError
) -> StoredOrder:
    digest = order_digest(request.menu, request.customer_id, [line.model_dump() for line in request.lines], _notes_of(request))
    try:
        return await store.get_same_order(client, order_id, digest, request.placed_at)
    except OrderNotFound:
        raise error from None


def _notes_of(request: StoreOrderRequest) -> list[Note]:
    """Return the notes of an order without those of unknown kinds."""
    notes: list[Note] = []
    for asked in request.notes:
        if asked.kind in NOTE_KINDS:
            note: Note = {"kind": NOTE_KINDS[asked.kind], "line": asked.line, "text": asked.text}
            notes.append(note if asked.value is None else {**note, "value": asked.value})
    return notes
