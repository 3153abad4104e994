"""The wire: menu files, requests, replies, the envelope. Shapes only, no behaviour.

Requests and menu files are pydantic models: strict, closed, validated. Replies are typed dictionaries, so that orjson writes what the
domain made as it is, and pydantic describes the same types in the OpenAPI document.
"""

import binascii
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import TypedDict

T = TypeVar("T")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Model(BaseModel):
    """Base of all that comes in: strict types, no unknown keys, aliases and names both accepted. Of duplicate JSON keys the last counts."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


# --- Constrained types --------------------------------------------------------------------------------------------------------------


def nfc(text: str) -> str:
    """Normalise to NFC: one spelling for each accented letter."""
    return unicodedata.normalize("NFC", text)


def no_control_characters(text: str) -> str:
    """Refuse Unicode category Cc, C0 and C1 alike."""
    if _CONTROL.search(text) is not None:
        message = "control characters are not allowed"
        raise ValueError(message)
    return text


def whole_seconds_utc(moment: datetime) -> datetime:
    """Read a moment without a zone as UTC; drop microseconds."""
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:  # at the calendar's first or last day, in a zone that leads out of it
        message = "out of range in UTC"
        raise ValueError(message) from error
    return moment.replace(microsecond=0)


def strict_base64(value: object) -> object:
    """Decode RFC 4648 section 4 base64; junk, spaces, the URL alphabet and wrong padding are errors."""
    if not isinstance(value, str):
        return value if isinstance(value, bytes) else None
    message = "not valid base64"
    if len(value) % 4 or value.endswith("==="):  # the strict mode lets padding after whole groups pass
        raise ValueError(message)
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(message) from error


def none_as_text(value: object) -> object:
    """Read what browsers make of null in a query."""
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
Ignored = Annotated[Any, Field(description="Accepted from a reply and ignored.")]


# --- Menu files ---------------------------------------------------------------------------------------------------------------------


class Choice(Model):
    """One choice of an option group; its price is added to the item's and may be negative."""

    name: NameStr
    aliases: tuple[NameStr, ...] = Field((), strict=False)
    price: int = 0


class OptionGroup(Model):
    """A set of choices that items may offer."""

    name: NameStr
    select: Literal["one", "many"] = "one"
    default: Id | None = Field(None, description="Priced where nothing was spoken.")
    choices: dict[Id, Choice]

    @model_validator(mode="after")
    def default_is_a_choice(self) -> "OptionGroup":
        """Refuse a default that dangles."""
        if self.default is not None and self.default not in self.choices:
            message = f"default {self.default!r} is not a choice of the group"
            raise ValueError(message)
        return self


class Item(Model):
    """Something that can be ordered."""

    name: NameStr
    aliases: tuple[NameStr, ...] = Field((), strict=False)
    category: NameStr | None = None
    price: Annotated[int, Field(ge=0)]
    options: tuple[Id, ...] = Field((), strict=False)
    available: bool = True


class Menu(Model):
    """A menu file. Prices are integers in the currency's minor unit."""

    id: Id
    name: NameStr
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    languages: tuple[Language, ...] = Field(("vi", "en"), strict=False)
    option_groups: dict[Id, OptionGroup] = {}
    items: dict[Id, Item]

    @model_validator(mode="after")
    def options_are_groups(self) -> "Menu":
        """Refuse an item that names a group which is not there."""
        for id_, item in self.items.items():
            for group in item.options:
                if group not in self.option_groups:
                    message = f"item {id_!r} names the option group {group!r}, which is not there"
                    raise ValueError(message)
        return self


# --- Requests -----------------------------------------------------------------------------------------------------------------------
# Lists default by factory: a default list would be deep-copied for each request, which costs as much as a third of the validation.


class TokenRequest(Model):
    """A client's credentials, to be exchanged for tokens."""

    secret_id: str
    secret_key: str = Field(repr=False)


class RefreshRequest(Model):
    """A refresh token; each works once."""

    refresh_token: str = Field(repr=False)


class SpeechOptions(Model):
    """What may be said about audio, whatever form it comes in."""

    sample_rate: Annotated[int, Field(ge=8000, le=192_000)] | None = Field(None, validation_alias=AliasChoices("sample_rate", "hertz"))
    encoding: Encoding = "auto"
    channels: Annotated[int, Field(ge=1, le=8)] | None = None
    language: Language | None = None
    menu: Id | None = None
    words: bool = False


class SpeechRequest(SpeechOptions):
    """Audio, base64-encoded, and what is known about it."""

    audio: Audio = Field(repr=False)


class OptionRequest(Model):
    """An option of the order so far."""

    group: Id
    choice: Id | None = None
    alternatives: list[Id] = Field(default_factory=list, max_length=100)
    amount: Amount | None = None
    quantity: Portions = 1
    name: Ignored = None
    price: Ignored = None


class LineRequest(Model):
    """A line of the order so far; a reply's line may be sent back as it came. Prices always come from the menu."""

    item: Id
    quantity: Quantity = 1
    options: list[OptionRequest] = Field(default_factory=list, max_length=100)
    name: Ignored = None
    unit_price: Ignored = None
    total: Ignored = None
    confidence: Ignored = None
    span: Ignored = None


class OrderRequest(SpeechOptions):
    """An utterance, as text or as audio, and the order so far."""

    text: Utterance | None = Field(None, repr=False)
    audio: Audio | None = Field(None, repr=False)
    lines: list[LineRequest] = Field(default_factory=list, max_length=200)
    customer_id: PrimaryKey | None = None

    @model_validator(mode="after")
    def text_or_audio(self) -> "OrderRequest":
        """Exactly one of the two says what was spoken."""
        if (self.text is None) == (self.audio is None):
            message = "give either text or audio"
            raise ValueError(message)
        return self


class LiveOptions(Model):
    """The query of a connection on which somebody speaks."""

    menu: Id | None = None
    language: Annotated[Language | None, BeforeValidator(none_as_text)] = None
    sample_rate: Annotated[int, Field(ge=8000, le=192_000)] = 16_000
    encoding: RawEncoding = "pcm_s16le"


class LiveLines(Model):
    """The order so far, in place of what was understood up to now."""

    type: Literal["lines"]
    lines: list[LineRequest] = Field(max_length=200)


class LiveEnd(Model):
    """The speaker has ended."""

    type: Literal["end"]


class LiveCommand(RootModel[Annotated[LiveLines | LiveEnd, Field(discriminator="type")]]):
    """A text frame from a speaker."""


class StoreOrderRequest(Model):
    """An order to be kept."""

    menu: Id
    lines: list[LineRequest] = Field(min_length=1, max_length=200)
    customer_id: PrimaryKey | None = None
    placed_at: Timestamp | None = None


class BasketItem(Model):
    """An item in the basket."""

    item: Id
    quantity: Quantity = 1


class RecommendRequest(Model):
    """A basket, and who asks when."""

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
    """A word heard, with its time from the start of the audio."""

    word: str
    start_s: float
    end_s: float
    confidence: float | None


class Segment(TypedDict):
    """A stretch of speech."""

    start_s: float
    end_s: float
    text: str
    confidence: float | None
    words: NotRequired[list[Word]]


class Transcript(TypedDict):
    """What was heard; silence and noise give an empty text and no segments."""

    text: str
    language: str | None
    language_confidence: float | None
    duration_s: float
    segments: list[Segment]
    processing_ms: float


class Option(TypedDict):
    """An option as spoken; `choice` is null where the words fit each of `alternatives`."""

    group: str
    choice: str | None
    alternatives: NotRequired[list[str]]
    name: str
    amount: Amount | None
    quantity: int
    price: int


class Line(TypedDict):
    """A line of the order; `span` is where the utterance says it, in code points, null where the utterance did not touch it."""

    item: str
    name: str
    quantity: int
    options: list[Option]
    unit_price: int
    total: int
    confidence: float | None
    span: tuple[int, int] | None


class Change(TypedDict):
    """What the utterance did; `line` counts in the new lines, for `remove` in the old ones."""

    op: Literal["add", "set", "remove"]
    line: int
    item: str
    quantity: int


class Pending(TypedDict):
    """The edit that a question suspends; it is made when the customer says yes."""

    op: Literal["add", "set", "remove"]
    item: NotRequired[str]
    quantity: int
    options: list[Option]


class Question(TypedDict):
    """An open question; `choices` are ids of choices where there is a group, else of items.

    `blocks`: the order cannot be completed before the answer. `times`: consecutive turns in which it was asked.
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
    """What was understood so far of an utterance; the first `stable` characters of the text will not change."""

    type: Literal["partial"]
    text: str
    stable: int
    lines: list[Line]
    total: int


class LiveFinal(Order):
    """The order after an utterance, and what was heard; times count from the connection's first sample.

    `ended_by` is "end" where the speaker said so, which is answered in any case, and else "pause".
    """

    type: Literal["final"]
    ended_by: Literal["pause", "end"]
    text: str
    language: str | None
    segments: list[Segment]


class StoredOrder(TypedDict):
    """An order that is kept, priced as of `placed_at`."""

    order_id: str
    menu: str
    lines: list[Line]
    total: int
    currency: str
    customer_id: int | None
    placed_at: str


class Reason(TypedDict):
    """Why an item is suggested; `share` is the part of orders that it speaks of."""

    kind: Literal["with", "usual", "popular", "menu"]
    item: str | None
    share: float | None
    text: str


class Suggestion(TypedDict):
    """An item that the customer may want next."""

    item: str
    name: str
    price: int
    currency: str
    score: float
    reason: Reason


class Suggestions(TypedDict):
    """Best first."""

    items: list[Suggestion]


class Tokens(TypedDict):
    """A new generation of tokens."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class MenuSummary(TypedDict):
    """A menu that is served."""

    id: str
    name: str
    currency: str
    languages: Sequence[str]
    items: int


class MenuList(TypedDict):
    """The menus that are served."""

    menus: list[MenuSummary]


class MenuDetail(TypedDict):
    """A menu as loaded."""

    menu: dict[str, JsonValue]


class Health(TypedDict):
    """The process answers."""

    status: Literal["ok"]


class Readiness(TypedDict):
    """Each check, true where it passes; what is wrong with which menu file."""

    checks: dict[str, bool]
    problems: dict[str, str]


OrderId = UUID
