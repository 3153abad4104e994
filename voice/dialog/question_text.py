"""Open questions in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from voice.dialog.combos import uses_of
from voice.dialog.nested_options import group_at
from voice.dialog.state import Note, Question, QuestionKind, State
from voice.dialog.wording import MAX_LISTED, Wording, capital, n_words
from voice.menus.diets import allergens_in, denied_by
from voice.menus.menu import Menu
from voice.orders import words
from voice.orders.pricing import Pricing

MAX_WORDS: Final = 30  # of a reply, except for a read-back
MIN_LISTED: Final = 2


def question_text(question: Question, state: State, menu: Menu, pricing: Pricing, language: str) -> str:
    """Return an open question in words; `state`: the order and the notes that it is about."""
    return question_in(Wording(menu, pricing, language), question, state)


def question_in(wording: Wording, question: Question, state: State) -> str:
    """Return an open question in words; it names fewer than `MAX_LISTED` choices where it would have more than `MAX_WORDS` words."""
    text = ""
    for max_listed in range(MAX_LISTED, MIN_LISTED - 1, -1):
        text = _QuestionText(wording, question, state, max_listed).text()
        if n_words(text) <= MAX_WORDS or is_read_back(question):
            break
    return text


def is_read_back(question: Question) -> bool:
    """Return whether a question asks if the whole order is right."""
    return question.kind is QuestionKind.CONFIRM and question.line is None


class _QuestionText:
    """The words of one question."""

    def __init__(self, wording: Wording, question: Question, state: State, max_listed: int) -> None:
        self._wording = wording
        self._question = question
        self._state = state
        self._max_listed = max_listed
        lines = question.lines or (() if question.line is None else (question.line,))
        self._lines = [state.lines[number] for number in lines if 0 <= number < len(state.lines)]

    def text(self) -> str:
        by_kind: Mapping[QuestionKind, Callable[[], str]] = {
            QuestionKind.AMBIGUOUS: self._which,
            QuestionKind.MISSING: self._missing,
            QuestionKind.UNAVAILABLE: self._unavailable,
            QuestionKind.CHECK: self._check,
            QuestionKind.OFFER: self._offer,
            QuestionKind.MORE: self._more,
            QuestionKind.CONFIRM: self._confirm,
        }
        return capital(by_kind[self._question.kind]())

    # --- The kinds

    def _more(self) -> str:
        return self._wording.sentence("more" if self._state.lines else "first")

    def _which(self) -> str:
        choices = self._choices()
        if not choices:
            return self._more()
        subject = self._subject()
        return self._wording.sentence("choose_for", item=subject, choices=choices) if subject else self._say("choose", choices=choices)

    def _missing(self) -> str:
        if self._question.group is None:
            return self._missing_item_or_number()
        ask = self._wording.menu.option_groups[self._question.group].ask
        if ask is None:
            return self._which()
        asked = capital(self._wording.named(ask))
        subject = self._subject()
        choices = self._choices()
        if self._names_choices(asked, choices):
            return self._say("ask_alone_for", item=subject, ask=asked) if subject else self._say("ask_alone", ask=asked)
        if subject:
            return self._say("ask_for", item=subject, ask=asked, choices=capital(choices))
        return self._say("ask", ask=asked, choices=capital(choices))

    def _names_choices(self, asked: str, choices: str) -> bool:
        """Return whether the question of the menu already names all choices. `choices`: their names, perhaps with prices."""
        names = [self._wording.choice(str(self._question.group), choice) for choice in self._ids_of_group(str(self._question.group))]
        told = words.fold(asked).lower()
        return choices == self._listed(names) and all(words.fold(name).lower() in told for name in names)

    def _missing_item_or_number(self) -> str:
        pending = self._question.pending
        line = pending.line if pending is not None and pending.line.items else next(iter(self._lines), None)
        if line is not None:
            return self._say("how_many", item=self._wording.item(line.items[0], 2))
        choices = self._choices()
        if choices:
            return self._say("choose", choices=choices)
        if pending is not None and pending.line.quantity > 1:
            return self._say("how_much_of", number=self._wording.number(pending.line.quantity))
        return self._say("first")

    def _unavailable(self) -> str:
        pending = self._question.pending
        line = pending.line if pending is not None else next(iter(self._lines), None)
        if line is None or not (line.items or line.options):
            return self._which()
        names = [self._wording.item(item) for item in line.items]
        if self._question.group is not None:
            names = [self._wording.option(option) for option in line.options if option.group == self._question.group] or names
        choices = self._choices()
        name = self._wording.any_of(names)
        return self._say("unavailable", item=name, choices=choices) if choices else self._say("unavailable_alone", item=name)

    def _check(self) -> str:
        pending = self._question.pending
        if pending is not None and pending.line.items:
            if pending.op == "remove":
                return self._say("check_remove", lines=self._wording.item(pending.line.items[0], pending.line.quantity))
            return self._say(f"check_{pending.op}", lines=self._wording.line(pending.line))
        if not self._lines:
            return self._which()
        line = self._lines[0]
        note = self._diet_note()
        value = "" if note is None or note.value is None else note.value
        speech = self._wording.speech
        name = speech.allergens.get(value) or speech.diets.get(value)
        item = self._wording.noun(line)
        if name is None:
            return self._say("check_line", item=item)
        denying = denied_by(value)
        contained = [one for one in allergens_in(self._wording.menu, line.items[0], self._wording.options(line)) if one in denying]
        if contained:
            return self._say("check_contains", item=item, name=self._wording.all_of([speech.allergens[one] for one in contained]))
        return self._say("check_allergen" if value in speech.allergens else "check_diet", item=item, name=name)

    def _diet_note(self) -> Note | None:
        """Return the last allergy or diet that the line must respect."""
        notes = [note for note in self._state.notes if note.kind in ("allergy", "diet") and note.line in (None, self._question.line)]
        return notes[-1] if notes else None

    def _offer(self) -> str:
        if self._question.replaces_lines:
            return self._offer_combo()
        choices = self._choices()
        if not choices:
            return self._more()
        if self._question.group is None:
            return self._say("offer", choices=choices)
        subject = self._subject()
        return self._say("offer_for", item=subject, choices=choices) if subject else self._say("offer_alone", choices=choices)

    def _offer_combo(self) -> str:
        """Return the offer of a combo with its price, and by how much it is cheaper; the parts are named where there is room."""
        wording, pending = self._wording, self._question.pending
        if pending is None:
            return self._more()
        uses = uses_of(wording.menu, self._question, self._state.lines)
        parts = [self._state.lines[at]._replace(quantity=n_units * pending.line.quantity) for at, n_units in uses.items()]
        price = wording.total([pending.line])
        saving = wording.total(parts) - price
        names = wording.all_of([wording.item(part.items[0], part.quantity) for part in parts])
        name = "offer_combo" if self._max_listed == MAX_LISTED else "offer_combo_brief"
        combo = wording.line(pending.line, is_brief=True)
        return self._say(name, parts=names, combo=combo, price=wording.price(price), saving=wording.price(saving))

    def _confirm(self) -> str:
        lines = [line for line in self._state.lines if line.quantity]
        if self._question.line is None:
            total = self._wording.price(self._wording.total(lines))
            listed = self._wording.lines(lines) if lines else ""
            services = [note.value for note in self._state.notes if note.kind == "service" and note.value in self._wording.speech.services]
            if services:
                listed = self._say("for_service", lines=listed, service=self._wording.speech.services[str(services[-1])])
            return self._say("read_back", lines=listed, total=total) if lines else self._more()
        if not self._lines:
            return self._more()
        if self._question.group is None:
            return self._say("confirm_line", lines=self._wording.lines(self._lines))
        spoken = group_at(self._wording.menu, self._lines[0], self._question.path, self._question.group)
        chosen = [self._wording.option(option) for option in spoken or ()]
        choices = self._listed(chosen) if chosen and not self._question.choices else self._choices()
        return self._say("confirm_choice", item=self._subject(always=True), choices=choices)

    def _say(self, name: str, /, **values: str) -> str:
        return self._wording.sentence(name, **values)

    # --- Lines and choices

    def _subject(self, *, always: bool = False) -> str:
        """Return what the question is about, "" where the order has no other line."""
        wording = self._wording
        lines = self._lines
        pending = self._question.pending
        if not lines:
            return ""
        if self._question.path:
            return wording.choice(*self._question.path[-1])
        if not always and pending is None and len(lines) == len([line for line in self._state.lines if line.quantity]):
            return ""
        others = [line for line in self._state.lines if line not in lines]
        names = []
        for line in lines:
            is_alone = all(other.items != line.items for other in others)
            names.append(wording.item(line.items[0], line.quantity) if is_alone else wording.noun(line, line.quantity))
        return wording.all_of(list(dict.fromkeys(names)))

    def _choices(self) -> str:
        """Return the choices of the question with the differences of their prices."""
        question, menu = self._question, self._wording.menu
        if question.group is None:
            ids: Sequence[str] = [item for item in question.choices if item in menu.items]
            prices = {item: menu.items[item].price for item in ids}
            names = {item: self._wording.item(item) for item in ids}
            if question.kind is QuestionKind.OFFER and len(ids) == 1:
                return self._say("priced", name=names[ids[0]], price=self._wording.price(prices[ids[0]]))
            base = self._base_of_items(list(prices.values()))
        else:
            group = menu.option_groups[question.group]
            ids = self._ids_of_group(question.group)
            prices = {choice: group.choices[choice].price for choice in ids}
            names = {choice: self._wording.choice(question.group, choice) for choice in ids}
            base = self._base_of_group(question.group)
            if group.free:  # how much a choice costs depends on the others
                prices = dict.fromkeys(ids, base)
        differences = {choice: price - base for choice, price in prices.items()}
        listed = ids[: self._max_listed]
        if len(ids) > 1 and len(set(differences.values())) == 1 and differences[ids[0]] > 0:
            choices = self._listed([names[choice] for choice in listed], len(ids))
            return self._say("dearer_each", choices=choices, price=self._wording.price(differences[ids[0]]))
        return self._listed([self._wording.with_difference(names[choice], differences[choice]) for choice in listed], len(ids))

    def _ids_of_group(self, group_id: str) -> list[str]:
        """Return the choices of the question, or else those of its group that are available."""
        choices = self._wording.menu.option_groups[group_id].choices
        asked = [choice for choice in self._question.choices if choice in choices]
        return asked or [choice_id for choice_id, choice in choices.items() if choice.available]

    def _base_of_items(self, prices: Sequence[int]) -> int:
        """Return the price with which items are compared: that of the item that they replace, else the lowest one."""
        pending = self._question.pending
        if self._question.kind is QuestionKind.UNAVAILABLE and pending is not None and len(pending.line.items) == 1:
            return self._wording.menu.items[pending.line.items[0]].price
        return min(prices, default=0)

    def _base_of_group(self, group_id: str) -> int:
        """Return the price with which choices are compared: that of the choice that the line has, spoken or by default."""
        group = self._wording.menu.option_groups[group_id]
        if group.select == "many":
            return 0
        spoken = group_at(self._wording.menu, self._lines[0], self._question.path, group_id) if self._lines else None
        chosen = next((option.choices[0] for option in spoken or () if option.amount != "no" and len(option.choices) == 1), None)
        chosen = chosen or group.default
        return group.choices[chosen].price if chosen is not None else 0

    def _listed(self, names: Sequence[str], n_all: int | None = None) -> str:
        return self._wording.some_of(names, n_all or len(names), alternatives=True)
