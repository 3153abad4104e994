"""Arcs for the words that tell an item from its sibling on the order: in "change the mango smoothie to berry" they stand for the item."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, final

from voice.menus.menu import Menu
from voice.menus.names import spoken_names
from voice.orders import words
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import Draft
from voice.orders.parser.model import Model
from voice.orders.parser.name_phrases import Phrase, phrases_of
from voice.orders.parser.roles import Role
from voice.orders.words import Token

REPLACING: Final = (Role.CHANGE, Role.INTO, Role.INSTEAD, Role.SET, Role.SET_IT, Role.CORRECTION, Role.REMOVE)
MAX_ITEMS: Final = 8  # of the order whose siblings are looked for, the last ones
MAX_KIN: Final = 100  # items whose names begin or end with a word; more of them are no siblings
MIN_SHARE: Final = 0.3  # of the distinguishing words that are spoken


class _Sibling(NamedTuple):
    """An item that shares the first or the last word of a name with another one, and the words that the other one lacks."""

    item: str
    words: frozenset[str]


@final
class SiblingIndex:
    """The items of a menu whose names begin or end with the same word."""

    def __init__(self, menu: Menu) -> None:
        self._names = {
            item_id: [_singulars(phrase) for name in spoken_names(item) for phrase in phrases_of(name)]
            for item_id, item in menu.items.items()
            if item.available
        }
        self._of_ends: dict[str, dict[str, None]] = {}
        for item_id, names in self._names.items():
            for end in _ends(names):
                self._of_ends.setdefault(end, {})[item_id] = None
        self._siblings: dict[str, tuple[_Sibling, ...]] = {}

    def of(self, item: str) -> tuple[_Sibling, ...]:
        """Return the siblings of an item, computed once: one for each name."""
        found = self._siblings.get(item)
        if found is None:
            found = self._siblings[item] = tuple(self._found(item))
        return found

    def _found(self, item: str) -> Iterator[_Sibling]:
        names = self._names.get(item, [])
        ends, spoken = _ends(names), {word for name in names for word in name}
        near = [self._of_ends[end] for end in ends if len(self._of_ends[end]) <= MAX_KIN]
        for other in dict.fromkeys([one for items in near for one in items]):
            for name in self._names[other] if other != item else ():
                rest = frozenset(name) - spoken
                if rest and not ends.isdisjoint(_ends([name])):
                    yield _Sibling(other, rest)


def _singulars(phrase: Phrase) -> Phrase:
    return tuple([words.singular(word) for word in phrase])


def _ends(names: Iterable[Phrase]) -> set[str]:
    """Return the first and the last words of names; a number before a name is none: "12 Piece Box" begins with "piece"."""
    return {word for name in names if name for word in (name[1] if len(name) > 1 and name[0].isdecimal() else name[0], name[-1])}


def with_sibling_arcs(
    tokens: Sequence[Token], lattice: Sequence[Sequence[Arc]], draft: Draft, index: SiblingIndex, model: Model
) -> Sequence[Sequence[Arc]]:
    """Return the lattice with arcs to siblings of the items on the order, if a word of the utterance replaces something."""
    if not any([arc.role in REPLACING for row in lattice for arc in row]):
        return lattice
    items = dict.fromkeys([item for line in reversed(draft) if line.quantity for item in line.items])
    families = [family for family in [index.of(item) for item in list(items)[:MAX_ITEMS]] if family]
    if not families:
        return lattice
    surfaces = [words.singular(token.surface) for token in tokens]
    if not words.has_diacritics(tokens):
        families = [
            (*family, *[_Sibling(one.item, frozenset([words.fold(word) for word in one.words])) for one in family]) for family in families
        ]
    spoken = [frozenset((surface, *_figures(row))) for surface, row in zip(surfaces, lattice, strict=True)]
    return [(*row, *_arcs_of_families(spoken, start, families, row, model)) for start, row in enumerate(lattice)]


def _arcs_of_families(
    spoken: Sequence[frozenset[str]], start: int, families: Sequence[Sequence[_Sibling]], row: Sequence[Arc], model: Model
) -> list[Arc]:
    """Return the arcs to the siblings of each item on the order: a word may name a sibling of one better than that of another."""
    found: list[Arc] = []
    for family in families:
        found += _arcs_at(spoken, start, family, (*row, *found), model)
    return found


def _figures(row: Sequence[Arc]) -> list[str]:
    """Return the numbers of one token in figures."""
    return [str(arc.value) for arc in row if arc.role is Role.NUMBER and arc.length == 1]


def _arcs_at(spoken: Sequence[frozenset[str]], start: int, siblings: Sequence[_Sibling], row: Sequence[Arc], model: Model) -> Iterator[Arc]:
    """Yield an arc for each number of tokens: to the siblings of which the largest share of the words is spoken."""
    best: dict[int, tuple[float, dict[str, None]]] = {}
    for sibling in siblings:
        end, left = start, sibling.words
        while end < len(spoken) and not left.isdisjoint(spoken[end]):
            left -= spoken[end]
            end += 1
        share = (end - start) / len(sibling.words)
        if share < MIN_SHARE:
            continue
        length = end - start
        most = best.get(length, (0.0, {}))
        if share > most[0]:
            most = best[length] = share, {}
        if share == most[0]:
            most[1][sibling.item] = None
    for length, (share, items) in best.items():
        value = tuple(items)
        features = (("sibling", 1.0), ("sibling.lack", 1.0 - share), ("sibling.open", float(len(value) > 1)))
        arc = Arc.scored(model, length, Role.ITEM, value, features, is_partial=True)
        if not any(
            [other.role is Role.ITEM and other.length == length and other.value == value and other.cost <= arc.cost for other in row]
        ):
            yield arc
