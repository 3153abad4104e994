"""The tools of language models: what the routes do, with a short text for the model beside the data of the route."""

import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Annotated, Any, NamedTuple, get_type_hints
from uuid import UUID, uuid4

import orjson
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from typing_extensions import TypedDict

from errors import ApiError
from schemas import (
    Changes,
    Conversation,
    Id,
    Language,
    LineRequest,
    Lines,
    MenuDetail,
    MenuList,
    Model,
    Notes,
    Order,
    Questions,
    RecommendRequest,
    Scope,
    StoredOrder,
    StoreOrderRequest,
    Suggestions,
    Utterance,
)
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.menus.menu import Menu, OptionGroup
from voice.menus.names import Name
from voice.menus.served import ServedMenus
from voice.recommend.sync import Recommenders
from voice.review.recorder import Recorder
from voice.store.placing import place_order
from voice.store.store import Store
from web.menus import summary_of

# Items of a reply: a menu of 5,000 would be a megabyte, more than a model can read.
ITEMS_PER_PAGE = 200


class ToolState(TypedDict):
    """The part of the application's state that the tools need."""

    menus: ServedMenus[DialogEngine]
    recommenders: Recommenders
    recorder: Recorder
    store: Store
    on_order: Callable[[], None]


class ToolReply(NamedTuple):
    """What a tool returns: data, and texts for models that see no data."""

    content: Mapping[str, Any]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: its name and its description are those of the function."""

    function: Callable[[ToolState, str, Any], Awaitable[ToolReply]]  # of the client's id and the arguments
    arguments: type[BaseModel]
    returns: Any
    scope: Scope | None = None  # None: any client
    stores: bool = False


# --- Arguments ----------------------------------------------------------------------------------------------------------------------


def json_text(value: object) -> object:
    """Parse a list that a model wrote as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _as_returned(name: str) -> tuple[BeforeValidator, WithJsonSchema]:
    """Annotate a list that models send back. Its schema is short: not all of them accept recursive ones, and none has to write it."""
    described = f"`{name}` of the last result, unchanged."
    return BeforeValidator(json_text), WithJsonSchema({"type": "array", "items": {"type": "object"}, "description": described})


OrderId = Annotated[UUID, Field(description="`order_id` of the conversation's results.")]
ReturnedLines = Annotated[Lines, *_as_returned("lines")]
ReturnedQuestions = Annotated[Questions, *_as_returned("questions")]
ReturnedChanges = Annotated[Changes, *_as_returned("changes")]
ReturnedNotes = Annotated[Notes, *_as_returned("notes")]
Words = Annotated[Utterance, Field(description="What the customer said, word by word, in the customer's language.")]
ReplyLanguage = Annotated[Language | None, Field(description="`vi` or `en`; null: the customer's.")]


class NoArguments(Model):
    """No arguments."""


class ReadMenu(Model):
    """The menu to read, and the page of its items."""

    menu: Id | None = Field(None, description="The id; null: the only menu.")
    page: int = Field(1, ge=1, le=10_000, description=f"Counts from 1; a page has {ITEMS_PER_PAGE} items.")


class TakeOrder(Model):
    """The first words of a customer."""

    text: Words
    menu: Id | None = Field(None, description="The id of the menu; null: the only one.")
    reply_language: ReplyLanguage = None


class Answer(Conversation):
    """The customer's next words, and the state of the conversation. All of it is required: a forgotten note may be an allergy."""

    text: Words
    order_id: OrderId
    menu: Id
    lines: ReturnedLines
    questions: ReturnedQuestions
    changes: ReturnedChanges
    notes: ReturnedNotes
    reply_language: ReplyLanguage = None


class Suggest(RecommendRequest):
    """A basket."""


class StoreOrder(StoreOrderRequest):
    """A confirmed order."""

    order_id: OrderId
    lines: Annotated[list[LineRequest], Field(min_length=1, max_length=200), *_as_returned("lines")]
    notes: ReturnedNotes


# --- Results ------------------------------------------------------------------------------------------------------------------------


class ConversationOrder(Order):
    """The state of the conversation after the utterance, with the id under which its order will be stored."""

    order_id: str


# The same without the fields that only spoken and explained turns have: their schema is longer than all others.
_HINTS = get_type_hints(ConversationOrder, include_extras=True)
TypedOrder = TypedDict("TypedOrder", {name: _HINTS[name] for name in _HINTS if name not in {"transcript", "explain"}})  # type: ignore[misc]


class MenuPage(MenuDetail):
    """A part of a menu, and the number of parts."""

    pages: int


class PlacedOrder(StoredOrder):
    """A stored order, and whether this call stored it."""

    is_new: bool


# --- Tools --------------------------------------------------------------------------------------------------------------------------


async def list_menus(state: ToolState, client: str, _arguments: NoArguments) -> ToolReply:
    """List the menus from which orders are taken."""
    menus = [summary_of(menu) for menu in state["menus"].menus_of(client)]
    lines = [f"{menu['id']}: {menu['name']}, {menu['items']} items, {menu['currency']}, {'/'.join(menu['languages'])}" for menu in menus]
    return ToolReply({"menus": menus}, ("\n".join(lines) or "No menu is served.",))


async def read_menu(state: ToolState, client: str, arguments: ReadMenu) -> ToolReply:
    """Return the items of a menu and their options, with prices as integers in the minor unit of the currency.

    Ordering does not need it: take_order understands the customer's own words, and answers questions about the menu.
    """
    menu = state["menus"].get(client, arguments.menu).menu
    pages = max(1, math.ceil(len(menu.items) / ITEMS_PER_PAGE))
    page = _page_of(menu, arguments.page)
    lines = [f"{_names(menu.name)}, page {arguments.page} of {pages}; prices in the minor unit of {menu.currency}", *_menu_lines(page)]
    return ToolReply({"menu": page.model_dump(mode="json"), "pages": pages}, ("\n".join(lines),))


def _page_of(menu: Menu, page: int) -> Menu:
    """Return a part of a menu: some items, and the option groups that can be chosen with them."""
    items = dict(islice(menu.items.items(), (page - 1) * ITEMS_PER_PAGE, page * ITEMS_PER_PAGE))
    groups: dict[str, OptionGroup] = {}
    waiting = [group_id for item in items.values() for group_id in item.options]
    while waiting:
        if (group_id := waiting.pop()) not in groups:
            groups[group_id] = menu.option_groups[group_id]
            waiting += [below for choice in groups[group_id].choices.values() for below in choice.options]
    in_order = {group_id: group for group_id, group in menu.option_groups.items() if group_id in groups}
    return menu.model_copy(update={"items": items, "option_groups": in_order})


def _menu_lines(menu: Menu) -> Iterator[str]:
    for item_id, item in menu.items.items():
        options = f"; options: {', '.join(item.options)}" if item.options else ""
        yield f"{item_id}: {_names(item.name)}, {item.price}{options}{'' if item.available else '; sold out'}"
    for group_id, group in menu.option_groups.items():
        choices = ", ".join([f"{_names(choice.name)} {choice.price:+d}" for choice in group.choices.values()])
        yield f"option {group_id} ({_names(group.name)}): {choices}"


def _names(name: Name) -> str:
    return " / ".join(name.by_language.values()) or name


async def take_order(state: ToolState, client: str, arguments: TakeOrder) -> ToolReply:
    """Begin an order with the customer's first words; say the reply's `say` to the customer, and pass the next words to `answer`.

    Nothing is stored yet. The reply is the whole state of the conversation: keep it.
    """
    return _take_turn(state, client, arguments, Conversation(), uuid4())


async def answer(state: ToolState, client: str, arguments: Answer) -> ToolReply:
    """Take the customer's next words: an answer, a change, a question about the menu, "that's all" or "yes".

    Send the state of the last reply back as it is; never edit lines yourself. While `status` is `asking`, the order is incomplete; after
    "that's all" the order is read back (`confirming`); after the customer's yes `status` is `confirmed`: call store_order.
    """
    return _take_turn(state, client, arguments, arguments, arguments.order_id)


def _take_turn(state: ToolState, client: str, said: TakeOrder | Answer, conversation: Conversation, order_id: UUID) -> ToolReply:
    engine = state["menus"].get(client, said.menu)
    before = state_of(engine.menu, conversation)
    order = engine.take_turn(said.text, before, reply_language=said.reply_language)
    state["recorder"].record(client, said.text, before, order)
    content: ConversationOrder = {**order, "order_id": str(order_id)}
    return ToolReply(content, (order["say"]["text"], orjson.dumps(content).decode()))


async def suggest(state: ToolState, client: str, arguments: Suggest) -> ToolReply:
    """Suggest what the customer may want besides the basket, best first. Offer it in words; the customer's yes is an order for `answer`."""
    menu = state["menus"].get(client, arguments.menu).menu
    await state["recommenders"].started()
    suggestions = (
        state["recommenders"]
        .get(client, menu)
        .recommend(
            [(one.item, one.quantity) for one in arguments.items],
            customer_id=arguments.customer_id,
            at=arguments.at or datetime.now(UTC),
            limit=arguments.limit,
            exclude=arguments.exclude,
        )
    )
    lines = [f"{one['name']} ({one['item']}), {one['price']} {one['currency']}: {one['reason']['text']}" for one in suggestions]
    return ToolReply({"items": suggestions}, ("\n".join(lines) or "Nothing to suggest.",))


async def store_order(state: ToolState, client: str, arguments: StoreOrder) -> ToolReply:
    """Place the order that the customer has confirmed (`status` is `confirmed`), with the last state as it is.

    Called again with the same order, it changes nothing.
    """
    stored, is_new = await place_order(state["store"], partial(state["menus"].get, client), client, arguments.order_id, arguments)
    if is_new:
        state["on_order"]()
    content: PlacedOrder = {**stored, "is_new": is_new}
    total = f"{stored['total']} {stored['currency']}"
    before = "Stored" if is_new else f"Nothing was stored: the same order was stored before, as of {stored['placed_at']},"
    return ToolReply(content, (f"{before} as {stored['order_id']}, total {total}.",))


TOOLS = {
    tool.function.__name__: tool
    for tool in (
        Tool(list_menus, NoArguments, MenuList),
        Tool(read_menu, ReadMenu, MenuPage),
        Tool(take_order, TakeOrder, TypedOrder, "order"),
        Tool(answer, Answer, TypedOrder, "order"),
        Tool(suggest, Suggest, Suggestions, "recommend"),
        Tool(store_order, StoreOrder, PlacedOrder, "order", stores=True),
    )
}


def error_text(error: ApiError) -> str:
    """Return an error as models read it: its word, its sentence or each wrong field, and when to try again."""
    fields = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors]
    retry = f" Try again in {after} s." if (after := error.headers.get("Retry-After")) else ""
    return f"{error.error}: {'; '.join(fields) or error}{retry}"


# Source: JSON-RPC 2.0, section 5.1: a code of the server's own.
SERVER_ERROR = -32000


def json_rpc_error(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the body of a request that was refused before it was read; the status and the headers are those of the routes."""
    data: dict[str, Any] = {"error": error.error, "request_id": request_id, "errors": list(error.errors)}
    return {"jsonrpc": "2.0", "id": None, "error": {"code": SERVER_ERROR, "message": error_text(error), "data": data}}
