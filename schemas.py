"""The wire format: types of menu files, requests, replies and the envelope, with their validators.

Requests and menu files are strict pydantic models that reject unknown keys. Replies are typed dictionaries: orjson serialises them without
a conversion, and pydantic describes them in the OpenAPI document.
"""

import binascii
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, ClassVar, Generic, Literal, NotRequired, Self, TypeVar, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
    SerializerFunctionWrapHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema
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

# The largest total fits 64 bits: 200 lines of 999, each with its item, 100 defaults and `MAX_PORTIONS` portions, are 8.0e18 of 9.2e18.
# A choice's price includes the defaults of its nested groups here.
MAX_PRICE = 4_000_000_000
MAX_PORTIONS = 9_900  # of options of a unit; portions of nested options count once for each portion of the choice above
MAX_NESTING = 8  # option groups, one below the other


class Name(str):
    """A name: the string in the menu's first language, so that code without a language uses it as it is, and the names by language.

    `by_language` is empty where the file has one string. Equality and hash are those of the string.
    """

    __slots__ = ("by_language",)
    by_language: Mapping[str, str]
    max_length: ClassVar[int] = 200

    def __new__(cls, text: str, by_language: Mapping[str, str] | None = None) -> Self:
        """Create a name."""
        name = super().__new__(cls, text)
        name.by_language = by_language or {}
        return name

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> core_schema.CoreSchema:
        """Accept a string or a mapping from languages to strings; serialise to the same."""
        constraints = StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=cls.max_length)
        text = Annotated[str, constraints, AfterValidator(nfc)]
        one, by_language = TypeAdapter(text), TypeAdapter(Annotated[dict[Language, text], Field(min_length=1)])

        def parse(value: object) -> Name:
            """Parse a name; a ValidationError of `by_language` has its place below the name."""
            if isinstance(value, dict):
                texts = by_language.validate_python(value)
                return cls(next(iter(texts.values())), texts)
            return value if isinstance(value, cls) else cls(one.validate_python(value))

        return core_schema.no_info_plain_validator_function(
            parse,
            json_schema_input_schema=core_schema.union_schema([one.core_schema, by_language.core_schema]),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda name: dict(name.by_language) or str(name)),
        )

    def led_by(self, language: str) -> Self:
        """Return the name with its string in a language, if it has one."""
        return type(self)(self.by_language.get(language, str(self)), self.by_language)


class Text(Name):
    """A sentence, by language as a name is."""

    max_length = 1000


Allergen = Literal[
    "celery", "crustacean", "egg", "fish", "gluten", "lupin", "milk", "mollusc", "mustard", "peanut", "sesame", "soy", "sulphite",
    "tree-nut",
]  # fmt: skip
Diet = Literal[
    "vegan", "vegetarian", "pescatarian", "halal", "kosher", "jain", "buddhist", "keto", "paleo", "organic", "raw",
    "low-calorie", "low-carb", "low-fat", "low-salt", "low-sodium", "low-sugar",
    "alcohol-free", "beef-free", "caffeine-free", "celery-free", "corn-free", "crustacean-free", "dairy-free", "egg-free", "fish-free",
    "garlic-free", "gluten-free", "lactose-free", "lupin-free", "meat-free", "milk-free", "mollusc-free", "msg-free", "mustard-free",
    "nut-free", "onion-free", "peanut-free", "pork-free", "sesame-free", "shellfish-free", "soy-free", "sugar-free", "sulphite-free",
    "tree-nut-free", "wheat-free",
]  # fmt: skip
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$")]
EndOfPeriod = Annotated[str, StringConstraints(pattern=r"^(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
GroupIds = Annotated[tuple[Id, ...], Field(strict=False, max_length=100)]
Aliases = Annotated[tuple[NameStr, ...], Field(strict=False)]
Diets = Annotated[tuple[Diet, ...], Field(strict=False)]
Allergens = Annotated[tuple[Allergen, ...], Field(strict=False)]
Count = Annotated[int, Field(ge=1, le=999)]


class Choice(Model):
    """A choice of an option group; its price is added to the item's price and may be negative.

    A choice that is an item has the item's name, aliases, options, diets and allergens where it gives none, and is available if both are.
    """

    name: Name = Name("")
    item: Id | None = Field(None, description="The item that the choice is.")
    aliases: Aliases = ()
    price: Annotated[int, Field(ge=-MAX_PRICE, le=MAX_PRICE)] = 0
    options: GroupIds = Field((), description="Nested option groups.")
    available: bool = True
    diet: Diets = Field((), description="The diets that it fits.")
    contains: Allergens = Field((), description="Allergens that it contains.")
    _from_item: frozenset[str] = frozenset()  # fields that the item gave

    @model_validator(mode="after")
    def has_a_name(self) -> "Choice":
        """Reject a choice without a name or an item."""
        if not self.name and self.item is None:
            message = "a choice needs a name, or an item whose name it has"
            raise ValueError(message)
        return self

    def as_item(self, item: "Item") -> "Choice":
        """Return the choice with what the item gives."""
        own = self.model_fields_set - self._from_item
        given = frozenset({"name", "aliases", "options", "diet", "contains"} - own)
        choice = self.model_copy(update={field: getattr(item, field) for field in given})
        choice._from_item = given  # noqa: SLF001 - of this class
        return choice

    @model_serializer(mode="wrap")
    def as_in_the_file(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what the item gave."""
        return {field: value for field, value in handler(self).items() if field not in self._from_item}


class OptionGroup(Model):
    """A group of choices that items and choices may offer. Portions are counted, those asked to be left out not."""

    name: Name
    select: Literal["one", "many"] = Field("one", description="`one` is short for `max: 1`, `many` for no `max`.")
    required: bool = Field(default=False, description="Short for `min: 1`.")
    min: Annotated[int, Field(ge=0, le=999)] = Field(0, description="So many portions are asked for.")
    max: Count | None = Field(None, description="More portions than these are asked about.")
    max_each: Annotated[int, Field(ge=1, le=99)] | None = Field(None, description="More portions of one choice are asked about.")
    free: Annotated[int, Field(ge=0, le=999)] = Field(0, description="So many portions cost nothing, the cheapest ones.")
    ask: Text | None = Field(None, description="The words of the question for a choice.")
    default: Id | None = Field(None, description="The choice that is priced if none is ordered.")
    diet: bool = Field(default=True, description="False if its choices say nothing about diets, as sizes do.")
    choices: dict[Id, Choice]

    @model_validator(mode="before")
    @classmethod
    def fill_in_short_forms(cls, group: Any) -> Any:
        """Fill in `select` and `required` where only `max` and `min` are given."""
        if not isinstance(group, dict):
            return group
        at_least, at_most = group.get("min"), group.get("max")
        short = {"required": at_least > 0} if type(at_least) is int else {}
        return {**short, **({"select": "one" if at_most == 1 else "many"} if type(at_most) is int else {}), **group}

    @model_validator(mode="after")
    def limits_agree(self) -> "OptionGroup":
        """Reject limits that contradict each other, and a default that is not a choice."""
        faults = []
        if self.default is not None and self.default not in self.choices:
            faults.append(_fault(("default",), f"default {self.default!r} is not a choice of the group"))
        if self.max is not None and (self.select == "one") is not (self.max == 1):
            faults.append(_fault(("select",), f"select {self.select!r} contradicts max {self.max}"))
        if self.min and not self.required:
            faults.append(_fault(("required",), f"required false contradicts min {self.min}"))
        if self.max_choices is not None and self.min_choices > self.max_choices:
            faults.append(_fault(("min",), f"min {self.min_choices} is more than the maximum of {self.max_choices}"))
        if self.min_choices > (self.max_each or 99) * len(self.choices):
            faults.append(_fault(("min",) if self.min else ("required",), f"{len(self.choices)} choices cannot make {self.min_choices}"))
        _raise("OptionGroup", faults)
        return self

    @property
    def min_choices(self) -> int:
        """The portions that must be chosen, 0 if none."""
        return max(self.min, int(self.required))

    @property
    def max_choices(self) -> int | None:
        """The portions that may be chosen; None: any number."""
        return self.max if self.max is not None else 1 if self.select == "one" else None


class Item(Model):
    """An item of the menu."""

    name: Name
    aliases: Aliases = ()
    category: Name | None = None
    description: Text | None = None
    price: Annotated[int, Field(ge=0, le=MAX_PRICE)]
    options: GroupIds = ()
    available: bool = True
    when: Annotated[tuple[Id, ...], Field(strict=False)] = Field((), description="Names of `times`; none: always.")
    max: Count | None = Field(None, description="More than these are asked about.")
    diet: Diets = Field((), description="The diets that it fits.")
    contains: Allergens = Field((), description="Allergens that it contains.")


class Period(Model):
    """A part of some days of the week; one that ends before it begins ends on the next day."""

    model_config = ConfigDict(validate_by_name=False, serialize_by_alias=True)

    days: Annotated[tuple[Day, ...], Field(strict=False, min_length=1)] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    begins: TimeOfDay = Field(alias="from")
    ends: EndOfPeriod = Field(alias="to", description="The first minute that is outside.")

    @model_validator(mode="after")
    def takes_time(self) -> "Period":
        """Reject a period without duration."""
        if minutes_of(self.begins) == minutes_of(self.ends):
            message = "from and to are the same time; the whole day is 00:00 to 24:00"
            raise ValueError(message)
        return self


def minutes_of(time: str) -> int:
    """Return the minutes since midnight of a time of day, 0..1440."""
    hours, minutes = time.split(":")
    return 60 * int(hours) + int(minutes)


def known_timezone(name: str) -> str:
    """Reject a time zone that is unknown here."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        if name != "UTC":  # known without the database of time zones
            message = f"the time zone {name!r} is unknown; write one as Asia/Ho_Chi_Minh"
            raise ValueError(message) from error
    return name


class Menu(Model):
    """A menu file. Prices are integers in the currency's minor unit."""

    id: Id
    name: Name
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    languages: tuple[Language, ...] = Field(("vi", "en"), strict=False)
    timezone: Annotated[str, StringConstraints(max_length=100), AfterValidator(known_timezone)] = "UTC"
    times: dict[Id, Annotated[tuple[Period, ...], Field(strict=False, min_length=1)]] = {}
    option_groups: dict[Id, OptionGroup] = {}
    items: dict[Id, Item]

    @model_validator(mode="after")
    def is_consistent(self) -> "Menu":
        """Put names into the first language, give choices what their items have, and reject what does not fit together."""
        if self.languages:
            self._use_language(self.languages[0])
        _raise("Menu", [*self._unknown_ids()])
        for group in self.option_groups.values():
            for choice_id, choice in group.choices.items():
                if choice.item is not None:
                    group.choices[choice_id] = choice.as_item(self.items[choice.item])
        _raise("Menu", [*_Nesting(self.option_groups).faults()])
        return self

    def _use_language(self, language: str) -> None:
        choices = [choice for group in self.option_groups.values() for choice in group.choices.values()]
        for part in (self, *self.items.values(), *self.option_groups.values(), *choices):
            for field in ("name", "category", "description", "ask"):
                text = getattr(part, field, None)
                if isinstance(text, Name) and text.by_language:
                    part.__dict__[field] = text.led_by(language)

    def _unknown_ids(self) -> Iterator[InitErrorDetails]:
        """Yield the ids of groups, items and times that the menu lacks."""
        for item_id, item in self.items.items():
            yield from _unknown(("items", item_id, "options"), item.options, self.option_groups, f"item {item_id!r}", "option group")
            yield from _unknown(("items", item_id, "when"), item.when, self.times, f"item {item_id!r}", "time")
        for group_id, group in self.option_groups.items():
            for choice_id, choice in group.choices.items():
                place, whose = ("option_groups", group_id, "choices", choice_id), f"choice {choice_id!r}"
                yield from _unknown((*place, "options"), choice.options, self.option_groups, whose, "option group")
                if choice.item is not None and choice.item not in self.items:
                    yield _fault((*place, "item"), f"{whose} names the unknown item {choice.item!r}")


class _Nesting:
    """The option groups below each option group."""

    def __init__(self, groups: Mapping[str, OptionGroup]) -> None:
        self._groups = groups
        self._depth: dict[str, int] = {}  # groups on the longest way down, the group itself included
        self._defaults: dict[str, int] = {}  # the most that an unspoken group may cost, below its default included

    def faults(self) -> Iterator[InitErrorDetails]:
        """Yield a cycle, or the choices that are nested too deeply or cost too much with the defaults below them."""
        try:
            order = [*TopologicalSorter({group_id: self._below(group) for group_id, group in self._groups.items()}).static_order()]
        except CycleError as error:
            yield self._cycle(error.args[1][::-1])
            return
        for group_id in order:
            group = self._groups[group_id]
            self._depth[group_id], self._defaults[group_id] = 1, 0
            for choice_id, choice in group.choices.items():
                place = ("option_groups", group_id, "choices", choice_id)
                depth = 1 + max([self._depth[below] for below in choice.options], default=0)
                self._depth[group_id] = max(self._depth[group_id], depth)
                most = abs(choice.price) + sum([self._defaults[below] for below in choice.options])
                if most > MAX_PRICE:
                    yield _fault((*place, "options"), f"choice {choice_id!r} costs more than {MAX_PRICE} with the defaults below it")
                if depth == MAX_NESTING + 1:
                    yield _fault((*place, "options"), f"option groups are nested more than {MAX_NESTING} levels deep")
                if choice_id == group.default:
                    self._defaults[group_id] = most

    @staticmethod
    def _below(group: OptionGroup) -> list[str]:
        return [below for choice in group.choices.values() for below in choice.options]

    def _cycle(self, groups: Sequence[str]) -> InitErrorDetails:
        """Return the fault of groups of which each is below the one before it, and the first below the last."""
        first, second = groups[:2]
        choice_id, choice = next((id_, choice) for id_, choice in self._groups[first].choices.items() if second in choice.options)
        field = "options" if "options" in choice.model_fields_set - choice._from_item else "item"  # noqa: SLF001 - of this module
        way = " > ".join(map(repr, groups))
        return _fault(("option_groups", first, "choices", choice_id, field), f"option groups are nested in a circle: {way}")


def _unknown(place: tuple[str, ...], ids: Sequence[str], known: Mapping[str, object], whose: str, kind: str) -> Iterator[InitErrorDetails]:
    for index, id_ in enumerate(ids):
        if id_ not in known:
            yield _fault((*place, index), f"{whose} names the unknown {kind} {id_!r}")


def _fault(place: tuple[str | int, ...], message: str) -> InitErrorDetails:
    """Describe a fault at a place below the validated model."""
    return InitErrorDetails(type=PydanticCustomError("menu", "{message}", {"message": message}), loc=place, input=None)


def _raise(model: str, faults: list[InitErrorDetails]) -> None:
    if faults:
        raise ValidationError.from_exception_data(model, faults)


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
    acts by the words alone, where `edit` stands for every act that changes the order. `second_opinion`: whether it agrees with the
    chosen parse; null: it was not asked. Of a list only the first 100 entries are there, and only the ten heaviest features.
    """

    utterance: str
    tokens: list[ParsedToken]
    asked: AskedQuestion | None
    act: str
    acts: dict[str, float]
    chosen: ChosenParse
    runner_up: RunnerUp | None
    second_opinion: bool | None


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


class StoredOrder(TypedDict):
    """A stored order, priced when it was stored."""

    order_id: str
    menu: str
    lines: list[Line]
    notes: list[Note]
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
