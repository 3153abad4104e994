"""What a phrase of a language does in an order, and the table from language packs to roles."""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Any

from voice.orders.language_packs import LanguagePack


class Role(Enum):
    """What a span of tokens does."""

    __hash__ = object.__hash__  # there is one of each; the library hashes the name

    ITEM = auto()
    OPTION = auto()
    NUMBER = auto()
    ARTICLE = auto()
    PORTION = auto()
    AMOUNT = auto()
    AMOUNT_BEHIND = auto()
    REQUEST = auto()
    REMOVE = auto()
    CHANGE = auto()
    INTO = auto()
    INSTEAD = auto()
    KEEP = auto()
    SET = auto()
    SET_IT = auto()
    MORE = auto()
    AGAIN = auto()
    ONLY = auto()
    CORRECTION = auto()
    CANCEL = auto()
    ALL = auto()
    EACH = auto()
    PEOPLE = auto()
    ORDINAL = auto()
    PART = auto()
    REST = auto()
    SHARE = auto()
    PLAIN = auto()
    ONES = auto()
    TIMES = auto()
    REFERENCE = auto()
    INQUIRY = auto()
    CLASSIFIER = auto()
    AND = auto()
    OR = auto()
    WITH = auto()
    ONTO = auto()
    FILLER = auto()
    TALK = auto()
    COMMA = auto()
    STOP = auto()
    YES = auto()
    NO = auto()
    DONE = auto()
    ANY = auto()
    MOST = auto()
    LEAST = auto()
    UNREAD = auto()


NAMING = (Role.ITEM, Role.OPTION)


def phrases(pack: LanguagePack) -> Iterator[tuple[Role, Any, Iterable[str]]]:
    """Yield the roles of a pack's phrases, each with its value."""
    yield from [
        (Role.REQUEST, None, pack.requests),
        (Role.FILLER, None, pack.fillers),
        (Role.CLASSIFIER, None, pack.classifiers),
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
        (Role.SET_IT, None, pack.its),
        (Role.AGAIN, None, pack.agains),
        (Role.ONLY, None, pack.onlys),
        (Role.CORRECTION, None, pack.corrects),
        (Role.CANCEL, None, pack.cancels),
        (Role.EACH, None, (*pack.eaches, *pack.everyones)),
        (Role.PART, None, pack.parts),
        (Role.REST, None, pack.rests),
        (Role.PLAIN, None, pack.plains),
        (Role.ONES, None, pack.ones),
        (Role.TIMES, None, pack.multiplies),
        (Role.REFERENCE, None, pack.refers),
        (Role.INQUIRY, None, (*pack.inquiries, *pack.asked)),
    ]
    yield from [(Role.AMOUNT, amount, ways) for amount, ways in pack.amounts.items()]
    yield from [(Role.AMOUNT_BEHIND, amount, ways) for amount, ways in pack.afters.items()]
    for role, table in (
        (Role.MORE, pack.mores),
        (Role.REMOVE, pack.fewers),
        (Role.SHARE, pack.shares),
        (Role.ORDINAL, pack.ordinals),
        (Role.ALL, pack.alls),
        (Role.PORTION, pack.portions),
        (Role.NUMBER, pack.numbers.wholes),
    ):
        yield from [(role, value, [way]) for way, value in table.items()]
    yield from [(Role[name.upper()], None, ways) for name, ways in pack.answers.items()]
