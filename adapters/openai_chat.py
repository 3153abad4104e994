"""An ordering agent in the form of the OpenAI API's chat completions. The conversation is rebuilt from its messages; nothing is kept."""

import asyncio
from typing import Any, TypedDict
from uuid import UUID, uuid4, uuid5

from starlette.requests import Request
from starlette.responses import Response

from adapters.chat_reply import Completion
from adapters.chat_request import CallFacts, ChatRequest, call_facts, exchanges_of, last_turn, placed_before, sentence_of_tool, tools_of
from adapters.openai_replies import event_reply
from errors import Overloaded
from schemas import Order
from voice.dialog.replay import Replays
from voice.dialog.turn import DialogEngine
from voice.menus.served import ServedMenus
from web.admission import Admission
from web.bodies import BodyReader
from web.context import caller_of, context_of
from web.endpoint import endpoint
from web.recognition import while_connected
from web.replies import JsonResponse

# The tools that are called when the conversation has this status, if the caller declares them.
TOOLS = {"confirmed": "place_order", "cancelled": "cancel_order", "handoff": "hand_off"}
# The arguments of a tool.
ARGUMENTS = ("order_id", "replaces", "menu", "lines", "notes", "total", "currency", "customer_id", "call")
# So many characters that have to be replayed count as a further request.
CHARACTERS_PER_REQUEST = 1000
# Platforms wait some ten seconds for the first word. What was replayed until then is cached, so that a retry goes on from there.
REPLAY_DEADLINE_S = 8.0
REPLAY_RETRY_S = 1
# With a call's id: the id of its order is the same each time, so that an order placed twice is stored once.
ORDER_IDS = UUID("5f0c0e5e-2f0b-4c53-8f0e-6f6f1d6f3a11")


class ChatState(TypedDict):
    """The part of the application's state that this endpoint needs."""

    admission: Admission
    bodies: BodyReader
    menus: ServedMenus[DialogEngine]
    replays: Replays


@endpoint(scope="order", body=ChatRequest, status={200: "Understood."})
async def create_chat_completion(request: Request) -> Response:
    """Take the last turn of a conversation, and say the shop's next sentence or call a tool of the caller."""
    state: ChatState = request.scope["state"]
    asked = await state["bodies"].read_json(request, ChatRequest)
    client = caller_of(request).id
    engine = state["menus"].get(client, asked.model)
    call = call_facts(asked, context_of(request.scope).headers.get(b"x-session-id", b"").decode("latin-1")[:200])
    exchanges = exchanges_of(asked.messages)
    replay = state["replays"].begin(engine, exchanges, call.setting, client)
    for _ in range(replay.n_characters // CHARACTERS_PER_REQUEST):
        await state["admission"].limiter.hit("requests", client)
    try:
        async with asyncio.timeout(REPLAY_DEADLINE_S):
            order = await while_connected(request, replay.run())
    except TimeoutError as error:
        message = "The conversation cannot be rebuilt at the moment."
        raise Overloaded(REPLAY_RETRY_S, message) from error
    completion = _completion(asked, order, call, order_id=_order_id(client, order, call, len(exchanges)))
    if asked.stream is True:
        return event_reply(completion.events(with_usage=asked.stream_options.get("include_usage") is True), has_end=True)
    return JsonResponse(completion.body())


def _completion(asked: ChatRequest, order: Order, call: CallFacts, *, order_id: UUID) -> Completion:
    """Return the reply: the tool's call if the last message is the customer's and a tool is declared for the status, else the sentence."""
    facts: dict[str, Any] = {"call": {"id": call.id, "number": call.number, "user": call.user}, "customer_id": call.customer_id}
    told: dict[str, Any] = {**order, **facts}
    placed = placed_before(asked.messages, TOOLS["confirmed"], TOOLS["cancelled"])
    if order["status"] == "confirmed":
        told |= {"order_id": str(order_id), "replaces": placed}
    elif order["status"] == "cancelled":
        told |= {"order_id": placed}
    last = last_turn(asked.messages)
    tool = None
    if last is not None and last.role == "user" and (placed is not None or order["status"] != "cancelled"):
        tool = next((tool for tool in tools_of(asked) if tool.name == TOOLS.get(order["status"])), None)
    arguments = None
    if tool is not None:
        arguments = {name: told[name] for name in ARGUMENTS if name in told and (not tool.fields or name in tool.fields)}
    return Completion(
        model=asked.model,
        text=sentence_of_tool(last) or order["say"]["text"],
        order=told,
        n_words_read=sum(len(message.text.split()) for message in asked.messages),
        tool=tool.name if tool is not None else None,
        arguments=arguments,
        is_legacy=tool is not None and tool.is_legacy,
    )


def _order_id(client: str, order: Order, call: CallFacts, n_turns: int) -> UUID:
    """Return the id of an order: of its call, turn and lines, or a random one if the call is unknown."""
    if call.id is None:
        return uuid4()
    return uuid5(ORDER_IDS, repr((client, order["menu"], call.id, n_turns, order["lines"])))
