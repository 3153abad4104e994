"""The order that a simulated customer intends, the pieces in which it is said, and how an order of the shop compares with it."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from bench.simulation.menus import Shop, Wording
from bench.simulation.speech import Key

P_LINES: Final = (0.3, 0.35, 0.25, 0.1)  # of an order to have 1, 2, 3, 4 lines
QUANTITIES: Final = (1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 6)
LINES_OF_A_PIECE: Final = (1, 1, 2, 2, 3)
P_TWIN: Final = 0.1  # of an order to have an item twice, with different choices
P_NO_DEFAULT: Final = 0.4  # of a choice to be another than the default
P_EXTRA: Final = 0.35  # of a group that is not required to be used
P_CORRECTION: Final = 1 / 3
P_AFTER_READ_BACK: Final = 0.3  # of a correction
P_VAGUE: Final = 0.1  # of an item to be called by the part of its name that others have, too
P_LATER: Final = 0.25  # of an option that is not required to be said later
P_UNSAID: Final = 0.5  # of a required choice to be left out until it is asked for

Meaning = Counter[tuple[str, frozenset[Any]]]  # units of an item with options: (group, choice, amount)


@dataclass(slots=True, eq=False)
class Wish:
    """A line that the customer wants."""

    item: str
    quantity: int
    options: dict[Key, str | None]  # with amounts
    said: set[Key] = field(default_factory=set)  # options that the customer has said
    is_said: bool = False
    is_vague: bool = False
    twin: "Wish | None" = None  # another unit of the item, with another choice

    def key(self, group: str) -> Key | None:
        """Return the first option of a group."""
        return next((key for key in self.options if key[0] == group), None)

    def choose(self, key: Key) -> None:
        """Replace the choice of a group."""
        old = self.key(key[0])
        self.options = {key if one == old else one: amount for one, amount in self.options.items()}
        self.said = {key if one == old else one for one in self.said}

    @property
    def said_options(self) -> dict[Key, str | None]:
        """The options that the customer has said."""
        return {key: amount for key, amount in self.options.items() if key in self.said}


class Step(NamedTuple):
    """What the customer is going to say."""

    kind: str  # order, later (options of a line), correction, done
    wishes: Sequence[Wish] = ()
    keys: Sequence[Key] = ()


class Intention:
    """The intended order, which the conversation may change, and the pieces that are still to be said."""

    def __init__(self, shop: Shop, language: str, rng: random.Random) -> None:
        """Intend an order."""
        self.shop, self.menu, self._rng = shop, shop.menu, rng
        self._wordings: dict[str, Wording] = shop.wordings[language]
        self.wishes = self._order()
        self.steps = self._plan()
        self.n_corrections = 0  # that were said

    def _order(self) -> list[Wish]:
        n_lines = self._rng.choices((1, 2, 3, 4), P_LINES)[0]
        wishes = [self.wish(item) for item in self._rng.sample(list(self.menu.items), n_lines)]
        one = self._rng.choice(wishes)
        keys = [key for key in one.options if self.is_one_of(key[0])]
        if keys and self._rng.random() < P_TWIN:
            one.quantity = 1
            one.twin = Wish(one.item, 1, dict(one.options))
            one.twin.choose(self.other_choice(self._rng.choice(keys)))
            wishes.insert(wishes.index(one) + 1, one.twin)
        return wishes

    def wish(self, item: str) -> Wish:
        """Return a random line of an item."""
        options: dict[Key, str | None] = {}
        for group_id in self.menu.items[item].options:
            group = self.menu.option_groups[group_id]
            choices = list(group.choices)
            if group.required:
                for choice in self._rng.sample(choices, 1 if group.select == "one" else self._rng.choice((1, 2))):
                    options[group_id, choice] = None
            elif group.default is not None:
                if self._rng.random() < P_NO_DEFAULT:
                    options[group_id, self._rng.choice([choice for choice in choices if choice != group.default])] = None
            elif self._rng.random() < P_EXTRA:
                amounts: Sequence[str | None] = ("no", "no", "extra", "light") if group_id in self.shop.adjusted else (None,)
                for choice in self._rng.sample(choices, self._rng.choice((1, 1, 2))):
                    options[group_id, choice] = self._rng.choice(amounts)
        return Wish(item, self._rng.choice(QUANTITIES), options)

    def is_one_of(self, group: str) -> bool:
        """Return whether a line has one choice of a group."""
        return self.menu.option_groups[group].select == "one"

    def is_required(self, key: Key) -> bool:
        """Return whether the shop asks for the choice."""
        return self.menu.option_groups[key[0]].required

    def other_choice(self, key: Key) -> Key:
        """Return another choice of the group."""
        return key[0], self._rng.choice([choice for choice in self.menu.option_groups[key[0]].choices if choice != key[1]])

    def _plan(self) -> list[Step]:
        """Return the pieces in which the order is said, with a correction in a third of the conversations."""
        steps: list[Step] = []
        waiting = list(self.wishes)
        while waiting:
            n_said = min(len(waiting), self._rng.choice(LINES_OF_A_PIECE))
            n_said += waiting[n_said - 1].twin is not None
            piece, waiting = waiting[:n_said], waiting[n_said:]
            steps.append(Step("order", piece))
            if n_said == 1:
                wish = piece[0]
                wish.is_vague = self._has_namesakes(wish.item) and self._rng.random() < P_VAGUE
                later = [key for key in wish.options if not self.is_required(key) and self._rng.random() < P_LATER]
                steps += [Step("later", (wish,), later)] if later else []
        if self._rng.random() < P_CORRECTION:
            if self._rng.random() < P_AFTER_READ_BACK:
                return [*steps, Step("done"), Step("correction")]
            steps.insert(self._rng.randint(1, len(steps)), Step("correction"))
        return steps

    def _has_namesakes(self, item: str) -> bool:
        """Return whether the shop can serve other items that share a part of the name, too, and none is called by it alone."""
        kind = self._wordings[item].kind
        served = [one for other, one in self._wordings.items() if self.menu.items[other].available and one.kind == kind]
        return self.menu.items[item].available and len(served) > 1 and all(one.name != kind for one in self._wordings.values())

    def say(self, wish: Wish) -> list[Wish]:
        """Decide what of a new line is said at once, and what is left to be asked; return the lines with which it is said as one."""
        later = {key for step in self.steps if step.kind == "later" and step.wishes[0] is wish for key in step.keys}
        wish.is_said = True
        unsaid = {key[0] for key in wish.options if self.is_required(key) and self._rng.random() < P_UNSAID}
        wish.said = {key for key in wish.options if key not in later and key[0] not in unsaid}
        other = wish.twin
        if other is None:
            return [wish]
        other.is_said = True
        differing = {key[0] for key in wish.options if key not in other.options}
        is_asked = all(self.menu.option_groups[group].required for group in differing) and self._rng.random() < P_UNSAID
        for one in (wish, other):
            one.said = {key for key in one.options if not (is_asked and key[0] in differing)}
        return [wish, other] if is_asked else [wish]

    def forget(self, wish: Wish) -> None:
        """Give up a line."""
        self.wishes.remove(wish)
        self.steps = [step for step in self.steps if step.kind != "later" or step.wishes[0] is not wish]

    def instead(self, wish: Wish, item: str) -> Wish:
        """Want another item with the options that it offers, too; what is required is left to be asked."""
        kept = {key: amount for key, amount in wish.said_options.items() if key[0] in self.menu.items[item].options}
        groups = {key[0] for key in kept}
        required = {key: None for key in self.wish(item).options if self.is_required(key) and key[0] not in groups}
        self.forget(wish)
        new = Wish(item, wish.quantity, {**kept, **required}, set(kept), is_said=True)
        self.wishes.append(new)
        return new

    @property
    def n_slots(self) -> int:
        """The lines and options of the order, and a corrected one again."""
        return sum([1 + len(wish.options) for wish in self.wishes]) + self.n_corrections

    # --- Comparison -----------------------------------------------------------------------------------------------------------------

    def wanted(self) -> Meaning:
        """Return the intended order."""
        return self._meaning([(wish, wish.options) for wish in self.wishes])

    def told(self) -> Meaning:
        """Return what the shop was told of it and can serve."""
        lines = [wish for wish in self.wishes if wish.is_said and not wish.is_vague and self.menu.items[wish.item].available]
        return self._meaning([(wish, wish.said_options) for wish in lines])

    def _meaning(self, lines: Sequence[tuple[Wish, dict[Key, str | None]]]) -> Meaning:
        count: Meaning = Counter()
        for wish, options in lines:
            kept = frozenset([(*key, amount) for key, amount in options.items() if not self._is_default(key, amount)])
            count[wish.item, kept] += wish.quantity
        return count

    def got(self, lines: Sequence[Any]) -> Meaning:
        """Return the meaning of the shop's order."""
        count: Meaning = Counter()
        for line in lines:
            options = []
            for option in line["options"]:
                key = option["group"], option["choice"] or "|".join(option["alternatives"])
                amount = option["amount"] if option["amount"] != "regular" else None
                options += [(*key, amount)] if not self._is_default(key, amount) else []
            count[line["item"], frozenset(options)] += line["quantity"]
        return count

    def _is_default(self, key: Key, amount: str | None) -> bool:
        """Return whether an option is what is priced without it."""
        return self.menu.option_groups[key[0]].default == key[1] and amount is None

    def is_intended(self, item: str, quantity: int, options: Sequence[Any]) -> bool:
        """Return whether a line of the shop leads to the intended order."""
        count = self.got([{"item": item, "quantity": quantity, "options": options}])
        (_, got), _ = next(iter(count.items()))
        return any(
            wish.item == item and wish.quantity == quantity and got <= next(iter(self._meaning([(wish, wish.options)])))[1]
            for wish in self.wishes
        )

    def wishes_of(self, line: Any) -> list[Wish]:
        """Return the wishes that a line of the shop may become: those of its item whose choices it does not contradict."""
        wishes = [wish for wish in self.wishes if wish.item == line["item"]]
        chosen = [(option["group"], option["choice"]) for option in line["options"] if option["choice"] and self.is_one_of(option["group"])]
        return [wish for wish in wishes if all(wish.key(group) in {None, (group, choice)} for group, choice in chosen)] or wishes

    def assigned(self, lines: Sequence[Any]) -> list[tuple[int, Wish]]:
        """Return the lines of the shop that may become a wish, by number; each wish once."""
        found: list[tuple[int, Wish]] = []
        for number, line in enumerate(lines):
            taken = [wish for _, wish in found]
            wish = next((one for one in self.wishes_of(line) if one not in taken), None)
            found += [(number, wish)] if wish is not None else []
        return found
