"""The endpoints of menus: read them, keep a client's own, sell out and back."""

from typing import Any, TypedDict

import orjson
from starlette.requests import Request
from starlette.responses import Response

from errors import (
    ItemNotFound,
    MenuConflict,
    MenuNotFound,
    Overloaded,
    PreconditionFailed,
    PreconditionRequired,
)
from schemas import AvailabilityRequest, MenuDetail, MenuId, MenuList, MenuSummary, PartAvailability
from voice.menus.menu import Menu
from voice.menus.parts import Part
from voice.menus.served import ServedMenu, ServedMenus
from web.bodies import BodyReader
from web.context import caller_of
from web.endpoint import endpoint
from web.media_types import expect_json
from web.preconditions import precondition_of, quoted
from web.replies import reply


class MenusState(TypedDict):
    """The part of the application's state that these endpoints need."""

    menus: ServedMenus[Any]
    bodies: BodyReader


@endpoint(scope="any", returns=MenuList, status={200: "The menus that are served."})
async def list_menus(request: Request) -> Response:
    """List the menus that are served to this client: those of the service, and its own."""
    state: MenusState = request.scope["state"]
    return reply(request, {"menus": [summary_of(menu) for menu in state["menus"].menus_of(caller_of(request).id)]})


def summary_of(menu: Menu) -> MenuSummary:
    """Return a menu in short."""
    return {"id": menu.id, "name": menu.name, "currency": menu.currency, "languages": menu.languages, "items": len(menu.items)}


@endpoint(scope="any", returns=MenuDetail, raises=(MenuNotFound, Overloaded), status={200: "Found."}, sends_etag=True)
async def get_menu(request: Request) -> Response:
    """Return a menu as it is served, with what is available now; the ETag is that of its file."""
    state: MenusState = request.scope["state"]
    return await _menu_reply(request, state["menus"].served(caller_of(request).id, request.path_params["menu"]))


@endpoint(
    scope="menu",
    body=Menu,
    returns=MenuDetail,
    raises=(MenuConflict, PreconditionFailed, PreconditionRequired),
    status={200: "Replaced.", 201: "Created."},
    sends_etag=True,
    needs_etag=True,
)
async def put_menu(request: Request) -> Response:
    """Keep a menu of this client, which is served to it alone.

    The body is a menu file in JSON. `If-Match` has the ETag of the menu that it replaces, `If-None-Match: *` stands for a new one. Every
    fault is named at its place. What was sold out stays so.
    """
    state: MenusState = request.scope["state"]
    expect_json(request)
    body = await state["bodies"].read(request)
    menus, client = state["menus"], caller_of(request).id
    served, is_new = await menus.put(client, request.path_params["menu"], body, precondition_of(request))
    return await _menu_reply(request, served, 201 if is_new else 200)


@endpoint(
    scope="menu",
    returns=MenuId,
    raises=(MenuNotFound, MenuConflict, PreconditionFailed, PreconditionRequired, Overloaded),
    status={200: "Deleted."},
    needs_etag=True,
)
async def delete_menu(request: Request) -> Response:
    """Delete a menu of this client; `If-Match` has its ETag."""
    state: MenusState = request.scope["state"]
    menu_id = request.path_params["menu"]
    await state["menus"].delete(caller_of(request).id, menu_id, precondition_of(request))
    return reply(request, {"id": menu_id})


@endpoint(
    scope="menu",
    body=AvailabilityRequest,
    returns=PartAvailability,
    raises=(MenuNotFound, ItemNotFound),
    status={200: "Changed."},
)
async def set_item_availability(request: Request) -> Response:
    """Sell out an item, or bring it back, without a change of the menu file.

    It is effective at once, on live connections too. On a menu of the service it acts for all clients.
    """
    return await _set_availability(request, Part(None, request.path_params["item"]))


@endpoint(
    scope="menu",
    body=AvailabilityRequest,
    returns=PartAvailability,
    raises=(MenuNotFound,),
    status={200: "Changed."},
)
async def set_choice_availability(request: Request) -> Response:
    """Sell out a choice of an option group, or bring it back; see the same of an item."""
    return await _set_availability(request, Part(request.path_params["group"], request.path_params["choice"]))


async def _set_availability(request: Request, part: Part) -> Response:
    state: MenusState = request.scope["state"]
    menu_id = request.path_params["menu"]
    asked = await state["bodies"].read_json(request, AvailabilityRequest)
    await state["menus"].set_available(caller_of(request).id, menu_id, part, is_available=asked.available)
    named = {"item": part.id} if part.group is None else {"group": part.group, "choice": part.id}
    return reply(request, {"menu": menu_id, **named, "available": asked.available})


async def _menu_reply(request: Request, served: ServedMenu[Any], status: int = 200) -> Response:
    menu = orjson.Fragment(await served.document())
    return reply(request, {"menu": menu}, status, {"ETag": quoted(served.etag)})
