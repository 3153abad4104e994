"""A simulated customer. It answers every reply of the shop."""

import random
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from bench.simulation.menus import Shop
from bench.simulation.orders import Intention, Meaning, Step, Wish
from bench.simulation.speech import Key, Speech

P_ANSWER_MORE: Final = 0.1  # of an answer to be followed by more of the order
P_PLACE: Final = 0.15  # of an answer to tell the place of a choice
P_PRONOUN: Final = 0.5  # of the line that was changed last to be "it"
P_NOTHING_ELSE: Final = 0.4  # of a customer to want nothing instead of an item that is not available
MAX_CORRECTED: Final = 5  # units to which a quantity is corrected


class Utterance(NamedTuple):
    """What the customer says."""

    kind: str
    text: str
    names_choice: bool = False  # of the question that was asked


class Customer:
    """A customer with an intended order."""

    def __init__(self, shop: Shop, rng: random.Random) -> None:
        """Intend an order."""
        self.menu, self._rng, self._shop = shop.menu, rng, shop
        self.speech = Speech(shop, rng.choice(self.menu.languages), rng)
        self.intention = Intention(shop, self.speech.language, rng)

    def next(self, reply: Any) -> Utterance:
        """Return what the customer says after a reply; None: first of all."""
        utterance = self._next(reply)
        return utterance._replace(text=self.speech.written(utterance.text))

    def _next(self, reply: Any) -> Utterance:
        steps = self.intention.steps
        if reply is None:
            return self._step(steps.pop(0), None)
        if not reply["questions"]:
            return self._go_on(reply)
        answers: dict[str, Callable[[Any, Any], Utterance]] = {
            "missing": self._answer_missing,
            "ambiguous": self._answer_ambiguous,
            "unavailable": self._answer_unavailable,
            "check": self._answer_check,
            "offer": lambda *_: Utterance("no to an offer", self.speech.say("decline")),
            "more": self._answer_more,
            "confirm": self._answer_read_back,
        }
        return answers[reply["questions"][0]["kind"]](reply["questions"][0], reply)

    # --- The order ------------------------------------------------------------------------------------------------------------------

    def _go_on(self, reply: Any) -> Utterance:
        """Order the next intended item. After the last one, correct the order or end it. Intend any available item if none is left."""
        intention = self.intention
        intention.steps = [step for step in intention.steps if step.kind == "order"]
        if intention.steps:
            return self._step(intention.steps.pop(0), reply)
        if not intention.wishes:
            wish = intention.wish(self._rng.choice([item for item, one in self.menu.items.items() if one.available]))
            intention.wishes.append(wish)
            return self._step(Step("order", (wish,)), reply)
        return self._repair(reply) or self._done()

    def _answer_more(self, _: Any, reply: Any) -> Utterance:
        while self.intention.steps:
            said = self._step(self.intention.steps.pop(0), reply)
            if said.text:
                return said
        return self._done()

    def _answer_read_back(self, _: Any, reply: Any) -> Utterance:
        while self.intention.steps:
            step = self.intention.steps.pop(0)
            if step.kind != "done":
                said = self._step(step, reply)
                if said.text:
                    return said
        return self._repair(reply) or Utterance("yes to the read-back", self.speech.say("yes"))

    def _done(self) -> Utterance:
        return Utterance("done", self.speech.say("done"))

    def _step(self, step: Step, reply: Any) -> Utterance:
        if step.kind == "order":
            return Utterance("order", self.speech.say("adding" if reply is not None else "opening", x=self._first_said(step.wishes)))
        if step.kind == "later":
            wish = step.wishes[0]
            wish.said.update(step.keys)
            option = self.speech.behind({key: wish.options[key] for key in step.keys}, is_formal=True)
            if self._is_it(wish, reply):
                return Utterance("later option of it", self.speech.say("later_it", o=option))
            return Utterance("later option", self.speech.say("later", i=self.speech.reference(wish.item), o=option))
        return self._correct(reply) if step.kind == "correction" else self._done()

    def _first_said(self, wishes: Sequence[Wish]) -> str:
        """Return lines of the order as they are said first."""
        phrases = []
        for wish in wishes:
            if not wish.is_said:
                together = self.intention.say(wish)
                phrases.append(self._units(wish, sum([one.quantity for one in together])))
            elif any(other.twin is wish and other.said_options != wish.said_options for other in wishes):
                phrases.append(self._units(wish, wish.quantity))
        return self.speech.joined(phrases)

    def _units(self, wish: Wish, quantity: int) -> str:
        return self.speech.units(wish.item, quantity, wish.said_options, is_vague=wish.is_vague)

    def _is_it(self, wish: Wish, reply: Any) -> bool:
        """Return whether "it" is this line, and the customer says so."""
        changes = reply["changes"]
        is_last = len(changes) == 1 and changes[0]["item"] == wish.item and changes[0]["op"] != "remove"
        return is_last and self._rng.random() < P_PRONOUN

    # --- Corrections ----------------------------------------------------------------------------------------------------------------

    def _correct(self, reply: Any) -> Utterance:
        """Correct a line that was said and understood; nothing is said if there is none."""
        ordered = {line["item"] for line in reply["lines"]}
        items = [wish.item for wish in self.intention.wishes]
        wishes = [wish for wish in self.intention.wishes if wish.is_said and wish.item in ordered and items.count(wish.item) == 1]
        kinds = [self._correct_quantity, self._correct_option, self._remove, self._replace]
        self._rng.shuffle(kinds)
        for kind in kinds if wishes else ():
            utterance = kind(self._rng.choice(wishes), reply)
            if utterance is not None:
                self.intention.n_corrections += 1
                return utterance
        return Utterance("correction", "")

    def _correct_quantity(self, wish: Wish, reply: Any) -> Utterance | None:
        was, wish.quantity = wish.quantity, self._rng.choice([number for number in range(1, MAX_CORRECTED + 1) if number != wish.quantity])
        if self._is_it(wish, reply):
            parts = {"n": self.speech.number(wish.quantity), "u": self.speech.unit(wish.item)}
            return Utterance("correct the quantity of it", self.speech.say("quantity_it", **parts))
        return Utterance("correct the quantity", self._quantity(self.speech.reference(wish.item), wish.item, wish.quantity, was))

    def _quantity(self, name: str, item: str, number: int, was: int) -> str:
        several = name if number == 1 else self.speech.plural(item)
        parts = {"i": name, "is": several, "u": self.speech.unit(item)}
        return self.speech.say("quantity", n=self.speech.number(number), m=self.speech.number(was), **parts)

    def _correct_option(self, wish: Wish, reply: Any) -> Utterance | None:
        one_of = sorted([key for key in wish.said if self.intention.is_one_of(key[0])])
        if one_of:
            key = self.intention.other_choice(self._rng.choice(one_of))
            wish.choose(key)
            option = self.speech.behind({key: None}, is_formal=True)
            if self._is_it(wish, reply):
                return Utterance("correct a choice of it", self.speech.say("choice_it", o=option))
            return Utterance("correct a choice", self.speech.say("choice", i=self.speech.reference(wish.item), o=option))
        adjusted = [group for group in self.menu.items[wish.item].options if group in self._shop.adjusted]
        free = [
            (group, choice)
            for group in adjusted
            for choice in self.menu.option_groups[group].choices
            if (group, choice) not in wish.options
        ]
        if not free:
            return None
        key = self._rng.choice(free)
        wish.options[key] = "no"
        wish.said.add(key)
        return Utterance("leave out", self.speech.say("leave", i=self.speech.reference(wish.item), c=self.speech.name(key)))

    def _remove(self, wish: Wish, _: Any) -> Utterance | None:
        if len(self.intention.wishes) == 1:
            return None
        self.intention.forget(wish)
        return Utterance("remove", self.speech.say("remove", i=self.speech.reference(wish.item)))

    def _replace(self, wish: Wish, _: Any) -> Utterance | None:
        """Replace the item of a line without spoken options."""
        items = {other.item for other in self.intention.wishes}
        others = [item for item, one in self.menu.items.items() if item not in items and one.available]
        if wish.said or not others:
            return None
        new = self.intention.instead(wish, self._rng.choice(others))
        return Utterance("replace", self.speech.say("replace", i=self.speech.reference(wish.item), j=self._units(new, new.quantity)))

    # --- The read-back --------------------------------------------------------------------------------------------------------------

    def _repair(self, reply: Any) -> Utterance | None:
        """Correct the first difference between the shop's order and the intended one; None if they are equal."""
        got, wanted = self.intention.got(reply["lines"]), self.intention.wanted()
        if got == wanted:
            return None
        utterance = self._difference(got, wanted)
        return utterance._replace(kind=f"repair: {utterance.kind}", text=self.speech.say("wrong") + utterance.text)

    def _difference(self, got: Meaning, wanted: Meaning) -> Utterance:
        for wish in self.intention.wishes:
            wish.is_said, wish.said, wish.is_vague = True, set(wish.options), False
        surplus, missing = got - wanted, wanted - got
        for (item, options), number in surplus.items():
            for other, needed in missing:
                if item == other:
                    utterance = self._option(item, options, needed, got, n_units=number)
                    if utterance is not None:
                        return utterance
        if surplus:
            item, options = line = next(iter(surplus))
            name = self._described(item, options, got)
            if wanted[line]:
                return Utterance("quantity", self._quantity(name, item, wanted[line], got[line]))
            return Utterance("remove", self.speech.say("remove", i=name))
        item, options = line = next(iter(missing))
        if got[line]:
            return Utterance("quantity", self._quantity(self._described(item, options, got), item, wanted[line], got[line]))
        units = self.speech.units(item, wanted[line], {(group, choice): amount for group, choice, amount in sorted(options, key=str)})
        return Utterance("add", self.speech.say("missing", x=units))

    def _described(self, item: str, options: frozenset[Any], got: Meaning) -> str:
        """Return the name of a line of the order, with what distinguishes it from others of its item."""
        others = [other for one, other in got if one == item and other != options]
        keys = [(group, choice) for group, choice, _ in sorted(options - frozenset.union(*others), key=str)] if others else []
        return self.speech.reference(item, [key for key in keys if self.intention.is_one_of(key[0])])

    def _option(self, item: str, options: frozenset[Any], needed: frozenset[Any], got: Meaning, *, n_units: int) -> Utterance | None:
        """Correct an option of a line, or of one of its units; None if that takes more than an option."""
        lacking, extra = sorted(needed - options, key=str), sorted(options - needed, key=str)
        name = self._described(item, options, got)
        chosen: dict[Key, str | None] = {(group, choice): amount for group, choice, amount in lacking}
        if not lacking:
            group, choice, amount = extra[0]
            default = self.menu.option_groups[group].default
            if default is None:
                is_added = amount is None and "|" not in choice
                return Utterance("leave out", self.speech.say("leave", i=name, c=self.speech.name((group, choice)))) if is_added else None
            chosen = {(group, default): None}
        option = self.speech.behind(chosen, is_formal=True)
        if n_units == got[item, options]:
            return Utterance("option", self.speech.say("choice", i=name, o=option))
        if n_units > 1:
            return None
        parts = {"i": name, "is": self.speech.plural(item), "u": self.speech.unit(item), "o": option}
        return Utterance("option of a unit", self.speech.say("one_of", **parts))

    # --- Answers --------------------------------------------------------------------------------------------------------------------

    def _answer_missing(self, question: Any, reply: Any) -> Utterance:
        """Answer which choice, how many, or which item."""
        intention = self.intention
        if question["line"] is None:
            wish = next((one for one in intention.wishes if one.is_said), intention.wishes[0])
            return Utterance("which item", self.speech.say("answer", c=self._units(wish, wish.quantity)), names_choice=True)
        line = reply["lines"][question["line"]]
        wishes = intention.wishes_of(line)
        if not wishes:
            return Utterance("remove what is asked about", self.speech.say("remove", i=self.speech.reference(line["item"])))
        if question["group"] is None:
            parts = {"n": self.speech.number(wishes[0].quantity), "u": self.speech.unit(line["item"])}
            return Utterance("number", self.speech.say("how_many", **parts))
        numbers = question.get("lines") or [question["line"]]
        if len(numbers) > 1:
            assigned = [(reply["lines"][number], wish) for number, wish in intention.assigned(reply["lines"]) if number in numbers]
            wishes = [wish for line, wish in assigned if line["quantity"] == wish.quantity]  # lines whose units all have the same choice
            return self._answer_lines(question["group"], wishes, is_all=len(wishes) == len(numbers))
        return self._answer_line(question, reply["lines"], wishes)

    def _answer_line(self, question: Any, lines: Sequence[Any], wishes: Sequence[Wish]) -> Utterance:
        """Answer a question about an option group with the intended choices."""
        line = lines[question["line"]]
        keys = {key: wish for wish in wishes if (key := wish.key(question["group"])) is not None}
        if not keys:
            return self._no("a choice")
        if len(keys) == 2 == line["quantity"]:  # noqa: PLR2004 - one of each
            for key, wish in keys.items():
                wish.said.add(key)
            first, second = [self.speech.choice(key) for key in keys]
            return Utterance(
                "one of each", self.speech.say("split", c=first, d=second, u=self.speech.unit(line["item"])), names_choice=True
            )
        chosen = {(option["group"], option["choice"]) for one in lines if one["item"] == line["item"] for option in one["options"]}
        key = next((key for key in keys if key not in chosen), next(iter(keys)))
        wish = keys[key]
        many = [one for one in wish.options if one[0] == key[0]]
        if len(many) == 1:
            return self._answer_choice(question, wish, key)
        wish.said.update(many)
        answer = self.speech.joined([self.speech.choice(one) for one in many])
        return Utterance("several choices", self.speech.say("answer", c=answer), names_choice=True)

    def _no(self, what: str) -> Utterance:
        return Utterance(f"no to {what}", self.speech.say("decline"))

    def _answer_choice(self, question: Any, wish: Wish, key: Key) -> Utterance:
        wish.said.add(key)
        by_place = self._by_place(question, key[1])
        if by_place is not None:
            return Utterance("choice by place", by_place, names_choice=True)
        steps = self.intention.steps
        if steps and steps[0].kind == "order" and self._rng.random() < P_ANSWER_MORE:
            text = self.speech.say("after_answer", a=self.speech.choice(key), x=self._first_said(steps.pop(0).wishes))
            return Utterance("choice and more", text, names_choice=True)
        return Utterance("choice", self.speech.say("answer", c=self.speech.choice(key)), names_choice=key[1] in question["choices"])

    def _by_place(self, question: Any, choice: str) -> str | None:
        """Return an answer that tells the place of a choice or an item; None: the customer names it."""
        choices = question["choices"]
        if choice not in choices or choices.index(choice) >= self.speech.n_places or self._rng.random() >= P_PLACE:
            return None
        return self.speech.say("place", p=self.speech.place(choices.index(choice)))

    def _answer_lines(self, group: str, wishes: Sequence[Wish], *, is_all: bool) -> Utterance:
        """Answer for several lines: one choice for all, or a choice for each line, named by item or place."""
        for wish in wishes:
            wish.said.update([key for key in wish.options if key[0] == group])
        answers = [self.speech.joined([self.speech.choice(key) for key in wish.options if key[0] == group]) for wish in wishes]
        if not wishes:
            return self._no("a choice")
        if is_all and len({frozenset([key for key in wish.options if key[0] == group]) for wish in wishes}) == 1:
            return Utterance("choice for several lines", self.speech.say("answer", c=answers[0]), names_choice=True)
        is_by_place = is_all and len({wish.item for wish in wishes}) == 1
        each = [
            self.speech.say("answer_of_place", p=self.speech.place(place), c=answer, u=self.speech.unit(wish.item))
            if is_by_place
            else self.speech.say("answer_of", i=self.speech.reference(wish.item), c=answer)
            for place, (wish, answer) in enumerate(zip(wishes, answers, strict=True))
        ]
        return Utterance("choices of several lines", ", ".join(each), names_choice=is_all)

    def _answer_ambiguous(self, question: Any, reply: Any) -> Utterance:
        group, choices = question["group"], question["choices"]
        if group is not None:
            wishes = self.intention.wishes_of(reply["lines"][question["line"]])
            key = next((key for wish in wishes for key in wish.options if key[0] == group and key[1] in choices), None)
            if key is None:
                return self._no("a choice")
            return Utterance("which choice", self.speech.say("answer", c=self.speech.choice(key)), names_choice=True)
        meant = [wish for wish in self.intention.wishes if wish.is_said and wish.item in choices]
        if not meant:
            return self._no("an item")
        wish = max(meant, key=lambda one: one.is_vague)
        wish.is_vague = False
        by_place = self._by_place(question, wish.item)
        if by_place is not None:
            return Utterance("item by place", by_place, names_choice=True)
        return Utterance("which item", self.speech.say("answer", c=self.speech.reference(wish.item)), names_choice=True)

    def _answer_unavailable(self, question: Any, _: Any) -> Utterance:
        """Accept one offered item, or decline."""
        intention = self.intention
        wish = next((one for one in intention.wishes if one.item == question.get("pending", {}).get("item")), None)
        if question["group"] is not None or wish is None:
            return self._no("an item")
        if wish.twin is not None and question["pending"]["quantity"] > wish.quantity:
            intention.forget(wish.twin)
            wish.quantity, wish.twin = question["pending"]["quantity"], None
        choices = [item for item in question["choices"] if item not in {one.item for one in intention.wishes}]
        if not choices or self._rng.random() < P_NOTHING_ELSE:
            intention.forget(wish)
            return self._no("an item")
        item = self._rng.choice(choices)
        intention.instead(wish, item)
        return Utterance("another item", self.speech.say("answer", c=self.speech.reference(item)), names_choice=True)

    def _answer_check(self, question: Any, reply: Any) -> Utterance:
        """Say yes to an edit that leads to the intended order."""
        pending = question.get("pending")
        line = reply["lines"][question["line"]] if question["line"] is not None else None
        item = line["item"] if line is not None and (pending is None or "item" not in pending) else pending["item"]
        if pending is None or pending["op"] == "remove":
            is_right = any(wish.item == item for wish in self.intention.wishes) is (pending is None)
        else:
            is_right = self.intention.is_intended(item, pending["quantity"], pending["options"])
        if is_right:
            return Utterance("yes to a check", self.speech.say("yes"))
        return Utterance("no to a check", self.speech.say("no"))
