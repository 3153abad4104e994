"""The endpoints of stored orders: store, read, list and cancel them."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypedDict
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from errors import ItemNotFound, MenuNotFound, OrderCancelled, OrderConflict, OrderIncomplete, OrderNotFound, Overloaded
from schemas import CancelQuery, OrderList, OrdersQuery, StoredOrder, StoreOrderRequest
from voice.menus.served import ServedMenus
from voice.store.placing import place_order
from voice.store.store import Store
from web.bodies import BodyReader
from web.context import caller_of
from web.endpoint import endpoint
from web.replies import reply
from web.validation import validate_fields


class OrdersState(TypedDict):
    """The part of the application's state that these endpoints need."""

    bodies: BodyReader
    menus: ServedMenus[Any]
    store: Store
    on_order: Callable[[], None]


@endpoint(
    scope="order",
    body=StoreOrderRequest,
    returns=StoredOrder,
    raises=(MenuNotFound, ItemNotFound, OrderIncomplete, OrderNotFound, OrderConflict, Overloaded),
    status={200: "Stored before.", 201: "Stored."},
)
async def put_order(request: Request) -> Response:
    """Store an order under an id that the caller makes.

    The same order again changes nothing; another order under the same id is a conflict. Stored orders improve the suggestions.
    """
    state: OrdersState = request.scope["state"]
    asked = await state["bodies"].read_json(request, StoreOrderRequest)
    client = caller_of(request).id
    stored, created = await place_order(state["store"], partial(state["menus"].get, client), client, order_id_of(request), asked)
    if created:
        state["on_order"]()
    return reply(request, stored, 201 if created else 200)


@endpoint(scope="order", returns=StoredOrder, raises=(OrderNotFound, Overloaded), status={200: "Found."})
async def get_order(request: Request) -> Response:
    """Return an order that this client stored."""
    state: OrdersState = request.scope["state"]
    return reply(request, await state["store"].get_order(caller_of(request).id, order_id_of(request)))


@endpoint(scope="order", query=OrdersQuery, returns=OrderList, raises=(Overloaded,), status={200: "Found."})
async def list_orders(request: Request) -> Response:
    """List the orders that this client stored, in the order of storing.

    `after` of the reply continues the list: with it, the next request returns what was stored since, and again each order that was
    cancelled since, in its present state. So a till that polls misses nothing.
    """
    state: OrdersState = request.scope["state"]
    asked = validate_fields(OrdersQuery, request.query_params.multi_items())
    return reply(request, await state["store"].list_orders(caller_of(request).id, asked))


@endpoint(
    scope="order", query=CancelQuery, returns=StoredOrder, raises=(OrderNotFound, OrderCancelled, Overloaded), status={200: "Cancelled."}
)
async def cancel_order(request: Request) -> Response:
    """Cancel an order that this client stored; it can still be read.

    The same again, or without a reason, changes nothing; another reason is a conflict. Its id cannot be used for another order.
    """
    state: OrdersState = request.scope["state"]
    order_id = order_id_of(request)
    asked = validate_fields(CancelQuery, request.query_params.multi_items())
    cancelled, is_new = await state["store"].cancel_order(caller_of(request).id, order_id, asked.reason)
    if is_new:
        state["on_order"]()
    return reply(request, cancelled)


def order_id_of(request: Request) -> UUID:
    """Return the order's id in the path.

    Raises:
        OrderNotFound: it is not a UUID in its canonical form.

    """
    given: str = request.path_params["order_id"]
    try:
        order_id = UUID(given)
    except ValueError:
        raise OrderNotFound from None
    if str(order_id) != given.lower():  # the library also accepts braces, "urn:uuid:" and missing hyphens
        raise OrderNotFound
    return order_id
