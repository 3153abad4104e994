"""The wire format: types of requests, replies and the envelope, with their validators.

Requests are strict pydantic models that reject unknown keys. Replies are typed dictionaries: orjson serialises them without
a conversion, and pydantic describes them in the OpenAPI document.
"""

import binascii
import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, Literal, NotRequired, TypeVar, get_args

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    Json,
    JsonValue,
    RootModel,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import core_schema
from typing_extensions import TypedDict

from errors import FieldError

MAX_NESTING = 8  # option groups, one below the other
T = TypeVar("T")

_DATA_URL = re.compile(r"data:[^,\s]{0,200};base64,", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Model(BaseModel):
    """Base of requests and menu files.

    Types are strict; unknown keys are rejected; field names and aliases are accepted. The last of duplicate JSON keys counts.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


# --- Constrained types --------------------------------------------------------------------------------------------------------------


def nfc(text: str) -> str:
    """Normalise to NFC, so that each accented letter has one spelling."""
    return unicodedata.normalize("NFC", text)


def no_control_characters(text: str) -> str:
    """Reject control characters: Unicode category Cc, C0 and C1."""
    if _CONTROL.search(text) is not None:
        message = "control characters are not allowed"
        raise ValueError(message)
    return text


def whole_seconds_utc(moment: datetime) -> datetime:
    """Convert to UTC and drop microseconds; a time without a zone is UTC."""
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:  # on the calendar's first or last day
        message = "out of range in UTC"
        raise ValueError(message) from error
    return moment.replace(microsecond=0)


def unwrap_base64(text: str) -> str:
    """Remove what encoders add to base64: the head of a `data:` URL (RFC 2397) and line breaks (RFC 2045 section 6.8)."""
    if url := _DATA_URL.match(text):
        text = text[url.end() :]
    return text.replace("\r", "").replace("\n", "")


def decode_base64(text: str) -> bytes:
    """Decode RFC 4648 section 4 base64.

    Raises:
        ValueError: the text has other characters, such as spaces or the URL alphabet, or wrong padding.

    """
    message = "not valid base64"
    if len(text) % 4 or text.endswith("==="):  # the strict mode accepts padding after complete groups
        raise ValueError(message)
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(message) from error


def strict_base64(value: object) -> object:
    """Decode base64 after `unwrap_base64`; return bytes unchanged, and None for any other type, so that pydantic rejects it."""
    if isinstance(value, str):
        return decode_base64(unwrap_base64(value))
    return value if isinstance(value, bytes) else None


def text_as_none(value: object) -> object:
    """Return None for "null" and "". Browsers send null as "null" or "" in a query."""
    return None if value in ("null", "") else value


CustomerId = Annotated[int, Field(ge=1, le=2**53 - 1)]  # exact in JavaScript, too
NameStr = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(nfc)]
Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=200)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
Timestamp = Annotated[datetime, AfterValidator(whole_seconds_utc)]
Utterance = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(no_control_characters), AfterValidator(nfc)]
Audio = Annotated[
    bytes, BeforeValidator(strict_base64), Field(min_length=1), WithJsonSchema({"type": "string", "contentEncoding": "base64"})
]
Encoding = Literal["auto", "pcm_s16le", "mulaw", "alaw"]
RawEncoding = Literal["pcm_s16le", "mulaw", "alaw"]
Amount = Literal["no", "light", "extra", "regular"]
Quantity = Annotated[int, Field(ge=1, le=999)]
Portions = Annotated[int, Field(ge=1, le=99)]
LineIndex = Annotated[int, Field(ge=0)]
Spoken = Annotated[str, StringConstraints(max_length=2000), AfterValidator(nfc)]
CancelReason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(no_control_characters),
    AfterValidator(nfc),
]
# Positions in a client's list of orders: of the last one that was stored, and of the last one that was cancelled.
Cursor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}-[0-9]{1,18}$")]
Scope = Literal["speech", "order", "recommend", "menu"]
# Any JSON value, dropped by the validator: on_error="default" builds no Python object; a megabyte of `{}` would become 24 MB of them.
Ignored = Annotated[
    None,
    GetPydanticSchema(
        lambda _source, _handler: core_schema.with_default_schema(core_schema.none_schema(), default=None, on_error="default"),
        lambda _schema, _handler: {},
    ),
    Field(description="Accepted from a reply and ignored."),
]


# --- Requests -----------------------------------------------------------------------------------------------------------------------
# Default lists come from a factory: pydantic would deep-copy a default list for each request, a third of the validation's time.


class TokenRequest(Model):
    """The id and the key of a client, to exchange for tokens."""

    secret_id: str
    secret_key: str = Field(repr=False)


class RefreshRequest(Model):
    """A refresh token; each works once."""

    refresh_token: str = Field(repr=False)


class SpeechOptions(Model):
    """Parameters of audio in any of its three forms."""

    sample_rate: Annotated[int, Field(ge=8000, le=192_000)] | None = Field(None, validation_alias=AliasChoices("sample_rate", "hertz"))
    encoding: Encoding = "auto"
    channels: Annotated[int, Field(ge=1, le=8)] | None = None
    language: Language | None = None
    menu: Id | None = None
    words: bool = False


class SpeechRequest(SpeechOptions):
    """Audio, base64-encoded, and its parameters."""

    audio: Audio = Field(repr=False)


def null_as(default: Callable[[], object]) -> GetPydanticSchema:
    """Annotate a field whose null stands for its default; unlike a validator that runs first, it builds no Python object from JSON."""

    def schema(source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        nullable = core_schema.nullable_schema(handler(source))
        return core_schema.no_info_after_validator_function(lambda value: default() if value is None else value, nullable)

    return GetPydanticSchema(schema)


NULL_AS_EMPTY = null_as(list)
NULL_AS_ONE = null_as(lambda: 1)


# A request may have 20,000 options: 200 bytes each as a dataclass with slots, 650 as a model. Only `quantity` is strict, because only it
# would be coerced; a fully strict dataclass rejects dictionaries.
@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class OptionRequest:
    """An option of an order line."""

    group: Id
    choice: Id | None = None
    alternatives: Annotated[list[Id], Field(max_length=100), NULL_AS_EMPTY] = Field(default_factory=list)
    amount: Amount | None = None
    quantity: Portions = Field(default=1, strict=True)
    options: Annotated[list["OptionRequest"], Field(max_length=100), NULL_AS_EMPTY] = Field(default_factory=list)  # below the choice
    name: Ignored = None
    price: Ignored = None


Options = Annotated[list[OptionRequest], Field(max_length=100), NULL_AS_EMPTY]


class LineRequest(Model):
    """A line of the order so far; a line of a reply is accepted unchanged. Prices always come from the menu."""

    item: Id
    quantity: Annotated[Quantity, NULL_AS_ONE] = 1
    options: Options = Field(default_factory=list)
    note: Spoken | None = None
    name: Ignored = None
    unit_price: Ignored = None
    total: Ignored = None
    confidence: Ignored = None
    span: Ignored = None


class PendingRequest(Model):
    """The edit that the answer to a question completes."""

    op: Annotated[Literal["add", "set", "remove"], null_as(lambda: "add")] = "add"
    item: Id | None = None
    quantity: Annotated[Quantity, NULL_AS_ONE] = 1
    options: Options = Field(default_factory=list)


class QuestionRequest(Model):
    """A question that the customer was asked; one of an unknown kind is ignored."""

    kind: Annotated[str, StringConstraints(max_length=64)]
    line: LineIndex | None = None
    lines: Annotated[list[LineIndex], Field(max_length=200), NULL_AS_EMPTY] = Field(default_factory=list)
    group: Id | None = None
    choices: Annotated[list[Id], Field(max_length=1000), NULL_AS_EMPTY] = Field(default_factory=list)
    pending: PendingRequest | None = None
    times: Annotated[int, Field(ge=0, le=1000), NULL_AS_ONE] = 1
    path: Annotated[list[tuple[Id, Id]], Field(max_length=MAX_NESTING, strict=False), NULL_AS_EMPTY] = Field(default_factory=list)
    text: Ignored = None
    blocks: Ignored = None


class ChangeRequest(Model):
    """An edit of the turn before."""

    op: Annotated[str, StringConstraints(max_length=64)]
    line: LineIndex | None = None
    item: Id | None = None
    quantity: Annotated[int, Field(ge=0)] | None = None


class NoteRequest(Model):
    """A note of the conversation; one of an unknown kind is ignored."""

    kind: Annotated[str, StringConstraints(max_length=64)]
    line: LineIndex | None = None
    text: Annotated[Spoken, null_as(str)] = ""
    value: Annotated[str, StringConstraints(max_length=200)] | None = None


Lines = Annotated[list[LineRequest], Field(max_length=200), NULL_AS_EMPTY]
Questions = Annotated[list[QuestionRequest], Field(max_length=200), NULL_AS_EMPTY]
Changes = Annotated[list[ChangeRequest], Field(max_length=200), NULL_AS_EMPTY]
Notes = Annotated[list[NoteRequest], Field(max_length=200), NULL_AS_EMPTY]


class Conversation(Model):
    """The state of a conversation, as the last reply had it."""

    lines: Lines = Field(default_factory=list)
    questions: Questions = Field(default_factory=list)
    changes: Changes = Field(default_factory=list)
    notes: Notes = Field(default_factory=list)


class OrderOptions(Conversation, SpeechOptions):
    """The state of the conversation, and the parameters of audio in any of its three forms."""

    reply_language: Language | None = None
    at: Timestamp | None = Field(None, description="The time of the turn, for opening times; null: now.")
    offer: bool = False
    explain: bool = Field(default=False, description="True: the reply tells how the utterance was read.")
    customer_id: CustomerId | None = None


class OrderFields(OrderOptions):
    """OrderOptions as fields of a form or a query, where a list is a JSON string."""

    lines: Json[Lines] = Field(default_factory=list)
    questions: Json[Questions] = Field(default_factory=list)
    changes: Json[Changes] = Field(default_factory=list)
    notes: Json[Notes] = Field(default_factory=list)


class OrderRequest(OrderOptions):
    """An utterance, as text or as audio, and the state of the conversation."""

    text: Utterance | None = Field(None, repr=False)
    audio: Audio | None = Field(None, repr=False)

    @model_validator(mode="after")
    def text_or_audio(self) -> "OrderRequest":
        """Reject a request with neither text nor audio, or with both."""
        if (self.text is None) == (self.audio is None):
            message = "give either text or audio"
            raise ValueError(message)
        return self


class LiveOptions(Model):
    """The query of a live connection."""

    menu: Id | None = None
    language: Annotated[Language | None, BeforeValidator(text_as_none)] = None
    sample_rate: Annotated[int, Field(ge=8000, le=192_000)] = 16_000
    encoding: RawEncoding = "pcm_s16le"
    speak: bool = False


class LiveLines(Conversation):
    """Replaces the state of the connection's conversation."""

    type: Literal["lines"]
    lines: list[LineRequest] = Field(max_length=200)


class LiveEnd(Model):
    """Ends the utterance."""

    type: Literal["end"]


class LiveKeepalive(Model):
    """Keeps the connection while nothing is sent."""

    type: Literal["keepalive"]


class LiveCommand(RootModel[Annotated[LiveLines | LiveEnd | LiveKeepalive, Field(discriminator="type")]]):
    """A text frame from the caller."""


class StoreOrderRequest(Model):
    """An order to store."""

    menu: Id
    lines: list[LineRequest] = Field(min_length=1, max_length=200)
    notes: Notes = Field(default_factory=list)
    customer_id: CustomerId | None = None
    placed_at: Timestamp | None = None


class CancelQuery(Model):
    """The query of a cancellation."""

    reason: CancelReason | None = Field(None, description="Why, for whoever reads the order: at most 500 characters.")


class OrdersQuery(Model):
    """The query of a list of orders."""

    after: Cursor | None = Field(None, description="`after` of the reply before; without it the list begins with the first order.")
    limit: Annotated[int, Field(ge=1, le=200)] = Field(50, description="The most orders of a reply.")
    menu: Id | None = Field(None, description="Only orders from this menu.")
    status: Literal["stored", "cancelled"] | None = Field(None, description="Only orders that are not cancelled, or only cancelled ones.")
    customer_id: CustomerId | None = Field(None, description="Only orders of this customer.")
    placed_from: Timestamp | None = Field(None, description="Only orders that were placed then or later.")
    placed_before: Timestamp | None = Field(None, description="Only orders that were placed earlier.")


class BasketItem(Model):
    """An item in the basket."""

    item: Id
    quantity: Quantity = 1


class RecommendRequest(Model):
    """A basket, the customer and the time."""

    menu: Id
    items: list[BasketItem] = Field(max_length=200)
    customer_id: CustomerId | None = None
    at: Timestamp | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 5
    exclude: list[Id] = Field(default_factory=list, max_length=1000)


class AvailabilityRequest(Model):
    """Sells out an item or a choice, or brings it back."""

    available: bool


# --- Replies ------------------------------------------------------------------------------------------------------------------------


class Envelope(BaseModel, Generic[T]):
    """Every reply: `code` is the HTTP status, `msg` one sentence for a person."""

    code: int
    msg: str
    data: T


class Word(TypedDict):
    """A recognised word; times count from the start of the audio."""

    word: str
    start_s: float
    end_s: float
    confidence: float | None


class Segment(TypedDict):
    """A speech segment; times count from the start of the audio."""

    start_s: float
    end_s: float
    text: str
    confidence: float | None
    words: NotRequired[list[Word]]


class Transcript(TypedDict):
    """The recognised text; silence and noise give an empty text and no segments."""

    text: str
    language: str | None
    language_confidence: float | None
    duration_s: float
    segments: list[Segment]
    processing_ms: float


class Option(TypedDict):
    """An option as ordered; `choice` is null if the words fit each of `alternatives`. Nested `options` are priced apart."""

    group: str
    choice: str | None
    alternatives: NotRequired[list[str]]
    name: str
    amount: Amount | None
    quantity: int
    price: int
    options: NotRequired[list["Option"]]


class Line(TypedDict):
    """A line of the order; `span` is its place in the utterance in code points, null if the utterance did not change it."""

    item: str
    name: str
    quantity: int
    options: list[Option]
    unit_price: int
    total: int
    confidence: float | None
    span: tuple[int, int] | None
    note: NotRequired[str]


class Change(TypedDict):
    """An edit of the order; `line` is an index in the new lines, except for `remove`: there in the old ones."""

    op: Literal["add", "set", "remove"]
    line: int
    item: str
    quantity: int


class Pending(TypedDict):
    """The edit that the answer to a question completes."""

    op: Literal["add", "set", "remove"]
    item: NotRequired[str]
    quantity: int
    options: list[Option]


class Question(TypedDict):
    """An open question; `choices` are ids of choices if there is a group, else of items. One answer may serve several `lines`.

    `path`: the groups and choices above the group, outermost first. `blocks`: the order is incomplete without the answer. `times`:
    consecutive turns in which the question was asked.
    """

    kind: Literal["ambiguous", "missing", "unavailable", "check", "offer", "more", "confirm"]
    line: int | None
    lines: NotRequired[list[int]]
    group: str | None
    path: NotRequired[list[tuple[str, str]]]
    choices: list[str]
    text: str
    blocks: bool
    pending: NotRequired[Pending]
    times: int


NoteKind = Literal["allergy", "diet", "person", "service", "offer", "other"]
NOTE_KINDS: dict[str, NoteKind] = {kind: kind for kind in get_args(NoteKind)}


class Note(TypedDict):
    """What the customer said besides the order; `line` is null for the whole order."""

    kind: NoteKind
    line: int | None
    text: str
    value: NotRequired[str]


class Say(TypedDict):
    """The shop's next sentence, ready for speech synthesis."""

    text: str
    language: str


class FeatureCost(TypedDict):
    """A feature of an arc or an event: `cost` is `value` times `weight`. A negative cost speaks for the parse."""

    feature: str
    value: float
    weight: float
    cost: float


class FeatureDifference(TypedDict):
    """A feature that two parses have with different values; `cost` is what it adds to the runner-up over the chosen parse."""

    feature: str
    chosen: float
    runner_up: float
    weight: float
    cost: float


class ParsedToken(TypedDict):
    """A token in its normal form; `span` is its place in the parsed utterance in code points."""

    text: str
    span: tuple[int, int]


class NamedId(TypedDict):
    """An item, or a choice of an option group, with its name."""

    group: NotRequired[str]
    id: str
    name: str


class ParsedArc(TypedDict):
    """Words that were read in one role; `value`: of a number, an amount, ...; `fits`: the items or choices that a name fits.

    `partial`: only a part of the name was said.
    """

    span: tuple[int, int]
    text: str
    role: str
    value: str | int | None
    fits: list[NamedId]
    partial: bool
    cost: float
    features: list[FeatureCost]


class ParsedEvent(TypedDict):
    """A step of the parse, and its attributes; `n_arcs` is the number of arcs that were read before it."""

    event: str
    attributes: dict[str, str | int | bool | list[str]]
    n_arcs: int
    cost: float
    features: list[FeatureCost]


class LineEdit(TypedDict):
    """The change of a line by an edit, in short; `line` is its index in the draft, where removed lines keep their place."""

    line: int
    before: str | None
    after: str | None


class ParsedEdit(TypedDict):
    """An edit of the draft, and the words that made it; `span` is null if no words did."""

    span: tuple[int, int] | None
    text: str
    lines: list[LineEdit]


class ChosenParse(TypedDict):
    """The parse that the reply follows: its order in short, and its derivation.

    `probability`: of the order, over all parses; `cost`: of this parse, the sum over its arcs and events; `unresolved`: lines whose
    words fit several items, or none that is available; `unread`: words without a role.
    """

    order: list[str]
    unresolved: list[str]
    probability: float
    cost: float
    arcs: list[ParsedArc]
    events: list[ParsedEvent]
    edits: list[ParsedEdit]
    unread: list[str]


class RunnerUp(TypedDict):
    """The likeliest parse with another order. `arcs`: those that the chosen parse lacks; `differences`: the heaviest first."""

    order: list[str]
    unresolved: list[str]
    probability: float
    cost: float
    arcs: list[ParsedArc]
    differences: list[FeatureDifference]


class AskedQuestion(TypedDict):
    """The open question that an utterance was read to answer."""

    kind: str
    line: int | None
    group: str | None
    choices: list[str]


class Explanation(TypedDict):
    """How an utterance was read.

    `utterance`: as it was parsed, with spaces for allergies, diets, and numbers that count nothing. `acts`: the probabilities of the
    acts by the words alone, where `edit` stands for every act that changes the order. Of a list only the first 100 entries are there,
    and only the ten heaviest features.
    """

    utterance: str
    tokens: list[ParsedToken]
    asked: AskedQuestion | None
    act: str
    acts: dict[str, float]
    chosen: ChosenParse
    runner_up: RunnerUp | None


class Order(TypedDict):
    """The state of the conversation after the utterance, and the shop's next sentence."""

    menu: str
    lines: list[Line]
    total: int
    currency: str
    act: Literal[
        "human", "cancel", "answer", "order", "change", "remove", "done", "deny", "confirm", "question", "repeat", "smalltalk", "none"
    ]
    status: Literal["handoff", "cancelled", "asking", "confirmed", "confirming", "open"]
    say: Say
    changes: list[Change]
    questions: list[Question]
    unmatched: list[str]
    notes: list[Note]
    transcript: NotRequired[Transcript]
    explain: NotRequired[Explanation]


class LivePartial(TypedDict):
    """An intermediate result of an utterance; the first `stable` characters of the text will not change."""

    type: Literal["partial"]
    text: str
    stable: int
    lines: list[Line]
    total: int


class LiveFinal(Order):
    """The order after an utterance, and its transcript; times count from the connection's first sample.

    `ended_by` is "end" after an `end` command, which always gets a reply, else "pause".
    """

    type: Literal["final"]
    ended_by: Literal["pause", "end"]
    text: str
    language: str | None
    segments: list[Segment]


class SpeechStart(TypedDict):
    """The audio of a reply, or of the rest of it, begins."""

    type: Literal["speech_start"]
    text: str
    language: str


class SpeechEnd(TypedDict):
    """The audio of a reply has ended; if it was interrupted, what was not played is to be dropped."""

    type: Literal["speech_end"]
    interrupted: bool


class LiveFailure(TypedDict):
    """An error on the live route; `error` is one of the words that docs/api.md lists."""

    type: Literal["error"]
    error: str
    request_id: str
    errors: NotRequired[list[FieldError]]


class Cancellation(TypedDict):
    """When an order was cancelled, and why."""

    at: str
    reason: str | None


class StoredOrder(TypedDict):
    """A stored order, priced when it was stored; only a cancelled one has `cancelled`."""

    order_id: str
    menu: str
    lines: list[Line]
    notes: list[Note]
    total: int
    currency: str
    customer_id: int | None
    placed_at: str
    cancelled: NotRequired[Cancellation]


class OrderList(TypedDict):
    """A part of a client's list of orders; `after` continues it, and `more` tells whether there is more already."""

    orders: list[StoredOrder]
    after: str
    more: bool


class Reason(TypedDict):
    """The reason of a suggestion; `share` is the fraction of orders that supports the text."""

    kind: Literal["with", "usual", "popular", "menu"]
    item: str | None
    share: float | None
    text: str


class Suggestion(TypedDict):
    """A suggested item."""

    item: str
    name: str
    price: int
    currency: str
    score: float
    reason: Reason


class Suggestions(TypedDict):
    """Suggestions, best first."""

    items: list[Suggestion]


class Tokens(TypedDict):
    """A new access token and a new refresh token."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class MenuSummary(TypedDict):
    """A served menu, in short."""

    id: str
    name: str
    currency: str
    languages: Sequence[str]
    items: int


class MenuList(TypedDict):
    """The served menus."""

    menus: list[MenuSummary]


class MenuDetail(TypedDict):
    """A menu as loaded."""

    menu: dict[str, JsonValue]


class MenuId(TypedDict):
    """The id of a menu."""

    id: str


class PartAvailability(TypedDict):
    """What the menu says about an item, or a choice of an option group, whatever the time."""

    menu: str
    item: NotRequired[str]
    group: NotRequired[str]
    choice: NotRequired[str]
    available: bool


class Health(TypedDict):
    """The process answers; `version` is APP_VERSION."""

    status: Literal["ok"]
    version: str


class Links(TypedDict):
    """Paths of the documentation and of the page to try the service."""

    documentation: str
    openapi: str
    page: str


class Readiness(TypedDict):
    """The checks, true if they pass, and the problem of each broken menu file."""

    checks: dict[str, bool]
    problems: dict[str, str]
