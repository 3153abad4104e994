"""The format of menu files: their types, and the rules across a menu.

Strict pydantic models that reject unknown keys. `tests/menus/test_documentation.py` keeps docs/menus.md complete.
"""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas import MAX_NESTING, Id, Language, Model, NameStr
from voice.menus.names import Name, Text

# The largest total fits 64 bits: 200 lines of 999, each with its item, 100 defaults and `MAX_PORTIONS` portions, are 8.0e18 of 9.2e18.
# A choice's price includes the defaults of its nested groups here.
MAX_PRICE = 4_000_000_000
MAX_PORTIONS = 9_900  # of options of a unit; portions of nested options count once for each portion of the choice above

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

    name: Name = Field(default_factory=lambda: Name(""))  # a factory: "" would not fit the schema that OpenAPI shows
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
    times: dict[Id, Annotated[tuple[Period, ...], Field(strict=False, min_length=1)]] = Field(default_factory=dict)
    option_groups: dict[Id, OptionGroup] = Field(default_factory=dict)
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
