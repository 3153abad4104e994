"""A request for a chat completion: the messages as a conversation, and what a platform tells about the call."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue, TypeAdapter, ValidationError

from errors import ValidationFailed
from schemas import CustomerId, Id, Timestamp
from voice.dialog.replay import Exchange, Setting

# As on the order route; a spoken utterance has some ten words.
MAX_UTTERANCE_CHARACTERS: Final = 2000
# Of the customer; ten minutes of speech have 1,500 words.
MAX_TURNS, MAX_CONVERSATION_CHARACTERS = 200, 20_000
# Of an id, a number or a name that a platform gives and the order returns.
MAX_FACT_CHARACTERS = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_].*)?", re.IGNORECASE)
_CUSTOMER: TypeAdapter[int] = TypeAdapter(CustomerId)
_AT: TypeAdapter[datetime] = TypeAdapter(Timestamp)

# Fields in which platforms send facts about a call. The first field with a value is used.
_EXTRAS = ("metadata", "elevenlabs_extra_body", "custom_llm_extra_body", "")
_CALL_IDS = ("call.id", "call.callId", *(f"{extra}.{name}" for extra in _EXTRAS for name in ("session_id", "call_id", "conversation_id")))
_NUMBERS = ("customer.number", "call.customer.number", *(f"{extra}.{name}" for extra in _EXTRAS for name in ("number", "caller_number")))
_LANGUAGES = tuple(f"{extra}.language" for extra in _EXTRAS)
_CUSTOMER_IDS = tuple(f"{extra}.customer_id" for extra in _EXTRAS)
_ATS = tuple(f"{extra}.at" for extra in _EXTRAS)
_USERS = ("user", "user_id")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


class Message(BaseModel):
    """A message of the conversation."""

    model_config = ConfigDict(extra="ignore")

    role: str = ""
    content: JsonValue = None
    tool_calls: Annotated[list[Any], BeforeValidator(_list)] = []
    function_call: JsonValue = None

    @property
    def text(self) -> str:
        """The text, of all parts that have some."""
        if isinstance(self.content, str):
            return self.content
        parts = [part.get("text") for part in _list(self.content) if isinstance(part, dict)]
        return " ".join(part for part in parts if isinstance(part, str))

    @property
    def calls_a_tool(self) -> bool:
        """True for an assistant's message that calls a tool."""
        return bool(self.tool_calls or self.function_call)


class ChatRequest(BaseModel):
    """The body of a request; `model` is the menu.

    Fields that are not listed are kept, for `fact`. A wrong type is an error in `model` and `messages` alone: platforms change the rest.
    """

    model_config = ConfigDict(extra="allow")

    model: Id
    messages: list[Message]
    stream: JsonValue = False
    stream_options: Annotated[Mapping[str, Any], BeforeValidator(_mapping)] = {}
    tools: Annotated[list[Any], BeforeValidator(_list)] = []
    functions: Annotated[list[Any], BeforeValidator(_list)] = []
    tool_choice: JsonValue = None

    def fact(self, *places: str) -> Any:
        """Return the first of the places ("call.id") that has a value, else None."""
        found = (self._at(place) for place in places)
        return next((value for value in found if value not in (None, "")), None)

    def _at(self, place: str) -> Any:
        value: Any = self.model_extra
        for step in filter(None, place.split(".")):
            value = _mapping(value).get(step)
        return value


class Tool(NamedTuple):
    """A function that the caller offers; `fields`: the arguments that it declares, none if it declares no fields."""

    name: str
    fields: Sequence[str]
    is_legacy: bool  # in `functions`, which older clients send in place of `tools`


class CallFacts(NamedTuple):
    """What the caller tells about the call."""

    id: str | None
    number: str | None
    user: str | None
    customer_id: int | None
    setting: Setting


def call_facts(request: ChatRequest, session_id: str) -> CallFacts:
    """Return what a request tells about its call; `session_id`: of the header, "" if it has none."""
    id_ = session_id or _short(request.fact(*_CALL_IDS))
    user = _short(request.fact(*_USERS))
    language = _LANGUAGE.fullmatch(str(request.fact(*_LANGUAGES) or ""))
    setting = Setting(language[1].lower() if language else None, _valid(_AT, request.fact(*_ATS)), id_ or "")
    given = request.fact(*_CUSTOMER_IDS)
    customer_id = _valid(_CUSTOMER, given if given is not None else user)
    return CallFacts(id_ or None, _short(request.fact(*_NUMBERS)), user, customer_id, setting)


def exchanges_of(messages: Sequence[Message]) -> list[Exchange]:
    """Return the turns of the customer. Messages of the customer without a reply in between are one turn: the shop had not spoken yet.

    Raises:
        ValidationFailed: an utterance or the conversation is too long.

    """
    turns: list[tuple[str, str]] = []  # what the shop said before, the utterance
    heard, has_replied = "", True
    for number, message in enumerate(messages):
        if message.role == "assistant":
            has_replied = has_replied or bool(message.text.strip()) or message.calls_a_tool
            heard = f"{heard} {message.text}".strip()
        elif message.role == "user":
            utterance = _CONTROL.sub(" ", message.text).strip()
            if has_replied:
                turns.append((heard, utterance))
            else:
                turns[-1] = turns[-1][0], f"{turns[-1][1]} {utterance}".strip()
            heard, has_replied = "", False
            if len(turns[-1][1]) > MAX_UTTERANCE_CHARACTERS:
                raise _too_long(number, f"an utterance has more than {MAX_UTTERANCE_CHARACTERS} characters")
    if len(turns) > MAX_TURNS or sum(len(utterance) for _, utterance in turns) > MAX_CONVERSATION_CHARACTERS:
        raise _too_long(None, f"the customer speaks more than {MAX_TURNS} times or {MAX_CONVERSATION_CHARACTERS} characters")
    return [Exchange(utterance, heard) for heard, utterance in turns]


def last_turn(messages: Sequence[Message]) -> Message | None:
    """Return the last message that is none of instructions; None if there is none."""
    return next((message for message in reversed(messages) if message.role in {"user", "assistant", "tool", "function"}), None)


def sentence_of_tool(message: Message | None) -> str | None:
    """Return the `say` of a tool's result, which takes the place of the shop's own sentence; None if it has none."""
    if message is None or message.role not in {"tool", "function"}:
        return None
    said = _json_object(message.text).get("say")
    return said if isinstance(said, str) and said else None


def placed_before(messages: Sequence[Message], place: str, cancel: str) -> str | None:
    """Return the order id of the last call of the tool `place` if no call of `cancel` followed; None without one."""
    placed = None
    for message in messages:
        called = [_mapping(_mapping(call).get("function")) for call in message.tool_calls]
        for function in [*called, _mapping(message.function_call)]:
            if function.get("name") == place:
                placed = _short(_json_object(function.get("arguments")).get("order_id"))
            elif function.get("name") == cancel:
                placed = None
    return placed


def tools_of(request: ChatRequest) -> Iterator[Tool]:
    """Yield the functions that may be called."""
    if request.tool_choice == "none":
        return
    declared = [(_mapping(_mapping(tool).get("function")), False) for tool in request.tools]
    for function, is_legacy in [*declared, *((_mapping(function), True) for function in request.functions)]:
        name = function.get("name")
        if isinstance(name, str):
            yield Tool(name, [*_mapping(_mapping(function.get("parameters")).get("properties"))], is_legacy)


def _json_object(text: object) -> Mapping[str, Any]:
    """Return the object of a JSON text, or an object as it is; an empty one for anything else."""
    if not isinstance(text, str):
        return _mapping(text)
    try:
        return _mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _too_long(number: int | None, message: str) -> ValidationFailed:
    loc: list[str | int] = ["messages"] if number is None else ["messages", number, "content"]
    return ValidationFailed(errors=[{"loc": loc, "msg": message, "type": "too_long"}])


def _short(value: object) -> str | None:
    """Return a text or a number as a text; None if it is neither, empty or too long."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if 0 < len(text) <= MAX_FACT_CHARACTERS else None


def _valid(adapter: TypeAdapter[Any], value: object) -> Any:
    """Return the validated value; None if it is not valid."""
    try:
        return adapter.validate_python(value) if value is not None else None
    except ValidationError:
        return None
