"""The combos that words mean: "a burger" is no "Burger meal", and "make it a meal" is the meal of what the words, or the order, name."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from voice.dialog.combos import main_choices, namesakes
from voice.dialog.flat_menu import FlatMenu
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import NEW, DraftLine, DraftOption
from voice.orders.parser.parser import MIN_PROBABILITY, Parse
from voice.orders.parser.roles import NAMING, Role
from voice.orders.words import Token

Lattice = Sequence[Sequence[Arc]]

MIN_RIVAL: Final = 0.05  # of a parse that loses no part, to the likeliest one
CHANGING: Final = frozenset({Role.SET, Role.SET_IT, Role.CHANGE, Role.INTO})
COUNTING: Final = frozenset({Role.NUMBER, Role.ARTICLE})
COUNTED: Final = frozenset({*NAMING, Role.NUMBER})

# Roles of words that leave out or replace something, or doubt it: not every choice that is named is on the line.
REPLACING: Final = frozenset(
    {Role.REMOVE, Role.AMOUNT, Role.AMOUNT_BEHIND, Role.INSTEAD, Role.CHANGE, Role.CORRECTION, Role.EXCEPT, Role.OR, Role.PART, Role.REST}
)


class MeantCombos:
    """The combos of one menu, by the items that they are named after."""

    def __init__(self, menu: FlatMenu) -> None:
        """Find the items that combos are named after, and those that are choices of their first group of items."""
        self._menu = menu
        self.parts = namesakes(menu.menu)
        self._mains = main_choices(menu.menu)
        groups = menu.menu.option_groups.values() if self._mains else ()
        self._choices = frozenset([choice.item for group in groups for choice in group.choices.values()])
        packs = language_packs().values()
        self._words = frozenset([words.singular(word) for pack in packs for word in (*pack.combos, *pack.combo_names)])

    def lattice(self, lattice: Lattice, tokens: Sequence[Token], lines: Sequence[DraftLine]) -> tuple[Lattice, frozenset[int]]:
        """Return a lattice without readings of the combos that are not meant, and the tokens that mean combos of items named before them.

        `lines`: of the order before the utterance.
        """
        if not (self.parts or self._mains):
            return lattice, frozenset()
        rows = self._without_numbers(self._without_assumed(lattice), tokens)
        found = set()
        for at, token in enumerate(tokens):
            if words.singular(token.surface) in self._words and any(_is_bare_name(arc) for arc in rows[at]):
                meant = self._meant(rows, at, lines)
                rows[at] = _read_as(meant, rows, at)
                if meant:
                    found.add(at)
            elif any(_is_whole_name(arc) and self._is_made_of(arc.value, rows, at, lines) for arc in rows[at]):
                found.add(at)
        return rows, frozenset(found)

    def upgraded(self, parse: Parse, tokens: Sequence[Token], places: AbstractSet[int]) -> Parse:
        """Return a parse with combos in the place of their main parts; `places`: of the tokens that mean combos of these."""
        spoken = {at: arc for at, arc in parse.placed(tokens) if at in places and arc.role is Role.ITEM} if places else {}
        draft = [*parse.draft]
        if not spoken and not any(line.quantity and line.items[0] in self._mains for line in draft):
            return parse
        for number, old in _replaced(parse):
            if self._is_part(old, draft[number].items[0]):
                draft[number] = self._combo_of(old, draft[number])
        unresolved = parse.unresolved
        if spoken:
            self._take_places(draft)
        if any(_means_several(tokens[at], parse.arcs()) for at in spoken):
            combos = {item for arc in spoken.values() for item in arc.value}
            for number, line in enumerate(draft):
                combo = next((combo for combo in combos if line.quantity and self._is_part(line, combo)), None)
                if combo is not None:
                    draft[number] = self._combo_of(line, DraftLine((combo,), line.quantity))
            unresolved = tuple([one for one in unresolved if not combos.issuperset(one.line.items)])
        return parse.with_draft(tuple(draft), unresolved)

    def without_losses(self, parses: list[Parse], before: Sequence[DraftLine]) -> list[Parse]:
        """Return the parses without those that read the name of a combo's part as an item and do nothing with it."""
        if not parses[0].n_edits or not self._loses_part(parses[0], before):
            return parses
        kept = [parse for parse in parses if not parse.unread and not self._loses_part(parse, before)]
        if not kept or not kept[0].n_edits or kept[0].probability < MIN_RIVAL * parses[0].probability:
            return parses
        scale = sum(parse.probability for parse in parses) / max(sum(parse.probability for parse in kept), MIN_PROBABILITY)
        return [parse.weighed(min(1.0, scale * parse.probability)) for parse in kept]

    def _loses_part(self, parse: Parse, before: Sequence[DraftLine]) -> bool:
        """Return whether a parse read the name of a combo's part as an item of no line, in place of its combo, or beside it, or forgot one.

        Beside it: as a line of its own, although a new combo still needs such a part. Forgot: for another one of the same group.
        """
        known = {item for line in (*parse.draft, *before, *[one.line for one in parse.unresolved]) for item in line.items}
        names = [arc.value for arc in parse.arcs() if arc.role is Role.ITEM]
        if any(known.isdisjoint(items) and not self._choices.isdisjoint(items) for items in names):
            return True
        new = [(number, line) for number, line in enumerate(parse.draft) if line.is_new and line.quantity]
        if any(
            first < second and part.quantity <= combo.quantity and self._needs(combo, part.items[0])
            for first, combo in new
            for second, part in new
        ):
            return True
        if REPLACING.isdisjoint([arc.role for arc in parse.arcs()]) and self._forgets_part(parse):
            return True
        named = {item for items in names for item in items}
        return any(
            old.items[0] not in named and self._has_part(old.items[0], parse.draft[number].items[0]) for number, old in _replaced(parse)
        )

    def _forgets_part(self, parse: Parse) -> bool:
        """Return whether the name of a part is neither a choice nor an item of the draft."""
        group_of, groups = self._menu.group_of, self._menu.flat.option_groups
        chosen = {(group_of(option.group), choice) for line in parse.draft for option in line.options for choice in option.choices}
        named = [arc.value for arc in parse.arcs() if arc.role is Role.OPTION and not arc.is_partial]
        parts = [refs for refs in named if all(groups[ref.group].choices[ref.choice].item for ref in refs)]
        return any(chosen.isdisjoint([(group_of(ref.group), ref.choice) for ref in refs]) for refs in parts)

    def _needs(self, line: DraftLine, item: str) -> bool:
        """Return whether a line is a combo that still lacks an item: a required group of items has no choice."""
        if line.items[0] not in self._mains:
            return False
        filled = {option.group for option in line.options}
        groups = self._menu.menu.option_groups
        open_groups = [groups[group] for group in self._menu.menu.items[line.items[0]].options if group not in filled]
        return any(
            choice.item == item for group in open_groups if group.min_choices and group.default is None for choice in group.choices.values()
        )

    def _has_part(self, combo: str, item: str) -> bool:
        menu = self._menu.menu
        return combo in self._mains and any(
            choice.item == item for group in menu.items[combo].options for choice in menu.option_groups[group].choices.values()
        )

    def _take_places(self, draft: list[DraftLine]) -> None:
        """Put each new combo in the place of its main part."""
        for number, line in enumerate(draft):
            if line.is_new and line.quantity and line.beside == NEW:
                parts = [at for at, other in enumerate(draft) if other.quantity and self._is_part(other, line.items[0])]
                if parts:
                    part = draft[parts[-1]]
                    draft[parts[-1]] = self._combo_of(part, line._replace(quantity=max(part.quantity, line.quantity)))
                    draft[number] = line._replace(quantity=0)

    def _is_part(self, line: DraftLine, combo: str) -> bool:
        return line.items[0] in self.parts.get(combo, ()) or line.items[0] in self._mains.get(combo, ())

    def _combo_of(self, part: DraftLine, combo: DraftLine) -> DraftLine:
        """Return a combo in the place of its main part, with the options of that which it offers."""
        item = combo.items[0]
        filled = {option.group for option in combo.options}
        offered = self._menu.flat.items[item].options
        options = [*combo.options]
        main = self._mains.get(item, {}).get(part.items[0])
        kept = part.options
        if main is not None and part.items[0] not in self.parts.get(item, ()):
            if main.group not in filled:
                options.append(DraftOption(main.group, (main.choice,)))
            kept = tuple([option._replace(group=self._menu.flat_group((main,), option.group)) for option in kept])
        options += [option for option in kept if option.group in offered and option.group not in filled]
        return DraftLine(combo.items, combo.quantity, tuple(options), part.origin, part.beside)

    def _without_assumed(self, lattice: Lattice) -> list[Sequence[Arc]]:
        """Return the rows in which the whole name of an item is not read as a part of the name of a combo with it.

        A customer who orders the item, a drink and a side has not ordered the combo.
        """
        rows: list[Sequence[Arc]] = []
        for row in lattice:
            whole = {(arc.length, item) for arc in row if _is_whole_name(arc) for item in arc.value}
            rows.append([arc for arc in row if not self._is_assumed(arc, whole)] if whole else row)
        return rows

    def _without_numbers(self, rows: list[Sequence[Arc]], tokens: Sequence[Token]) -> list[Sequence[Arc]]:
        """Return the rows in which a number before a combo counts it, and a number alone is no "Combo 1"."""
        for at, row in enumerate(rows):
            if any(arc.role is Role.NUMBER and arc.length == 1 for arc in row):
                is_count = at + 1 < len(rows) and words.singular(tokens[at + 1].surface) in self._words
                is_named = at > 0 and words.singular(tokens[at - 1].surface) in self._words
                if is_count:
                    rows[at] = [arc for arc in row if arc.role is not Role.ITEM or arc.length > 2]  # noqa: PLR2004 - both words
                elif not is_named:
                    rows[at] = [arc for arc in row if not _is_bare_name(arc)]
        return rows

    def _is_assumed(self, arc: Arc, whole: Iterable[tuple[int, str]]) -> bool:
        if arc.role is not Role.ITEM or not arc.is_partial or len(arc.value) != 1:
            return False
        return any((arc.length, item) in whole for item in self.parts.get(arc.value[0], ()))

    def _meant(self, rows: Lattice, at: int, lines: Sequence[DraftLine]) -> AbstractSet[str]:
        """Return the combos that a word for a combo alone means: of the items named before it, or else of the order; none if it is new."""
        is_change = any(arc.role in CHANGING for row in rows[:at] for arc in row)
        if not is_change and at > 0 and any(arc.role in COUNTING for arc in rows[at - 1]):
            return frozenset()
        meant = self._combos_of(_named(rows[:at]))
        if not meant and (is_change or any(arc.role is Role.REQUEST for row in rows[:at] for arc in row)):
            meant = self._combos_of([line.items[0] for line in lines])
        return meant

    def _is_made_of(self, combos: Sequence[str], rows: Lattice, at: int, lines: Sequence[DraftLine]) -> bool:
        """Return whether something is to become a combo that is named: of the items named before it, or of the order."""
        verb_end = at - 1 if at > 0 and any(arc.role in COUNTING for arc in rows[at - 1]) else at
        if not any(arc.role in CHANGING and start + arc.length == verb_end for start in range(verb_end) for arc in rows[start]):
            return False
        items = _named(rows[:at]) | {line.items[0] for line in lines}
        return any(not items.isdisjoint([*self.parts.get(combo, ()), *self._mains.get(combo, ())]) for combo in combos)

    def _combos_of(self, items: Iterable[str]) -> AbstractSet[str]:
        ordered = {*items}
        named = {combo for combo, parts in self.parts.items() if not ordered.isdisjoint(parts)}
        return named or {combo for combo, choices in self._mains.items() if not ordered.isdisjoint(choices)}


def _read_as(meant: AbstractSet[str], rows: Lattice, at: int) -> list[Arc]:
    """Return the arcs of a word for a combo alone; it is a classifier only before a name or a number. `meant`: empty for any combo."""
    bare = [arc for arc in rows[at] if _is_bare_name(arc)]
    if meant:
        dropped = {Role.CLASSIFIER, Role.FILLER}
        named = [arc for arc in bare if not meant.isdisjoint(arc.value)]
        values = [(arc, tuple([item for item in arc.value if item in meant])) for arc in named] or [(bare[0], tuple(sorted(meant)))]
        bare = [Arc(arc.length, arc.role, value, arc.features, arc.cost, is_partial=True) for arc, value in values]
    else:
        is_before_name = at + 1 < len(rows) and any(arc.role in COUNTED for arc in rows[at + 1])
        dropped = set() if is_before_name else {Role.CLASSIFIER}
    return [*bare, *[arc for arc in rows[at] if not _is_bare_name(arc) and (arc.length > 1 or arc.role not in dropped)]]


def _named(rows: Lattice) -> AbstractSet[str]:
    """Return the items of whole names."""
    return {item for row in rows for arc in row if _is_whole_name(arc) for item in arc.value}


def _is_whole_name(arc: Arc) -> bool:
    return arc.role is Role.ITEM and not arc.is_partial


def _is_bare_name(arc: Arc) -> bool:
    """Return whether an arc is one word of the name of items."""
    return arc.role is Role.ITEM and arc.is_partial and arc.length == 1


def _replaced(parse: Parse) -> Iterator[tuple[int, DraftLine]]:
    """Yield the lines whose item the parse replaced, each with the draft index of its new line. Of a split line, yield the other part."""
    for _, _, before, after in parse.edits:
        for number, new in enumerate(after[: len(parse.draft)]):  # a cancelled order has no lines
            old = before[number] if number < len(before) else _other_part(new, after)
            if old is not None and old.quantity and old.items != new.items == parse.draft[number].items:
                yield number, old


def _other_part(part: DraftLine, draft: Sequence[DraftLine]) -> DraftLine | None:
    """Return the other part of a split line, as if it were in the place of this one; None if it was not split."""
    if not 0 <= part.beside < len(draft):
        return None
    return draft[part.beside]._replace(origin=NEW, beside=part.beside)


def _means_several(token: Token, arcs: Iterable[Arc]) -> bool:
    """Return whether a word for a combo means one of each line: it is a plural, or the words are about all lines."""
    return words.singular(token.surface) != token.surface or any(arc.role in {Role.ALL, Role.EACH} for arc in arcs)
