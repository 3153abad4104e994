"""The types of numbers, numerals before they have a type, and typed spans."""

from enum import Enum
from fractions import Fraction
from typing import NamedTuple, final


class SpanKind(Enum):
    """The type of a number."""

    __hash__ = object.__hash__  # each member exists once; Enum would hash its name

    QUANTITY = "quantity"
    FRACTION = "fraction"  # a quantity that is not an integer
    RANGE = "range"  # a quantity between two numbers
    ORDINAL = "ordinal"
    MONEY = "money"
    TIME = "time"
    DATE = "date"
    DURATION = "duration"
    TEMPERATURE = "temperature"
    SIZE = "size"
    PERCENTAGE = "percentage"
    PHONE = "phone"
    LABEL = "label"  # table, room, house, ticket
    AGE = "age"
    PARTY = "party"  # number of people
    SPEAKER = "speaker"  # time and author before a chat message
    NAME = "name"  # part of a name of the menu


class Span(NamedTuple):
    """Tokens that express one number."""

    kind: SpanKind
    start: int
    end: int
    value: int | Fraction | None  # None: the type has no single value


@final
class Numeral:
    """A number of an utterance before it has a type."""

    __slots__ = ("article", "decimal", "end", "value")

    def __init__(self, end: int, value: int | Fraction, *, decimal: bool, article: bool) -> None:
        self.end = end  # token behind it
        self.value = value
        self.decimal = decimal  # written with a separator or a fraction
        self.article = article
