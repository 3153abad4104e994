"""The draft order: immutable lines, and the effect of a modifier on a line."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, final

from schemas import Amount, LineRequest
from voice.menus.menu import Menu
from voice.menus.names import spoken_names
from voice.orders import words
from voice.orders.parser.none_choices import none_choices

MAX_CACHED: Final = 4096  # sets of choices whose items are known
NEW: Final = -1  # origin of a line that the utterance made


class ChoiceRef(NamedTuple):
    """A choice of an option group."""

    group: str
    choice: str


@final
class Modifier:
    """A choice as it was spoken: all choices that the words fit, an amount, a number of portions. Never changed."""

    __slots__ = ("_choices", "_hash", "amount", "quantity", "refs", "takers")

    def __init__(self, refs: tuple[ChoiceRef, ...], amount: Amount | None = None, quantity: int = 1) -> None:
        self.refs = refs
        self.amount = amount
        self.quantity = quantity
        self.takers: frozenset[str] | None = None  # the items that offer a group of the refs; None: not known yet
        self._choices: dict[str, tuple[str, ...]] | None = None
        self._hash = 0

    def _replace(self, *, amount: Amount | None = None, quantity: int | None = None) -> "Modifier":
        """Return a modifier with another amount or quantity."""
        new = Modifier(self.refs, self.amount if amount is None else amount, self.quantity if quantity is None else quantity)
        new.takers, new._choices = self.takers, self._choices
        return new

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Modifier):
            return NotImplemented
        return self is other or (self.refs == other.refs and self.amount == other.amount and self.quantity == other.quantity)

    def __hash__(self) -> int:
        if not self._hash:
            self._hash = hash((self.refs, self.amount, self.quantity))
        return self._hash

    def __repr__(self) -> str:
        return f"Modifier({self.refs!r}, {self.amount!r}, {self.quantity!r})"

    def choices(self, group: str) -> tuple[str, ...]:
        """Return the choices of one group that the words fit."""
        return self.by_group().get(group, ())

    def by_group(self) -> dict[str, tuple[str, ...]]:
        """Return the choices that the words fit, by group."""
        if self._choices is None:
            found: dict[str, tuple[str, ...]] = {}
            for ref in self.refs:
                chosen = found.get(ref.group, ())
                if ref.choice not in chosen:
                    found[ref.group] = (*chosen, ref.choice)
            self._choices = found
        return self._choices

    def matches(self, option: "DraftOption") -> bool:
        """Return whether the words describe an option: left out or not, and a common choice."""
        if (option.amount == "no") != (self.amount == "no"):
            return False
        return have_common(self.choices(option.group), option.choices)

    def covers(self, option: "DraftOption") -> bool:
        """Return whether all choices between which an option is open are among those of the words."""
        return len(option.choices) == 1 or set(option.choices) <= set(self.choices(option.group))


@final
class DraftOption:
    """An option of a line; with several choices it is open between them. Never changed."""

    __slots__ = ("_hash", "amount", "choices", "group", "options", "quantity")

    def __init__(
        self,
        group: str,
        choices: tuple[str, ...],
        amount: Amount | None = None,
        quantity: int = 1,
        options: "tuple[DraftOption, ...]" = (),
    ) -> None:
        """`options`: those below its choice. The parser itself reads a menu without them (`voice/dialog/flat_menu.py`)."""
        self.group = group
        self.choices = choices
        self.amount = amount
        self.quantity = quantity
        self.options = options
        self._hash = 0

    def _replace(
        self,
        *,
        group: str | None = None,
        choices: tuple[str, ...] | None = None,
        quantity: int | None = None,
        options: "tuple[DraftOption, ...] | None" = None,
    ) -> "DraftOption":
        """Return an option with other attributes."""
        return DraftOption(
            self.group if group is None else group,
            self.choices if choices is None else choices,
            self.amount,
            self.quantity if quantity is None else quantity,
            self.options if options is None else options,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DraftOption):
            return NotImplemented
        return self is other or (
            self.group == other.group
            and self.choices == other.choices
            and self.amount == other.amount
            and self.quantity == other.quantity
            and self.options == other.options
        )

    def __hash__(self) -> int:
        if not self._hash:
            self._hash = hash((self.group, self.choices, self.amount, self.quantity, self.options))
        return self._hash

    def __repr__(self) -> str:
        return f"DraftOption({self.group!r}, {self.choices!r}, {self.amount!r}, {self.quantity!r}, {self.options!r})"

    def __reduce__(self) -> Any:
        """Pickle by the arguments of the constructor."""
        return DraftOption, (self.group, self.choices, self.amount, self.quantity, self.options)


@final
class DraftLine:
    """A line of the draft; with several items it is open between them. Never changed.

    Quantity 0 is a removed line, so that indices stay valid.
    """

    __slots__ = ("_hash", "_meaning", "beside", "items", "options", "origin", "quantity")

    def __init__(
        self, items: tuple[str, ...], quantity: int, options: tuple[DraftOption, ...] = (), origin: int = NEW, beside: int = NEW
    ) -> None:
        self.items = items
        self.quantity = quantity
        self.options = options
        self.origin = origin  # index in the order before the utterance
        self.beside = beside  # draft index of the line from which it was split; NEW: it was not split
        self._hash = 0
        self._meaning: Any = None

    def _replace(
        self,
        *,
        items: tuple[str, ...] | None = None,
        quantity: int | None = None,
        options: tuple[DraftOption, ...] | None = None,
        origin: int | None = None,
        beside: int | None = None,
    ) -> "DraftLine":
        """Return a line with other attributes."""
        return DraftLine(
            self.items if items is None else items,
            self.quantity if quantity is None else quantity,
            self.options if options is None else options,
            self.origin if origin is None else origin,
            self.beside if beside is None else beside,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DraftLine):
            return NotImplemented
        return self is other or (
            self.quantity == other.quantity
            and self.origin == other.origin
            and self.beside == other.beside
            and self.items == other.items
            and self.options == other.options
        )

    def __hash__(self) -> int:
        if not self._hash:
            self._hash = hash((self.items, self.quantity, self.options, self.origin, self.beside))
        return self._hash

    def __repr__(self) -> str:
        return f"DraftLine({self.items!r}, {self.quantity!r}, {self.options!r}, {self.origin!r}, {self.beside!r})"

    def __reduce__(self) -> Any:
        """Pickle by the arguments of the constructor."""
        return DraftLine, (self.items, self.quantity, self.options, self.origin, self.beside)

    def meaning(self) -> Any:
        """Return the items and the options, independent of their sequence; computed once."""
        if self._meaning is None:
            count: dict[Any, int] = {}
            for option in self.options:
                choices = option.choices if len(option.choices) == 1 else tuple(sorted(option.choices))
                key = (option.group, choices, option.amount, option.quantity, option.options)
                count[key] = count.get(key, 0) + 1
            items = self.items if len(self.items) == 1 else tuple(sorted(self.items))
            self._meaning = (items, frozenset(count.items()))
        return self._meaning

    @property
    def is_new(self) -> bool:
        """True if the utterance made the line."""
        return self.origin == NEW


@final
class ModifiedLine:
    """A line after a modifier."""

    __slots__ = ("is_replacement", "line")

    def __init__(self, line: DraftLine, *, is_replacement: bool) -> None:
        self.line = line
        self.is_replacement = is_replacement  # the one-of group had another choice


Draft = tuple[DraftLine, ...]


def have_common(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Return whether two short tuples have a common element."""
    for one in first:  # noqa: SIM110 - as any(...) it takes longer
        if one in second:
            return True
    return False


@final
class MenuIndex:
    """The parts of a menu that edits need, by id."""

    def __init__(self, menu: Menu) -> None:
        self.menu = menu
        self.offers = {item_id: frozenset(item.options) for item_id, item in menu.items.items()}
        self._rank = {item_id: {group: rank for rank, group in enumerate(item.options)} for item_id, item in menu.items.items()}
        self._takers: dict[tuple[ChoiceRef, ...], frozenset[str]] = {}
        self._is_one_of = {group_id: group.select == "one" for group_id, group in menu.option_groups.items()}
        self._none_choices = none_choices(menu)
        self._kinds = {item_id: str(item.category) for item_id, item in menu.items.items()}
        self._name_words = {
            item_id: frozenset([word for name in spoken_names(item) for word in words.phrase(name)]) for item_id, item in menu.items.items()
        }

    def is_one_of(self, group: str) -> bool:
        """Return whether a line may have one choice of a group at most."""
        return self._is_one_of[group]

    def none_choice(self, group: str) -> str | None:
        """Return the choice of a group that stands for having none of it."""
        return self._none_choices.get(group)

    def accepts(self, item: str, modifier: Modifier) -> bool:
        """Return whether an item offers a group of the modifier."""
        return item in self._takers_of(modifier)

    def kinship(self, items: tuple[str, ...], others: tuple[str, ...]) -> str:
        """Return what items have in common with others, as an attribute of events: a word of their names, or the category."""
        spoken = [word for other in others for word in self._name_words[other]]
        if any([not self._name_words[item].isdisjoint(spoken) for item in items]):
            return "name"
        kinds = [self._kinds[other] for other in others]
        return "category" if any([self._kinds[item] in kinds for item in items]) else "none"

    def nearness(self, items: tuple[str, ...], others: tuple[str, ...]) -> tuple[int, bool]:
        """Return how near items are to others: the most words of names in common, and whether a category is."""
        spoken = {word for other in others for word in self._name_words[other]}
        kinds = [self._kinds[other] for other in others]
        return max([len(spoken & self._name_words[item]) for item in items]), any([self._kinds[item] in kinds for item in items])

    def alike(self, items: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of several items that share most words of their names with one of `others`, or else its category."""
        if len(items) == 1:
            return items
        spoken = {word for other in others for word in self._name_words[other]}
        kinds = [self._kinds[other] for other in others]
        rank = {item: (len(spoken & self._name_words[item]), self._kinds[item] in kinds) for item in items if item not in others}
        best = max(rank.values(), default=None)
        return tuple([item for item in items if rank.get(item) == best]) if best is not None else items

    def _takers_of(self, modifier: Modifier) -> frozenset[str]:
        """Return the items that offer a group of a modifier, computed once for its choices."""
        if modifier.takers is None:
            refs = modifier.refs
            takers = self._takers.get(refs)
            if takers is None:
                groups = {ref.group for ref in refs}
                takers = frozenset([item for item, offered in self.offers.items() if not groups.isdisjoint(offered)])
                if len(self._takers) > MAX_CACHED:
                    self._takers.clear()
                self._takers[refs] = takers
            modifier.takers = takers
        return modifier.takers

    def accepting(self, items: Iterable[str], modifiers: Sequence[Modifier]) -> tuple[str, ...]:
        """Return the items that accept all modifiers."""
        accepted = [*items]
        for modifier in modifiers:
            takers = self._takers_of(modifier)
            accepted = [item for item in accepted if item in takers]
        return tuple(accepted)

    def modify(self, line: DraftLine, modifier: Modifier, asked_group: str | None = None) -> ModifiedLine | None:
        """Apply a modifier to a line; None if none of its items accepts it.

        The group is `asked_group` where the words fit it, else the first one of the item that is still empty.
        """
        takers = self._takers_of(modifier)
        items = line.items
        if len(items) == 1:
            if items[0] not in takers:
                return None
        else:
            items = tuple([item for item in items if item in takers])
            if not items:
                return None
            line = line._replace(items=items)
        rank = self._rank[items[0]]
        groups = [group for group in modifier.by_group() if group in rank]
        if len(groups) > 1:
            groups.sort(key=rank.__getitem__)
            if asked_group is not None and asked_group in groups:
                groups.remove(asked_group)
                groups.insert(0, asked_group)
        return self._leave_out(line, modifier, groups) if modifier.amount == "no" else self._put(line, modifier, groups)

    def modify_all(self, line: DraftLine, modifiers: Iterable[Modifier], asked_group: str | None = None) -> ModifiedLine | None:
        """Apply modifiers one after another; None if the line does not accept all."""
        is_replacement = False
        for modifier in modifiers:
            modified = self.modify(line, modifier, asked_group)
            if modified is None:
                return None
            line, is_replacement = modified.line, is_replacement or modified.is_replacement
        return ModifiedLine(line, is_replacement=is_replacement)

    def _leave_out(self, line: DraftLine, modifier: Modifier, groups: Sequence[str]) -> ModifiedLine:
        """Choose the choice that stands for none, or remove the options that the line lists, or list a choice with amount "no"."""
        choices, none = modifier.choices(groups[0]), self._none_choices.get(groups[0])
        if none is not None and self._is_whole_group(groups[0], choices, none):
            return self._put(line, Modifier((ChoiceRef(groups[0], none),)), groups[:1])
        listed = [
            option
            for option in line.options
            if option.group in groups and option.amount != "no" and have_common(modifier.choices(option.group), option.choices)
        ]
        if listed:
            left = tuple([option for option in line.options if option not in listed])
            return ModifiedLine(line._replace(options=left), is_replacement=False)
        if self._is_one_of[groups[0]] and any([option.group == groups[0] and option.amount != "no" for option in line.options]):
            return ModifiedLine(line, is_replacement=False)  # the line has another choice of the group
        others = [option for option in line.options if (option.group, option.choices) != (groups[0], choices)]
        return ModifiedLine(line._replace(options=(*others, DraftOption(groups[0], choices, "no"))), is_replacement=False)

    def _is_whole_group(self, group: str, choices: Sequence[str], none: str) -> bool:
        """Return whether words that are left out mean all of a group: all choices but `none`, or `none` itself."""
        return none in choices or len({*choices, none}) == len(self.menu.option_groups[group].choices)

    def _put(self, line: DraftLine, modifier: Modifier, groups: Sequence[str]) -> ModifiedLine:
        """Add an option; in a one-of group it replaces the other choice."""
        filled = {option.group for option in line.options}
        group = next((group for group in groups if not (self._is_one_of[group] and group in filled)), groups[0])
        choices = modifier.choices(group)
        if self._is_one_of[group]:
            before = [option for option in line.options if option.group == group]
            if len(choices) > 1 and len(before) == 1 and len(before[0].choices) == 1 and before[0].choices[0] in choices:
                return ModifiedLine(line, is_replacement=False)  # the line is already more exact than the words
            others = [option for option in line.options if option.group != group]
            is_replacement = any([option.choices != choices and option.amount != "no" for option in before])
        else:
            # Of a new line that is no part of another one, the open option and the choice were said one beside the other: they are two.
            others = [
                option
                for option in line.options
                if not _is_replaced(option, group, choices, may_decide=not line.is_new or line.beside != NEW)
            ]
            is_replacement = False
        option = DraftOption(group, choices, modifier.amount, modifier.quantity)
        return ModifiedLine(line._replace(options=(*others, option)), is_replacement=is_replacement)

    @staticmethod
    def describes(modifiers: Iterable[Modifier], line: DraftLine) -> bool:
        """Return whether each modifier matches an option of the line, and leaves no choice of it open."""
        return all([any([modifier.matches(option) and modifier.covers(option) for option in line.options]) for modifier in modifiers])

    @staticmethod
    def draft(lines: Sequence[LineRequest]) -> Draft:
        """Return the order so far as a draft; the lines are known to fit the menu."""
        return tuple([_line_of(line, origin) for origin, line in enumerate(lines)])


def _is_replaced(option: DraftOption, group: str, choices: tuple[str, ...], *, may_decide: bool) -> bool:
    """Return whether choices of a group replace an option: the same ones, or an open one that they decide."""
    if option.group != group:
        return False
    is_decided = may_decide and len(choices) == 1 < len(option.choices) and option.amount != "no" and choices[0] in option.choices
    return is_decided or option.choices == choices


def _line_of(line: LineRequest, origin: int) -> DraftLine:
    options = [
        DraftOption(
            option.group, (option.choice,) if option.choice is not None else tuple(option.alternatives), option.amount, option.quantity
        )
        for option in line.options
    ]
    return DraftLine((line.item,), line.quantity, tuple(options), origin)


def denotation(draft: Iterable[DraftLine]) -> frozenset[Any]:
    """Return the meaning of an order: independent of the sequence of lines and options."""
    count: dict[Any, int] = {}
    for line in draft:
        if line.quantity > 0:
            meaning = line.meaning()
            count[meaning] = count.get(meaning, 0) + line.quantity
    return frozenset(count.items())
