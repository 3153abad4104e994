"""Let a simulated customer hold conversations with the dialog engine over random menus; prints one figure a line.

    .venv/bin/python -m bench.simulated_customer [--count 10000] [--seed 1] [--show 0]

The customer intends an order of one to four lines, says it in pieces, answers what is asked, declines offers, corrects in a third of the
conversations something that was said, compares the read-back with the intended order, and corrects what differs. The words of the menus and
the sentences are those of `simulated_menus.yaml` and `simulated_speech.yaml` alone.

right          the order that is confirmed is the intended one
right at once  and the first read-back was
turns right    of the utterances of each kind: the order after the turn is what the customer said so far, nothing is asked about an item
asked again    a question about the same line and group as before, although the answer named one of its choices
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.simulated_menus import Shop, random_shop
from bench.simulated_speech import Key, Speech
from errors import ApiError
from schemas import Conversation
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.orders.parser.model import Model

CONVERSATIONS_OF_A_MENU: Final = 25
P_LINES: Final = (0.3, 0.35, 0.25, 0.1)  # of an order to have 1, 2, 3, 4 lines
QUANTITIES: Final = (1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 6)
P_TWIN: Final = 0.1  # of an order to have an item twice, with different choices
P_CORRECTION: Final = 1 / 3
P_VAGUE: Final = 0.1  # of an item to be called by the part of its name that others have, too
P_LATER: Final = 0.25  # of an option that is not required to be said later
P_UNSAID: Final = 0.5  # of a required choice to be left out until it is asked for
P_SUGGEST: Final = 0.2  # of a conversation to have offers
P_ANSWER_MORE: Final = 0.1  # of an answer to be followed by more of the order
P_PLACE: Final = 0.15  # of an answer to tell the place of a choice
P_NOTHING_ELSE: Final = 0.4  # of a customer to want nothing instead of an item that is not available
P_AFTER_DONE: Final = 0.3  # of a correction to come after the read-back
ITEM_QUESTIONS: Final = frozenset({"check", "ambiguous", "unavailable"})


@dataclass(slots=True, eq=False)
class Wish:
    """A line that the customer wants."""

    item: str
    quantity: int
    options: dict[Key, str | None]  # with amounts
    said: set[Key] = field(default_factory=set)  # options that the customer has said
    is_said: bool = False
    is_vague: bool = False


class Step(NamedTuple):
    """What the customer is going to say: an order, options of a line, a correction, or that this is all."""

    kind: str  # order, later, correction, done
    wishes: Sequence[Wish] = ()
    keys: Sequence[Key] = ()


class Utterance(NamedTuple):
    """What the customer says."""

    kind: str
    text: str
    names_choice: bool = False  # of the question that was asked


@dataclass(slots=True)
class Played:
    """A conversation that is over."""

    language: str
    turns: list[tuple[Utterance, Any, bool]] = field(default_factory=list)  # with the reply, and whether it is right
    wanted: str = ""
    is_right: bool = False
    is_right_at_once: bool = False
    is_refused: bool = False
    is_handoff: bool = False
    n_slots: int = 0
    n_asked_again: int = 0
    times_ms: list[float] = field(default_factory=list)

    @property
    def max_turns(self) -> int:
        """The turns that the conversation may have."""
        return 2 * self.n_slots + 3


class Customer:
    """A customer with an intended order."""

    def __init__(self, shop: Shop, rng: random.Random) -> None:
        """Intend an order."""
        self.shop, self.menu, self._rng = shop, shop.menu, rng
        self.speech = Speech(shop, rng.choice(self.menu.languages), rng)
        self.wishes = self._order()
        self.steps = self._plan()

    # --- The intended order ---------------------------------------------------------------------------------------------------------

    def _order(self) -> list[Wish]:
        n_lines = self._rng.choices((1, 2, 3, 4), P_LINES)[0]
        items = self._rng.sample(list(self.menu.items), min(n_lines, len(self.menu.items)))
        wishes = [self._wish(item) for item in items]
        twin = self._rng.choice(wishes)
        keys = [key for key in twin.options if self.is_one_of(key[0])]
        if keys and self._rng.random() < P_TWIN:
            key = self._rng.choice(keys)
            other = self._other_choice(key)
            options = {other if one == key else one: amount for one, amount in twin.options.items()}
            twin.quantity = 1
            wishes.insert(wishes.index(twin) + 1, Wish(twin.item, 1, options))
        return wishes

    def _wish(self, item: str) -> Wish:
        options: dict[Key, str | None] = {}
        for group_id in self.menu.items[item].options:
            group = self.menu.option_groups[group_id]
            choices = list(group.choices)
            if group.required:
                options[group_id, self._rng.choice(choices)] = None
            elif group.default is not None:
                if self._rng.random() < 0.4:  # noqa: PLR2004 - a default is mostly wanted
                    options[group_id, self._rng.choice([choice for choice in choices if choice != group.default])] = None
            elif self._rng.random() < 0.35:  # noqa: PLR2004 - most have no extras
                amounts: Sequence[str | None] = ("no", "no", "extra", "light") if group_id in self.shop.adjusted else (None,)
                for choice in self._rng.sample(choices, self._rng.choice((1, 1, 2))):
                    options[group_id, choice] = self._rng.choice(amounts)
        return Wish(item, self._rng.choice(QUANTITIES), options)

    def is_one_of(self, group: str) -> bool:
        """Return whether a line has one choice of a group."""
        return self.menu.option_groups[group].select == "one"

    def _other_choice(self, key: Key) -> Key:
        return key[0], self._rng.choice([choice for choice in self.menu.option_groups[key[0]].choices if choice != key[1]])

    def _plan(self) -> list[Step]:
        """Return the pieces in which the order is said, with a correction in a third of the conversations."""
        steps: list[Step] = []
        waiting = list(self.wishes)
        while waiting:
            n_said = min(len(waiting), self._rng.choice((1, 1, 2, 2, 3)))
            piece, waiting = waiting[:n_said], waiting[n_said:]
            steps.append(Step("order", piece))
            for wish in piece:
                wish.is_vague = n_said == 1 and self._is_vague(wish.item) and self._rng.random() < P_VAGUE
                later = [key for key in wish.options if not self.menu.option_groups[key[0]].required and self._rng.random() < P_LATER]
                if later and n_said == 1:
                    steps.append(Step("later", (wish,), later))
        if self._rng.random() < P_CORRECTION:
            steps.insert(self._rng.randint(1, len(steps)), Step("correction"))
            if self._rng.random() < P_AFTER_DONE:
                steps = [*[step for step in steps if step.kind != "correction"], Step("done"), Step("correction")]
        return steps

    def _is_vague(self, item: str) -> bool:
        """Return whether another item shares a part of the name, and none is called by it."""
        wordings = self.speech.wordings
        kind = wordings[item].kind
        return sum(one.kind == kind for one in wordings.values()) > 1 and all(one.name != kind for one in wordings.values())

    @property
    def n_slots(self) -> int:
        """The lines and options that the customer wants."""
        return sum(1 + len(wish.options) for wish in self.wishes)

    def wanted(self, *, only_said: bool = False) -> Counter[Any]:
        """Return the meaning of the intended order, or of what has been said of it."""
        count: Counter[Any] = Counter()
        for wish in self.wishes:
            keys = wish.said if only_said else set(wish.options)
            if wish.is_said or not only_said:
                options = frozenset([(*key, wish.options[key]) for key in keys if not self.is_default(key, wish.options[key])])
                count[wish.item, options] += wish.quantity
        return count

    def is_default(self, key: Key, amount: str | None) -> bool:
        """Return whether an option is what is priced without it."""
        return self.menu.option_groups[key[0]].default == key[1] and amount in {None, "regular"}

    def got(self, lines: Sequence[Any]) -> Counter[Any]:
        """Return the meaning of an order of the shop."""
        count: Counter[Any] = Counter()
        for line in lines:
            count[line["item"], self._options_of(line)] += line["quantity"]
        return count

    def _options_of(self, line: Any) -> frozenset[Any]:
        options = [
            (
                option["group"],
                option["choice"] or "|".join(option["alternatives"]),
                option["amount"] if option["amount"] != "regular" else None,
            )
            for option in line["options"]
        ]
        return frozenset([option for option in options if not self.is_default(option[:2], option[2])])

    # --- What to say ----------------------------------------------------------------------------------------------------------------

    def next(self, reply: Any) -> Utterance:
        """Return what the customer says after a reply, or first of all."""
        if reply is None:
            return self._step(self.steps.pop(0), (), is_first=True)
        if not reply["questions"]:
            return self._go_on(reply)
        question = reply["questions"][0]
        answer = {
            "missing": self._answer_missing,
            "ambiguous": self._answer_ambiguous,
            "unavailable": self._answer_unavailable,
            "check": self._answer_check,
            "offer": self._decline_offer,
            "more": self._answer_more,
            "confirm": self._answer_read_back,
        }[question["kind"]]
        return answer(question, reply)

    def _go_on(self, reply: Any) -> Utterance:
        """Say the next piece, or what is missing of an empty order."""
        if self.steps and self.steps[0].kind == "order":
            return self._step(self.steps.pop(0), reply["lines"])
        self.steps = []
        return self._repair(reply["lines"]) or Utterance("done", self.speech.say("done"))

    def _answer_more(self, question: Any, reply: Any) -> Utterance:
        del question
        while self.steps:
            said = self._step(self.steps.pop(0), reply["lines"], reply)
            if said.text:
                return said
        return Utterance("done", self.speech.say("done"))

    def _answer_read_back(self, question: Any, reply: Any) -> Utterance:
        while self.steps:
            step = self.steps.pop(0)
            said = self._step(step, reply["lines"]) if step.kind != "done" else Utterance("done", "")
            if said.text:
                return said
        del question
        return self._repair(reply["lines"]) or Utterance("yes to the read-back", self.speech.say("yes"))

    def _decline_offer(self, question: Any, reply: Any) -> Utterance:
        del question, reply
        return Utterance("no to an offer", self.speech.say("decline"))

    def _step(self, step: Step, lines: Sequence[Any], reply: Any = None, *, is_first: bool = False) -> Utterance:
        if step.kind == "order":
            return Utterance("order", self.speech.say("opening" if is_first else "adding", x=self._said(step.wishes)))
        if step.kind == "later":
            return self._say_later(step, lines, reply)
        if step.kind == "done":
            return Utterance("done", self.speech.say("done"))
        return self._correct(lines, reply)

    def _said(self, wishes: Sequence[Wish]) -> str:
        """Return lines of the order as they are said first, and remember what was said."""
        phrases = []
        later = {(id(step.wishes[0]), key) for step in self.steps if step.kind == "later" for key in step.keys}
        for wish in wishes:
            keys = [key for key in wish.options if (id(wish), key) not in later]
            unsaid = {key for key in keys if self.menu.option_groups[key[0]].required and self._rng.random() < P_UNSAID}
            if wish.is_said:
                unsaid = set()
            wish.said = {key for key in keys if key not in unsaid}
            wish.is_said = True
            phrases.append(self._units(wish))
        return self.speech.joined(phrases)

    def _units(self, wish: Wish) -> str:
        options = {key: amount for key, amount in wish.options.items() if key in wish.said}
        return self.speech.units(wish.item, wish.quantity, options, is_vague=wish.is_vague)

    def _say_later(self, step: Step, lines: Sequence[Any], reply: Any) -> Utterance:
        wish = step.wishes[0]
        wish.said.update(step.keys)
        options = {key: wish.options[key] for key in step.keys}
        if self._is_last(wish, reply):
            return Utterance("later option of it", self.speech.say("later_it", o=self.speech.behind(options, is_formal=True)))
        del lines
        return Utterance("later option", self.speech.say("later", i=self._name(wish), o=self.speech.behind(options, is_formal=True)))

    def _is_last(self, wish: Wish, reply: Any) -> bool:
        """Return whether "it" is this line, and the customer says so."""
        changes = reply["changes"] if reply is not None else []
        return len(changes) == 1 and changes[0]["item"] == wish.item and changes[0]["op"] != "remove" and self._rng.random() < 0.5  # noqa: PLR2004

    def _name(self, wish: Wish) -> str:
        """Return the name of a line of the order, with what distinguishes it from others of its item."""
        others = [other for other in self.wishes if other.item == wish.item and other is not wish]
        keys = [key for key in wish.options if self.is_one_of(key[0]) and any(key not in other.options for other in others)]
        return self.speech.reference(wish.item, keys if others else ())

    # --- Corrections ----------------------------------------------------------------------------------------------------------------

    def _correct(self, lines: Sequence[Any], reply: Any) -> Utterance:
        """Correct a line that was said and understood; nothing is said if there is none."""
        ordered = {line["item"] for line in lines}
        items = Counter(wish.item for wish in self.wishes)
        wishes = [wish for wish in self.wishes if wish.is_said and wish.item in ordered and items[wish.item] == 1]
        kinds = [self._correct_quantity, self._correct_option, self._remove, self._replace]
        self._rng.shuffle(kinds)
        if wishes:
            wish = self._rng.choice(wishes)
            for kind in kinds:
                said = kind(wish, reply)
                if said is not None:
                    return said
        return Utterance("correction", "")

    def _correct_quantity(self, wish: Wish, reply: Any) -> Utterance | None:
        was, wish.quantity = wish.quantity, self._rng.choice([number for number in (1, 2, 3, 4, 5) if number != wish.quantity])
        return self._quantity(wish, was, reply)

    def _quantity(self, wish: Wish, was: int, reply: Any) -> Utterance:
        number, unit = self.speech.number(wish.quantity), self.speech.unit(wish.item)
        if reply is not None and self._is_last(wish, reply):
            return Utterance("correct the quantity of it", self.speech.say("quantity_it", n=number, u=unit))
        name = self._name(wish)
        several = name if wish.quantity == 1 else self.speech.plural(wish.item)
        parts = {"i": name, "n": number, "m": self.speech.number(was), "is": several, "u": unit}
        return Utterance("correct the quantity", self.speech.say("quantity", **parts))

    def _correct_option(self, wish: Wish, reply: Any) -> Utterance | None:
        one_of = [key for key in wish.said if self.is_one_of(key[0])]
        if one_of:
            key = self._rng.choice(sorted(one_of))
            other = self._other_choice(key)
            wish.options = {other if one == key else one: amount for one, amount in wish.options.items()}
            wish.said = {other if one == key else one for one in wish.said}
            return self._choice(wish, other, reply)
        adjusted = [group for group in self.menu.items[wish.item].options if group in self.shop.adjusted]
        if not adjusted:
            return None
        choices = [choice for choice in self.menu.option_groups[adjusted[0]].choices if (adjusted[0], choice) not in wish.options]
        if not choices:
            return None
        key = adjusted[0], self._rng.choice(choices)
        wish.options[key] = "no"
        wish.said.add(key)
        return Utterance("leave out", self.speech.say("leave", i=self._name(wish), c=self.speech.name(key)))

    def _choice(self, wish: Wish, key: Key, reply: Any) -> Utterance:
        option = self.speech.behind({key: wish.options[key]}, is_formal=True)
        if reply is not None and self._is_last(wish, reply):
            return Utterance("correct a choice of it", self.speech.say("choice_it", o=option))
        return Utterance("correct a choice", self.speech.say("choice", i=self._name(wish), o=option))

    def _remove(self, wish: Wish, reply: Any) -> Utterance | None:
        del reply
        if len(self.wishes) < 2:  # noqa: PLR2004 - something has to be left
            return None
        name = self._name(wish)
        self._forget(wish)
        return Utterance("remove", self.speech.say("remove", i=name))

    def _forget(self, wish: Wish) -> None:
        self.wishes.remove(wish)
        self.steps = [step for step in self.steps if step.kind != "later" or step.wishes[0] is not wish]

    def _replace(self, wish: Wish, reply: Any) -> Utterance | None:
        """Replace a line without options by another item, of which all is asked that is required."""
        del reply
        items = {other.item for other in self.wishes}
        others = [item for item, one in self.menu.items.items() if item not in items and one.available]
        if wish.said or not others:
            return None
        name = self._name(wish)
        new = self._wish(self._rng.choice(others))
        options = {key: amount for key, amount in new.options.items() if self.menu.option_groups[key[0]].required}
        self._forget(wish)
        self.wishes.append(Wish(new.item, wish.quantity, options, is_said=True))
        units = self.speech.units(new.item, wish.quantity, {})
        return Utterance("replace", self.speech.say("replace", i=name, j=units))

    # --- The read-back --------------------------------------------------------------------------------------------------------------

    def _repair(self, lines: Sequence[Any]) -> Utterance | None:
        """Correct the first difference between the shop's order and the intended one; None if they are equal."""
        surplus = self.got(lines) - self.wanted()
        missing = self.wanted() - self.got(lines)
        if not surplus and not missing:
            return None
        utterance = self._difference(surplus, missing)
        return utterance._replace(kind=f"repair: {utterance.kind}", text=self.speech.say("wrong") + utterance.text)

    def _difference(self, surplus: Counter[Any], missing: Counter[Any]) -> Utterance:
        for item, options in surplus:
            for wanted in missing:
                if wanted[0] == item:
                    return self._differing_line(item, options, wanted[1], surplus[item, options])
        if surplus:
            (item, options), number = next(iter(surplus.items()))
            wish = next((one for one in self.wishes if one.item == item), None)
            if wish is not None:
                return self._quantity(wish, wish.quantity + number, None)
            return Utterance("remove", self.speech.say("remove", i=self.speech.reference(item)))
        item, options = next(iter(missing))
        wish = self._wish_of(item, options)
        if self.got_item(missing, item) != sum(one.quantity for one in self.wishes if one.item == item):
            return self._quantity(wish, wish.quantity - missing[item, options], None)
        wish.said, wish.is_said, wish.is_vague = set(wish.options), True, False
        return Utterance("add", self.speech.say("missing", x=self._units(wish)))

    def _differing_line(self, item: str, got: frozenset[Any], wanted: frozenset[Any], number: int) -> Utterance:
        """Correct an option, or the quantity, of a line."""
        wish = self._wish_of(item, wanted)
        lacking = sorted(wanted - got, key=str)
        if lacking:
            options = {(group, choice): amount for group, choice, amount in lacking}
            wish.said = set(wish.options)
            name = self.speech.reference(item)
            return Utterance("option", self.speech.say("choice", i=name, o=self.speech.behind(options, is_formal=True)))
        extra = sorted(got - wanted, key=str)
        if extra:
            group, choice, amount = extra[0]
            default = self.menu.option_groups[group].default
            name = self.speech.reference(item)
            if default is not None:
                return Utterance(
                    "option", self.speech.say("choice", i=name, o=self.speech.behind({(group, default): None}, is_formal=True))
                )
            if amount is None and "|" not in choice:
                return Utterance("option", self.speech.say("leave", i=name, c=self.speech.name((group, choice))))
            return Utterance("remove", self.speech.say("remove", i=name))
        return self._quantity(wish, number, None)

    @staticmethod
    def got_item(count: Counter[Any], item: str) -> int:
        """Return the units of an item."""
        return sum(number for (one, _), number in count.items() if one == item)

    def _wish_of(self, item: str, options: frozenset[Any]) -> Wish:
        wishes = [wish for wish in self.wishes if wish.item == item]
        keys = {(group, choice) for group, choice, _ in options}
        return max(wishes, key=lambda wish: len(keys & set(wish.options)))

    # --- Answers --------------------------------------------------------------------------------------------------------------------

    def _wishes_of(self, line: Any) -> list[Wish]:
        """Return the wishes that a line of the shop may become: those of its item whose choices it does not contradict."""
        wishes = [wish for wish in self.wishes if wish.item == line["item"]]
        fitting = []
        for wish in wishes:
            chosen = {key[0]: key[1] for key in wish.options if self.is_one_of(key[0])}
            options = [option for option in line["options"] if option["choice"] and self.is_one_of(option["group"])]
            if all(chosen.get(option["group"], option["choice"]) == option["choice"] for option in options):
                fitting.append(wish)
        return fitting or wishes

    def _key_of(self, wish: Wish, group: str) -> Key | None:
        return next((key for key in wish.options if key[0] == group), None)

    def _answer_missing(self, question: Any, reply: Any) -> Utterance:
        """Answer which choice, how many, or which item."""
        if question["line"] is None:
            return self._answer_which_item(question)
        line = reply["lines"][question["line"]]
        wishes = self._wishes_of(line)
        if not wishes:
            return Utterance("remove what is asked about", self.speech.say("remove", i=self.speech.reference(line["item"])))
        if question["group"] is None:
            return Utterance(
                "number", self.speech.say("how_many", n=self.speech.number(wishes[0].quantity), u=self.speech.unit(line["item"]))
            )
        return self._answer_group(question, reply, wishes)

    def _answer_which_item(self, question: Any) -> Utterance:
        del question
        wish = next((one for one in self.wishes if one.is_said), self.wishes[0])
        return Utterance("which item", self.speech.say("answer", c=self._units(wish)), names_choice=True)

    def _answer_group(self, question: Any, reply: Any, wishes: Sequence[Wish]) -> Utterance:
        group = question["group"]
        lines = question.get("lines") or [question["line"]]
        if len(lines) > 1:
            return self._answer_lines(question, reply, lines)
        keys = [key for wish in wishes if (key := self._key_of(wish, group)) is not None]
        if not keys:
            return Utterance("no to a choice", self.speech.say("decline"))
        line = reply["lines"][question["line"]]
        if len(set(keys)) == 2 and line["quantity"] == 2:  # noqa: PLR2004 - one of each
            for wish in wishes:
                wish.said.update([key for key in wish.options if key[0] == group])
            first, second = [self.speech.choice(key) for key in keys[:2]]
            return Utterance(
                "one of each", self.speech.say("split", c=first, d=second, u=self.speech.unit(line["item"])), names_choice=True
            )
        wish = next((one for one in wishes if not any(key[0] == group for key in one.said)), wishes[0])
        return self._answer_key(question, wish, group)

    def _answer_key(self, question: Any, wish: Wish, group: str) -> Utterance:
        key = self._key_of(wish, group)
        if key is None:
            return Utterance("no to a choice", self.speech.say("decline"))
        wish.said.add(key)
        choices = question["choices"]
        if key[1] in choices and choices.index(key[1]) < self.speech.n_places() and self._rng.random() < P_PLACE:
            return Utterance("choice by place", self.speech.say("place", p=self.speech.place(choices.index(key[1]))), names_choice=True)
        answer = self.speech.choice(key)
        if self.steps and self.steps[0].kind == "order" and self._rng.random() < P_ANSWER_MORE:
            text = self.speech.say("after_answer", a=answer, x=self._said(self.steps.pop(0).wishes))
            return Utterance("choice and more", text, names_choice=True)
        return Utterance("choice", self.speech.say("answer", c=answer), names_choice=key[1] in choices)

    def _answer_lines(self, question: Any, reply: Any, lines: Sequence[int]) -> Utterance:
        """Answer for several lines: one choice for all, or each by its name."""
        group = question["group"]
        wishes = [wish for number in lines for wish in self._wishes_of(reply["lines"][number])[:1]]
        keys = [(wish, key) for wish in wishes if (key := self._key_of(wish, group)) is not None]
        if not keys:
            return Utterance("no to a choice", self.speech.say("decline"))
        for wish, key in keys:
            wish.said.add(key)
        if len({key for _, key in keys}) == 1:
            return Utterance("choice for several lines", self.speech.say("answer", c=self.speech.choice(keys[0][1])), names_choice=True)
        each = [self.speech.say("answer_of", i=self.speech.reference(wish.item), c=self.speech.choice(key)) for wish, key in keys]
        return Utterance("choices of several lines", ", ".join(each), names_choice=True)

    def _answer_ambiguous(self, question: Any, reply: Any) -> Utterance:
        if question["group"] is not None:
            wishes = self._wishes_of(reply["lines"][question["line"]])
            keys = {key for wish in wishes for key in wish.options if key[0] == question["group"] and key[1] in question["choices"]}
            wish = next((one for one in wishes if keys & set(one.options)), None)
            if wish is None:
                return Utterance("no to a choice", self.speech.say("decline"))
            key = next(key for key in wish.options if key in keys)
            return Utterance("which choice", self.speech.say("answer", c=self.speech.choice(key)), names_choice=True)
        wish = next((one for one in self.wishes if one.is_said and one.item in question["choices"]), None)
        if wish is None:
            return Utterance("no to an item", self.speech.say("decline"))
        wish.is_vague = False
        place = question["choices"].index(wish.item)
        if place < self.speech.n_places() and self._rng.random() < P_PLACE:
            return Utterance("item by place", self.speech.say("place", p=self.speech.place(place)), names_choice=True)
        return Utterance("which item", self.speech.say("answer", c=self.speech.reference(wish.item)), names_choice=True)

    def _answer_unavailable(self, question: Any, reply: Any) -> Utterance:
        """Take one of what is offered, or nothing."""
        del reply
        pending = question.get("pending", {})
        wish = next((one for one in self.wishes if one.item == pending.get("item")), None)
        if question["group"] is not None or wish is None:
            return Utterance("no to an item", self.speech.say("decline"))
        choices = [item for item in question["choices"] if item not in {one.item for one in self.wishes}]
        wants_nothing = self._rng.random() < P_NOTHING_ELSE and len(self.wishes) > 1
        if not choices or wants_nothing:
            self._forget(wish)
            return Utterance("no to an item", self.speech.say("decline"))
        item = self._rng.choice(choices)
        new = self._wish(item)
        kept = {key: wish.options[key] for key in wish.said if key[0] in self.menu.items[item].options}
        required = {key: None for key in new.options if self.menu.option_groups[key[0]].required and key[0] not in {one[0] for one in kept}}
        self.steps = [step for step in self.steps if step.kind != "later" or step.wishes[0] is not wish]
        wish.item, wish.options, wish.said = item, {**kept, **required}, set(kept)
        return Utterance("another item", self.speech.say("answer", c=self.speech.reference(item)), names_choice=True)

    def _answer_check(self, question: Any, reply: Any) -> Utterance:
        """Say yes to an edit after which more of the order is as intended."""
        pending = question.get("pending")
        if pending is None or pending["op"] == "remove":
            item = reply["lines"][question["line"]]["item"] if question["line"] is not None else None
            return self._yes_or_no(is_right=(item in {wish.item for wish in self.wishes}) is (pending is None))
        item = pending.get("item") or (reply["lines"][question["line"]]["item"] if question["line"] is not None else None)
        options = {(option["group"], option["choice"]): option["amount"] for option in pending["options"]}
        is_right = any(
            wish.item == item
            and wish.quantity == pending["quantity"]
            and all(wish.options.get(key, amount if self.is_default(key, amount) else "") == amount for key, amount in options.items())
            for wish in self.wishes
        )
        return self._yes_or_no(is_right=is_right)

    def _yes_or_no(self, *, is_right: bool) -> Utterance:
        return Utterance("yes to a check", self.speech.say("yes")) if is_right else Utterance("no to a check", self.speech.say("no"))


def play(shop: Shop, engine: DialogEngine, rng: random.Random) -> Played:
    """Hold a conversation until the order is confirmed or handed off, or it has twice the turns that it may have."""
    customer = Customer(shop, rng)
    played = Played(customer.speech.language)
    offers = rng.random() < P_SUGGEST
    n_slots = customer.n_slots
    reply: Any = None
    is_read_back = False
    while True:
        said = customer.next(reply)
        last, reply = reply, _reply(engine, said.text, reply, played, rng if offers else None)
        if reply is None:
            break
        played.n_slots = max(n_slots, customer.n_slots)
        is_open = any(question["kind"] in ITEM_QUESTIONS for question in reply["questions"])
        is_right = customer.got(reply["lines"]) == customer.wanted(only_said=True)
        played.turns.append((said, reply, is_right and not is_open))
        played.n_asked_again += said.names_choice and last is not None and _asks_again(last, reply)
        if reply["status"] == "confirming" and not is_read_back and not customer.steps:
            is_read_back = True
            played.is_right_at_once = customer.got(reply["lines"]) == customer.wanted()
        if reply["status"] in {"confirmed", "handoff", "cancelled"} or len(played.turns) >= 2 * played.max_turns:
            break
    played.wanted = _brief_order(customer.wanted())
    if reply is not None:
        played.is_right = reply["status"] == "confirmed" and customer.got(reply["lines"]) == customer.wanted()
        played.is_handoff = reply["status"] == "handoff"
    return played


def _reply(engine: DialogEngine, text: str, last: Any, played: Played, rng: random.Random | None) -> Any:
    """Return the reply to an utterance after the reply before; None if that is refused as a request."""
    sent = {name: last[name] for name in ("lines", "questions", "changes", "notes")} if last is not None else {}
    try:
        state = state_of(engine.menu, Conversation.model_validate(sent))
    except (ValueError, ApiError):
        played.is_refused = True
        return None
    items = [item for item, one in engine.menu.items.items() if one.available]

    def suggest(basket: Sequence[tuple[str, int]], excluded: Sequence[str]) -> str | None:
        taken = {*excluded, *[item for item, _ in basket]}
        return next((item for item in items if item not in taken), None)

    began_s = time.perf_counter()
    reply = engine.take_turn(text, state, suggest=suggest if rng is not None else None)
    played.times_ms.append(1000 * (time.perf_counter() - began_s))
    return reply


def _asks_again(last: Any, reply: Any) -> bool:
    """Return whether the first question is the one before, about the same line."""
    if not reply["questions"]:
        return False
    before, now = last["questions"][0], reply["questions"][0]
    if (before["kind"], before["group"]) != (now["kind"], now["group"]):
        return False
    if before["line"] is None or now["line"] is None:
        return before["line"] is now["line"] and before["choices"] == now["choices"]
    return bool(before["line"] == now["line"] and last["lines"][before["line"]]["item"] == reply["lines"][now["line"]]["item"])


def conversations(count: int, seed: int, model: Model) -> Iterator[Played]:
    """Yield conversations over random menus; the same for the same seed."""
    for number in range(count):
        rng = random.Random(f"{seed} {number}")  # noqa: S311 - no cryptography
        if number % CONVERSATIONS_OF_A_MENU == 0:
            shop = random_shop(rng)
            engine = DialogEngine(shop.menu, model=model)
        yield play(shop, engine, rng)


@dataclass(slots=True)
class Figures:
    """The counts of many conversations."""

    n: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    first_wrong: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    kinds_right: Counter[str] = field(default_factory=Counter)
    excess_turns: int = -1000  # of the conversation that has most turns more than it may have
    longest: int = 0
    times_ms: list[float] = field(default_factory=list)

    def add(self, played: Played) -> None:
        """Count a conversation."""
        for name in ("all", played.language):
            self.n[name] += 1
            self.right[name] += played.is_right
        self.n["right at once"] += played.is_right_at_once
        self.n["refused"] += played.is_refused
        self.n["handoff"] += played.is_handoff
        self.n["asked again"] += played.n_asked_again
        self.n["too long"] += len(played.turns) > played.max_turns
        self.n["turns"] += len(played.turns)
        self.longest = max(self.longest, len(played.turns))
        self.excess_turns = max(self.excess_turns, len(played.turns) - played.max_turns)
        self.times_ms += played.times_ms
        wrong = False
        for said, _, is_right in played.turns:
            if not wrong:
                self.kinds[said.kind] += 1
                self.kinds_right[said.kind] += is_right
            wrong = not is_right
        if not played.is_right:
            self.first_wrong[next((said.kind for said, _, is_right in played.turns if not is_right), "none")] += 1

    def share(self, name: str = "all") -> float:
        """Return the share of conversations whose order is right."""
        return self.right[name] / max(1, self.n[name])

    def rows(self) -> Iterator[str]:
        """Yield one figure a row."""
        n = self.n["all"]
        times = sorted(self.times_ms)
        yield f"conversations   {n}"
        yield f"right           {self.share():.4f}  (en {self.share('en'):.4f}, vi {self.share('vi'):.4f})"
        yield f"right at once   {self.n['right at once'] / n:.4f}"
        yield f"turns           {self.n['turns'] / n:.1f} a conversation, at most {self.longest}"
        yield f"too long        {self.n['too long']}, at most {self.excess_turns} turns beyond 2 x slots + 3"
        yield f"asked again     {self.n['asked again']}"
        yield f"refused         {self.n['refused']}"
        yield f"handoffs        {self.n['handoff']}"
        yield f"ms a turn       median {times[len(times) // 2]:.2f}, p99 {times[int(0.99 * len(times))]:.1f}"
        for kind, number in self.kinds.most_common():
            lost = f"({self.first_wrong[kind]} conversations never right)" if self.first_wrong[kind] else ""
            yield f"turns right     {self.kinds_right[kind] / number:.3f} of {number:5} {kind} {lost}".rstrip()


def shown(played: Played) -> Iterator[str]:
    """Yield the lines of a transcript."""
    yield f"\n--- wanted: {played.wanted}; {len(played.turns)} turns, at most {played.max_turns}"
    for said, reply, is_right in played.turns:
        questions = [
            f"{one['kind']} {one.get('lines') or one['line']} {one['group']} {one['choices']} {_pending(one)}"
            for one in reply["questions"][:2]
        ]
        yield f"{' ' if is_right else '*'} {said.text}    [{said.kind}]"
        yield f"      {reply['act']} {reply['status']}: {'; '.join(_brief(line) for line in reply['lines'])}"
        yield f"      {' / '.join(questions)}"


def _pending(question: Mapping[str, Any]) -> str:
    return f"pending {question['pending']['op']} {_brief({'item': '', **question['pending']})}" if "pending" in question else ""


def _brief(line: Mapping[str, Any]) -> str:
    options = [f"{one['amount'] or ''} {one['choice'] or '|'.join(one['alternatives'])}".strip() for one in line["options"]]
    return f"{line['quantity']} {line['item']} [{', '.join(options)}]"


def _brief_order(order: Counter[Any]) -> str:
    lines = [
        f"{number} {item} {[' '.join(filter(None, (one[2], one[1]))) for one in options]}" for (item, options), number in order.items()
    ]
    return "; ".join(lines)


def main() -> None:
    """Run the command line."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--count", type=int, default=10_000)
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--show", type=int, default=0, help="print the transcripts of so many conversations that went wrong")
    arguments = command.parse_args()
    figures, n_shown = Figures(), 0
    for played in conversations(arguments.count, arguments.seed, Model.load()):
        figures.add(played)
        has_failed = not played.is_right or len(played.turns) > played.max_turns or played.n_asked_again
        if has_failed and n_shown < arguments.show:
            n_shown += 1
            print("\n".join(shown(played)))
    print("\n".join(figures.rows()))


if __name__ == "__main__":
    main()
