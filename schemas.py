"""The wire format: types of menu files, requests, replies and the envelope, with their validators.

Requests and menu files are strict pydantic models that reject unknown keys. Replies are typed dictionaries: orjson serialises them without
a conversion, and pydantic describes them in the OpenAPI document.
"""

import binascii
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, NotRequired, Self, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    Json,
    JsonValue,
    RootModel,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import core_schema
from typing_extensions import TypedDict

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


PrimaryKey = Annotated[int, Field(ge=1, le=2_147_483_647)]
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
Scope = Literal["speech", "order", "recommend"]
# Any JSON value, dropped by the validator: on_error="default" builds no Python object; a megabyte of `{}` would become 24 MB of them.
Ignored = Annotated[
    None,
    GetPydanticSchema(
        lambda _source, _handler: core_schema.with_default_schema(core_schema.none_schema(), default=None, on_error="default"),
        lambda _schema, _handler: {},
    ),
    Field(description="Accepted from a reply and ignored."),
]


# --- Menu files ---------------------------------------------------------------------------------------------------------------------

_TEXT = TypeAdapter(Annotated[NameStr, Field(strict=True)])
_TEXT_BY_LANGUAGE = TypeAdapter(Annotated[dict[Language, Annotated[NameStr, Field(strict=True)]], Field(min_length=1)])


class Name(str):
    """A name: the string in the menu's first language, so that code without a language uses it as it is, and the names by language.

    `by_language` is empty where the file has one string. Equality and hash are those of the string.
    """

    __slots__ = ("by_language",)
    by_language: Mapping[str, str]

    def __new__(cls, text: str, by_language: Mapping[str, str] | None = None) -> Self:
        """Create a name."""
        name = super().__new__(cls, text)
        name.by_language = by_language or {}
        return name

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> core_schema.CoreSchema:
        """Accept a string or a mapping from languages to strings; serialise to the same."""
        to_file = core_schema.plain_serializer_function_ser_schema(lambda name: dict(name.by_language) or str(name))
        return core_schema.no_info_plain_validator_function(cls._parse, serialization=to_file)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: object, handler: object) -> dict[str, Any]:
        """Describe both forms."""
        text = _TEXT.json_schema()
        return {"anyOf": [text, {"type": "object", "additionalProperties": text, "minProperties": 1}]}

    @classmethod
    def _parse(cls, value: object) -> "Name":
        """Parse a name of a file; a ValidationError has its place below the name."""
        if isinstance(value, dict):
            by_language = _TEXT_BY_LANGUAGE.validate_python(value)
            return cls(next(iter(by_language.values())), by_language)
        return value if isinstance(value, Name) else cls(_TEXT.validate_python(value))

    def led_by(self, language: str) -> "Name":
        """Return the name with its string in a language, if it has one."""
        return Name(self.by_language.get(language, str(self)), self.by_language)


# The largest total fits 64 bits: 200 lines of 999, each with its item, 100 options of 99 portions and 100 defaults, are 8.0e18 of 9.2e18.
MAX_PRICE = 4_000_000_000


class Choice(Model):
    """A choice of an option group; its price is added to the item's price and may be negative."""

    name: Name
    aliases: tuple[NameStr, ...] = Field((), strict=False)
    price: Annotated[int, Field(ge=-MAX_PRICE, le=MAX_PRICE)] = 0


class OptionGroup(Model):
    """A group of choices that items may offer."""

    name: Name
    select: Literal["one", "many"] = "one"
    default: Id | None = Field(None, description="The choice that is priced if none is ordered.")
    choices: dict[Id, Choice]

    @model_validator(mode="after")
    def default_is_a_choice(self) -> "OptionGroup":
        """Reject a default that is not a choice."""
        if self.default is not None and self.default not in self.choices:
            message = f"default {self.default!r} is not a choice of the group"
            raise ValueError(message)
        return self


class Item(Model):
    """An item of the menu."""

    name: Name
    aliases: tuple[NameStr, ...] = Field((), strict=False)
    category: Name | None = None
    price: Annotated[int, Field(ge=0, le=MAX_PRICE)]
    options: tuple[Id, ...] = Field((), strict=False, max_length=100)
    available: bool = True


class Menu(Model):
    """A menu file. Prices are integers in the currency's minor unit."""

    id: Id
    name: Name
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    languages: tuple[Language, ...] = Field(("vi", "en"), strict=False)
    option_groups: dict[Id, OptionGroup] = {}
    items: dict[Id, Item]

    @model_validator(mode="after")
    def names_are_in_the_first_language(self) -> "Menu":
        """Let each name's string be in the menu's first language."""
        if self.languages:
            first = self.languages[0]
            choices = [choice for group in self.option_groups.values() for choice in group.choices.values()]
            for named in (self, *self.items.values(), *self.option_groups.values(), *choices):
                for field in ("name", "category"):
                    name = getattr(named, field, None)
                    if isinstance(name, Name) and name.by_language:
                        named.__dict__[field] = name.led_by(first)
        return self

    @model_validator(mode="after")
    def options_are_groups(self) -> "Menu":
        """Reject an item with an unknown option group."""
        for id_, item in self.items.items():
            for group in item.options:
                if group not in self.option_groups:
                    message = f"item {id_!r} names the unknown option group {group!r}"
                    raise ValueError(message)
        return self


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


# A request may have 20,000 options: 200 bytes each as a dataclass with slots, 650 as a model. Only `quantity` is strict, because only it
# would be coerced; a fully strict dataclass rejects dictionaries.
@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class OptionRequest:
    """An option of an order line."""

    group: Id
    choice: Id | None = None
    alternatives: list[Id] = Field(default_factory=list, max_length=100)
    amount: Amount | None = None
    quantity: Portions = Field(default=1, strict=True)
    name: Ignored = None
    price: Ignored = None


class LineRequest(Model):
    """A line of the order so far; a line of a reply is accepted unchanged. Prices always come from the menu."""

    item: Id
    quantity: Quantity = 1
    options: list[OptionRequest] = Field(default_factory=list, max_length=100)
    name: Ignored = None
    unit_price: Ignored = None
    total: Ignored = None
    confidence: Ignored = None
    span: Ignored = None


class OrderOptions(SpeechOptions):
    """The order so far, and the parameters of audio in any of its three forms."""

    lines: list[LineRequest] = Field(default_factory=list, max_length=200)
    customer_id: PrimaryKey | None = None


class OrderFields(OrderOptions):
    """OrderOptions as fields of a form or a query, where a list is a JSON string."""

    lines: Json[Annotated[list[LineRequest], Field(max_length=200)]] = Field(default_factory=list)


class OrderRequest(OrderOptions):
    """An utterance, as text or as audio, and the order so far."""

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


class LiveLines(Model):
    """Replaces the order of the connection."""

    type: Literal["lines"]
    lines: list[LineRequest] = Field(max_length=200)


class LiveEnd(Model):
    """Ends the utterance."""

    type: Literal["end"]


class LiveCommand(RootModel[Annotated[LiveLines | LiveEnd, Field(discriminator="type")]]):
    """A text frame from the caller."""


class StoreOrderRequest(Model):
    """An order to store."""

    menu: Id
    lines: list[LineRequest] = Field(min_length=1, max_length=200)
    customer_id: PrimaryKey | None = None
    placed_at: Timestamp | None = None


class BasketItem(Model):
    """An item in the basket."""

    item: Id
    quantity: Quantity = 1


class RecommendRequest(Model):
    """A basket, the customer and the time."""

    menu: Id
    items: list[BasketItem] = Field(max_length=200)
    customer_id: PrimaryKey | None = None
    at: Timestamp | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 5
    exclude: list[Id] = Field(default_factory=list, max_length=1000)


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
    """An option as ordered; `choice` is null if the words fit each of `alternatives`."""

    group: str
    choice: str | None
    alternatives: NotRequired[list[str]]
    name: str
    amount: Amount | None
    quantity: int
    price: int


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
    """An open question; `choices` are ids of choices if there is a group, else of items.

    `blocks`: the order is incomplete without the answer. `times`: consecutive turns in which the question was asked.
    """

    kind: Literal["ambiguous", "unavailable", "missing", "check"]
    line: int | None
    group: str | None
    choices: list[str]
    text: str
    blocks: bool
    pending: NotRequired[Pending]
    times: int


class Order(TypedDict):
    """The order after the utterance."""

    menu: str
    lines: list[Line]
    total: int
    currency: str
    changes: list[Change]
    unmatched: list[str]
    questions: list[Question]
    transcript: NotRequired[Transcript]


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


class StoredOrder(TypedDict):
    """A stored order, priced when it was stored."""

    order_id: str
    menu: str
    lines: list[Line]
    total: int
    currency: str
    customer_id: int | None
    placed_at: str


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
