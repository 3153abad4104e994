"""Events for the ranker: which words explain the changes of a parse, and which words changed nothing.

The derivation of a parse tells how each word was read. These events compare its result with the utterance instead: which names were said
and what became of them, and which changes nothing that was said explains. They do not depend on the derivation.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, final

from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import Draft, DraftLine, DraftOption
from voice.orders.parser.model import Event
from voice.orders.parser.roles import NAMING, Role
from voice.orders.parser.state import OpenQuestion

MAX_EXACT_COST: Final = 1.6  # per token, of the arc of a name that counts as exact
MAX_AMBIGUITY: Final = 2.5  # cost of another reading of a name, above that of the cheapest one
MAX_COUNT: Final = 5  # larger counts are attributes of events as this one
# What the words before a name do with it, the first that was said.
OPERATIONS: Final = (
    (Role.REMOVE, "remove"),
    (Role.NO, "no"),
    (Role.AMOUNT, "amount"),
    (Role.CHANGE, "change"),
    (Role.INTO, "into"),
    (Role.INSTEAD, "instead"),
    (Role.CORRECTION, "correction"),
    (Role.EXCEPT, "except"),
    (Role.SET, "set"),
    (Role.SET_IT, "set"),
    (Role.KEEP, "keep"),
    (Role.INQUIRY, "inquiry"),
)


@final
class Mention:
    """A name in the utterance, with the items and choices that have it. Never changed."""

    __slots__ = ("clarity", "counted", "items", "number", "operation", "options", "what")

    def __init__(self, readings: Sequence[Arc], number: int, counted: str, operation: str) -> None:
        cheapest = readings[0]
        self.items = frozenset([item for arc in readings if arc.role is Role.ITEM for item in arc.value])
        self.options = frozenset([(ref.group, ref.choice) for arc in readings if arc.role is Role.OPTION for ref in arc.value])
        self.number = number  # right before it, or before its counting word; 0: none
        self.counted = counted  # what counts it: an article, a number, a counting word ("side of"), ""
        self.operation = operation  # of OPERATIONS, ""
        self.what = "both" if self.items and self.options else "item" if self.items else "option"
        self.clarity = "part" if cheapest.is_partial else "exact" if cheapest.cost / cheapest.length < MAX_EXACT_COST else "close"

    def names(self, option: DraftOption) -> bool:
        """Return whether it names a choice of an option."""
        return any([(option.group, choice) in self.options for choice in option.choices])


@final
class Change:
    """A difference between the orders before and after. Never changed."""

    __slots__ = ("before", "kind", "line", "option")

    def __init__(self, kind: str, line: DraftLine, before: DraftLine | None = None, option: DraftOption | None = None) -> None:
        self.kind = kind  # new, split, removed, quantity, became, or of an option: new_option, set, no, off, amount, portions
        self.line = line  # after the change; before it, if it was removed
        self.before = before
        self.option = option


class Said(NamedTuple):
    """The names and numbers of an utterance."""

    mentions: list[Mention]
    numbers: list[int]


def said(lattice: Sequence[Sequence[Arc]]) -> Said:
    """Return the names and numbers on the cheapest path through the lattice."""
    found = Said([], [])
    number, number_end, counted = 0, -1, ""
    roles: set[Role] = set()  # since the last mention
    for at, arc in _cheapest_path(lattice):
        role = arc.role
        if role in NAMING:
            readings = [arc]
            readings += [one for one in lattice[at] if one is not arc and _is_reading(one, arc)]
            operation = next((name for one, name in OPERATIONS if one in roles), "")
            is_counted = at - number_end <= 1
            found.mentions.append(Mention(readings, number if is_counted else 0, counted if is_counted else "", operation))
            number, counted = 0, ""
            roles.clear()
            continue
        roles.add(role)
        if role in {Role.NUMBER, Role.PORTION, Role.ARTICLE}:
            number, number_end = 1 if role is Role.ARTICLE else int(arc.value), at + arc.length
            counted = "article" if role is Role.ARTICLE else "number"
            if role is Role.NUMBER:
                found.numbers.append(number)
        elif role is Role.CLASSIFIER:
            if at - number_end > 1:
                number = 0
            number_end, counted = at + arc.length, str(arc.value)
    return found


def _is_reading(other: Arc, cheapest: Arc) -> bool:
    """Return whether an arc reads the same tokens as another name, not much dearer."""
    return other.length == cheapest.length and other.role in NAMING and other.cost < cheapest.cost + MAX_AMBIGUITY


def _cheapest_path(lattice: Sequence[Sequence[Arc]]) -> list[tuple[int, Arc]]:
    """Return the arcs of least total cost from the first token to the last, each with its first token. Source: Viterbi 1967."""
    costs: list[float] = [0.0, *[float("inf")] * len(lattice)]
    last: list[tuple[int, Arc] | None] = [None] * len(costs)
    for at, row in enumerate(lattice):
        for arc in row:
            cost, end = costs[at] + arc.cost, at + arc.length
            if cost < costs[end]:
                costs[end], last[end] = cost, (at, arc)
    path: list[tuple[int, Arc]] = []
    step = last[-1]
    while step is not None:
        path.append(step)
        step = last[step[0]]
    path.reverse()
    return path


def changes_of(before: Draft, after: Draft) -> list[Change]:
    """Return the differences of two orders, line by line."""
    found: list[Change] = []
    for line in after:
        if line.origin >= 0:
            found += _changes_of_line(line, before[line.origin])
        elif line.quantity > 0 and line.beside >= 0:
            source = after[line.beside]
            old = before[source.origin] if source.origin >= 0 else source
            found.append(Change("split", line, old))
            if line.items == old.items:
                found += _changes_of_options(line, old)
        elif line.quantity > 0:
            found.append(Change("new", line))
            found += [Change("no" if option.amount == "no" else "new_option", line, None, option) for option in line.options]
    return found


def _changes_of_line(line: DraftLine, old: DraftLine) -> list[Change]:
    if line is old:
        return []
    if line.quantity == 0:
        return [Change("removed", old, old)] if old.quantity > 0 else []
    found: list[Change] = []
    if line.quantity != old.quantity:
        found.append(Change("quantity", line, old))
    if line.items != old.items:
        found.append(Change("became", line, old))
    return found + _changes_of_options(line, old)


def _changes_of_options(line: DraftLine, old: DraftLine) -> list[Change]:
    found: list[Change] = []
    old_ones = {(option.group, option.choices): option for option in old.options}
    groups: set[str] = set()
    for option in line.options:
        groups.add(option.group)
        was = old_ones.pop((option.group, option.choices), None)
        if was is None:
            found.append(Change("no" if option.amount == "no" else "set", line, old, option))
        elif was.amount != option.amount:
            found.append(Change("amount", line, old, option))
        elif was.quantity != option.quantity:
            found.append(Change("portions", line, old, option))
    found += [Change("off", line, old, option) for option in old_ones.values() if option.group not in groups]
    return found


@final
class Agreement:
    """What was said in an utterance, to be compared with the orders of its parses."""

    def __init__(self, lattice: Sequence[Sequence[Arc]], before: Draft, question: OpenQuestion | None) -> None:
        self._lattice = lattice
        self._before = before
        self._question = question
        self._found: Said | None = None
        self._items: frozenset[str] = frozenset()  # that were said
        self._items_before = frozenset([item for line in before if line.quantity > 0 for item in line.items])
        self._options_before = frozenset(
            [(option.group, choice) for line in before if line.quantity > 0 for option in line.options for choice in option.choices]
        )

    @property
    def _said(self) -> Said:
        """The names and numbers, found when they are first asked for."""
        if self._found is None:
            self._found = said(self._lattice)
            self._items = frozenset([item for mention in self._found.mentions for item in mention.items])
        return self._found

    def events(self, after: Draft, waiting: Sequence[DraftLine]) -> list[Event]:
        """Return the events of an order. `waiting`: lines whose item the shop has to ask for."""
        changes = changes_of(self._before, after)
        found: list[Event] = []
        n_lost = 0
        for mention in self._said.mentions:
            effect = self._effect(mention, changes, waiting)
            n_lost += effect == "lost"
            found.append(("said", mention.what, mention.clarity, effect))
            found.append(("said_after", mention.what, mention.operation, effect))
            found.append(("said_counted", mention.what, mention.counted, effect))
        found.append(("lost", min(n_lost, 3)))
        found.append(("changes", min(len(changes), MAX_COUNT), min(len(self._said.mentions), 4)))
        for change in changes:
            found += self._reasons(change, changes)
        found += self._numbers(changes)
        if self._question is not None:
            found.append(("changes_asked", self._question.kind, min(len(changes), 3)))
        return found

    def _effect(self, mention: Mention, changes: Sequence[Change], waiting: Sequence[DraftLine]) -> str:
        """Return what became of a name, as an attribute of events."""
        effect = _effect_on_lines(mention, changes) if mention.items else ""
        if not effect and any([not mention.items.isdisjoint(line.items) for line in waiting]):
            effect = "waiting"
        if effect in {"", "line"}:
            effect = _effect_on_options(mention, changes) or effect
        if effect:
            return effect
        if not mention.items.isdisjoint(self._items_before):
            return "kept"
        if not mention.options.isdisjoint(self._options_before):
            return "had"
        is_offered = self._question is not None and not mention.items.isdisjoint(self._question.choices)
        return "offered" if is_offered else "lost"

    def _reasons(self, change: Change, changes: Sequence[Change]) -> Iterator[Event]:
        """Yield which words explain a change."""
        line, before, kind = change.line, change.before, change.kind
        support = "said" if not self._items.isdisjoint(line.items) else "unsaid"
        if change.option is not None:
            yield from self._reasons_of_option(change, change.option, changes)
        elif kind in {"new", "split"}:
            if support == "unsaid" and any([line.items == old.items for old in self._before]):
                support = "same"
            number = "one" if line.quantity == 1 else "said" if line.quantity in self._said.numbers else "other"
            yield ("made", kind, support, number)
            n_mentions = sum([not mention.items.isdisjoint(line.items) for mention in self._said.mentions])
            n_lines = sum([one.kind in {"new", "split"} and one.line.items == line.items for one in changes])
            yield ("made_often", kind, "more" if n_lines > n_mentions else "less" if n_lines < n_mentions else "as_said")
        elif kind == "quantity" and before is not None:
            direction = ("more" if line.quantity > before.quantity else "less") + (
                ".split" if any([one.kind == "split" and one.before is before for one in changes]) else ""
            )
            yield ("counted", direction, self._source(line.quantity, abs(line.quantity - before.quantity)), support)
        else:
            yield ("gone" if kind == "removed" else "turned", support, len(self._before) == 1)

    def _source(self, quantity: int, difference: int) -> str:
        """Return which number that was said explains a new quantity, as an attribute of events."""
        numbers = self._said.numbers
        if quantity in numbers:
            return "said"
        return "difference" if difference in numbers else "one" if difference == 1 else "other"

    def _reasons_of_option(self, change: Change, option: DraftOption, changes: Sequence[Change]) -> Iterator[Event]:
        kind, line, amount = change.kind, change.line, option.amount or ""
        mentions = self._said.mentions
        places = [place for place, mention in enumerate(mentions) if mention.names(option)]
        yield ("optional", kind, "said" if places else "unsaid", amount, len(option.choices) > 1)
        if self._question is not None:
            yield ("optional_asked", kind, self._question.group == option.group, line.origin >= 0 and line.origin == self._question.line)
        n_lines = sum([one.kind == kind and one.option == option for one in changes])
        yield ("optional_often", kind, min(n_lines, 4), min(len(places), 2))
        if places:
            mention = mentions[places[0]]
            behind = next((one for one in reversed(mentions[: places[0]]) if one.items), None)
            ahead = next((one for one in mentions[places[0] + 1 :] if one.items), None)
            yield ("near", kind, not mention.items.isdisjoint(line.items), _is_of(behind, line), _is_of(ahead, line))
            yield ("optional_after", kind, amount, mention.operation)

    def _numbers(self, changes: Sequence[Change]) -> Iterator[Event]:
        """Yield which numbers were said and which the changes have."""
        used: set[int] = set()
        for change in changes:
            if change.option is not None:
                used.add(change.option.quantity)
            elif change.kind in {"new", "split", "quantity"}:
                used.add(change.line.quantity)
                if change.kind == "quantity" and change.before is not None:
                    used.add(abs(change.line.quantity - change.before.quantity))
        for number in self._said.numbers:
            yield ("number_said", "one" if number == 1 else "many" if number < 10 else "large", number in used)  # noqa: PLR2004
        for number in used:
            if number > 1 and number not in self._said.numbers:
                yield ("number_unsaid", min(number, MAX_COUNT))


def _effect_on_lines(mention: Mention, changes: Sequence[Change]) -> str:
    """Return what became of the lines with an item that a name may name; "line": only their options changed; "": nothing."""
    effect = ""
    for change in changes:
        kind, line = change.kind, change.line
        if mention.items.isdisjoint(line.items):
            continue
        if kind in {"new", "split"}:
            agrees = _agreement(mention.number, line.quantity)
            effect = kind + agrees
            if agrees != ".unequal":
                break
        elif kind in {"removed", "became"}:
            effect = kind
        elif kind == "quantity" and change.before is not None:
            effect = kind + _agreement(mention.number, line.quantity, abs(line.quantity - change.before.quantity))
        elif not effect:
            effect = "line"
    return effect


def _effect_on_options(mention: Mention, changes: Sequence[Change]) -> str:
    """Return what became of the first option that a name may name; "": nothing."""
    for change in changes:
        if change.option is not None and mention.names(change.option):
            return change.kind + (_agreement(mention.number, change.option.quantity) if mention.number > 1 else "")
    return ""


def _agreement(number: int, quantity: int, difference: int = 0) -> str:
    """Return whether a number that was said is a quantity, or its difference to the old one; "": no number was said."""
    if not number:
        return ""
    return ".equal" if number == quantity else ".difference" if number == difference else ".unequal"


def _is_of(mention: Mention | None, line: DraftLine) -> str:
    """Return whether a neighbouring name is that of a line, as an attribute of events."""
    return "none" if mention is None else "own" if not mention.items.isdisjoint(line.items) else "other"
