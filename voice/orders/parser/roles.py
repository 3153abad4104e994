"""The roles of phrases in an order, and the table from language packs to roles."""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Any, Final

from voice.orders import words
from voice.orders.language_packs import LanguagePack


class Role(Enum):
    """The role of a span of tokens. The names are parts of feature names: renaming one loses its weights."""

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is slower, as it hashes the name

    # The menu's names
    ITEM = auto()
    OPTION = auto()
    GROUP = auto()  # an option group
    # Numbers and amounts
    NUMBER = auto()
    ARTICLE = auto()
    PORTION = auto()  # "double": the number of portions of the next option
    AMOUNT = auto()  # "no", "light", "extra", "regular", before the option
    AMOUNT_BEHIND = auto()  # an amount behind its option
    TIMES = auto()  # between an option or item and its number
    PEOPLE = auto()  # the number of people
    SHARE = auto()  # a fraction of a line
    # Operations
    REQUEST = auto()
    REMOVE = auto()
    CHANGE = auto()  # replaces the object of the verb by the object of INTO
    INTO = auto()
    INSTEAD = auto()
    KEEP = auto()
    SET = auto()
    SET_IT = auto()  # SET with a pronoun as its object
    MORE = auto()
    AGAIN = auto()
    ONLY = auto()
    ALSO = auto()  # the line comes beside the others
    CORRECTION = auto()
    CANCEL = auto()
    # References to lines
    ALL = auto()
    EACH = auto()
    ORDINAL = auto()
    PART = auto()  # some of the line before
    REST = auto()  # the remainder of the line before
    PLAIN = auto()  # a part without options
    ONES = auto()  # the pronoun behind a description
    REFERENCE = auto()
    PERSON = auto()  # somebody for whom lines of the order are
    OWN = auto()  # one unit, for somebody: "mine"
    SWAP = auto()  # what two lines have is the other way round
    # Connectives and words without an effect
    AND = auto()
    OR = auto()
    WITH = auto()
    ONTO = auto()
    COMMA = auto()
    EXCEPT = auto()
    STOP = auto()
    INQUIRY = auto()  # the customer asks
    CLASSIFIER = auto()  # a counting word between number and noun
    FILLER = auto()
    TALK = auto()  # a typed span that orders nothing: a time, a sum of money, an address
    # Answers
    YES = auto()
    NO = auto()
    DONE = auto()
    ANY = auto()
    MOST = auto()
    LEAST = auto()
    MIDDLE = auto()

    UNREAD = auto()


NAMING: Final = (Role.ITEM, Role.OPTION)


def phrases(pack: LanguagePack) -> Iterator[tuple[Role, Any, Iterable[str]]]:
    """Yield each role of a language pack with its value and its phrases."""
    yield from [
        (Role.REQUEST, None, pack.requests),
        (Role.FILLER, None, (*pack.fillers, *[person for person in pack.persons if " " in person])),  # one word may name a dish
        (Role.AND, None, pack.joins),
        (Role.COMMA, None, pack.buts),
        (Role.OR, None, pack.ors),
        (Role.WITH, None, pack.withs),
        (Role.ONTO, None, pack.ontos),
        (Role.REMOVE, 0, pack.removes),
        (Role.CHANGE, None, pack.replaces),
        (Role.INTO, None, pack.intos),
        (Role.INSTEAD, None, pack.insteads),
        (Role.KEEP, None, pack.keeps),
        (Role.SET, None, pack.sets),
        (Role.SET_IT, None, pack.set_pronouns),
        (Role.AGAIN, None, (*pack.agains, *pack.likewise)),
        (Role.ONLY, None, pack.onlys),
        (Role.ALSO, None, pack.alsos),
        (Role.CORRECTION, None, pack.corrects),
        (Role.CANCEL, None, pack.cancels),
        (Role.EACH, None, (*pack.eaches, *pack.everyones)),
        (Role.PART, None, pack.parts),
        (Role.REST, None, pack.rests),
        (Role.PLAIN, None, pack.plains),
        (Role.ONES, None, pack.ones),
        (Role.TIMES, None, pack.multiplies),
        (Role.REFERENCE, None, pack.refers),
        (Role.OWN, None, (*pack.possessives, *pack.recipients)),
        (Role.SWAP, None, pack.swaps),
        (Role.INQUIRY, None, (*pack.inquiries, *pack.asked)),
    ]
    yield from [(Role.EXCEPT, _names_everything(pack, way), [way]) for way in pack.excepts]
    yield from [(Role.CLASSIFIER, words.singular(words.phrase(way)[0]), [way]) for way in pack.classifiers]
    yield from [(Role.AMOUNT, amount, ways) for amount, ways in pack.amounts.items()]
    yield from [(Role.AMOUNT_BEHIND, amount, ways) for amount, ways in pack.amounts_behind.items()]
    for role, table in (
        (Role.MORE, pack.mores),
        (Role.REMOVE, pack.fewers),
        (Role.SHARE, pack.shares),
        (Role.ORDINAL, pack.ordinals),
        (Role.ALL, pack.all_references),
        (Role.PORTION, pack.portions),
        (Role.NUMBER, pack.numbers.wholes),
    ):
        yield from [(role, value, [way]) for way, value in table.items()]
    yield from [(Role[name.upper()], None, ways) for name, ways in pack.answers.items()]


def _names_everything(pack: LanguagePack, way: str) -> bool:
    """Return whether a phrase contains both "all" and the exception: "everything but"."""
    return any([way.startswith(f"{everything} ") for everything in pack.all_references])
