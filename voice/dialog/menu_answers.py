"""Answers to the questions of a customer, from the menu and the order alone."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time
from itertools import accumulate
from typing import Final

from voice.dialog.numbers_in_words import time_in_words
from voice.dialog.state import Inquiry, InquiryKind, State
from voice.dialog.wording import MAX_LISTED, Wording, capital, n_words, spoken
from voice.menus.availability import DAYS, MINUTES_A_DAY, Hours, is_choice_available, is_item_available, opening_hours
from voice.menus.diets import Verdict, allergens_in, denied_by, verdict_on
from voice.menus.menu import Menu
from voice.menus.names import text_in
from voice.orders.parser.draft import ChoiceRef, DraftLine, DraftOption
from voice.orders.pricing import Pricing

MAX_PRICED: Final = 3  # items whose prices are told one by one
MAX_ITEMS: Final = 6  # that are listed of a category
MIN_ITEMS: Final = 2
MAX_ITEM_WORDS: Final = 20  # of listed items
MAX_DESCRIPTION_WORDS: Final = 28


def answer_inquiry(inquiry: Inquiry, state: State, menu: Menu, pricing: Pricing, language: str) -> str:
    """Return the answer to a question of the customer; where the menu does not tell, it offers a person."""
    return answer_in(Wording(menu, pricing, language), inquiry, state)


def answer_in(wording: Wording, inquiry: Inquiry, state: State) -> str:
    """Return the answer to a question of the customer."""
    return _Answer(wording, inquiry, state).text()


class _Answer:
    """The answer to one question of the customer."""

    def __init__(self, wording: Wording, inquiry: Inquiry, state: State) -> None:
        self._wording = wording
        self._menu = wording.menu
        self._inquiry = inquiry
        self._state = state
        self._at = state.at or datetime.now(UTC)

    def text(self) -> str:
        by_kind: Mapping[InquiryKind, Callable[[], str]] = {
            InquiryKind.PRICE: self._price,
            InquiryKind.TOTAL: self._total,
            InquiryKind.ITEMS: self._items,
            InquiryKind.CHOICES: self._choices,
            InquiryKind.AVAILABLE: self._available,
            InquiryKind.HOURS: self._hours,
            InquiryKind.DESCRIPTION: self._description,
            InquiryKind.DIET: self._diet,
            InquiryKind.OTHER: self._unknown,
        }
        return capital(by_kind[self._inquiry.kind]())

    def _say(self, name: str, /, **values: str) -> str:
        return self._wording.sentence(name, **values)

    def _unknown(self) -> str:
        return f"{self._say('unknown')} {self._say('person')}"

    # --- Prices

    def _price(self) -> str:
        items, choices = self._inquiry.items, self._inquiry.choices
        if not items and choices:
            return self._price_of_choices(choices)
        if not items:
            return self._total()
        line = self._inquiry.line
        if line is not None:
            lines = [self._state.lines[line]._replace(quantity=1)]
        else:
            lines = [DraftLine((item,), 1, self._options(item, choices)) for item in items]
        prices = [self._wording.unit_price(line) for line in lines]
        if len(lines) > MAX_PRICED:
            if min(prices) == max(prices):
                return self._say("price_each", price=self._wording.price(prices[0]))
            return self._say("price_range", least=self._wording.price(min(prices)), most=self._wording.price(max(prices)))
        clauses = [
            self._say("price_is", name=self._wording.noun(line), price=self._wording.price(price))
            for line, price in zip(lines, prices, strict=True)
        ]
        return self._say("statement", clauses=self._wording.all_of(clauses))

    def _options(self, item: str, choices: Iterable[ChoiceRef]) -> tuple[DraftOption, ...]:
        """Return the choices that an item offers, one of each group that takes one."""
        return self._offered(self._menu.items[item].options, tuple(choices))

    def _offered(self, groups: Sequence[str], choices: Sequence[ChoiceRef]) -> tuple[DraftOption, ...]:
        """Return the choices of some groups, with those that they offer below them."""
        chosen: dict[tuple[str, str], DraftOption] = {}
        for group_id, choice_id in choices:
            if group_id in groups:
                group = self._menu.option_groups[group_id]
                key = (group_id, "") if group.select == "one" else (group_id, choice_id)
                below = group.choices[choice_id].options
                nested = self._offered(below, choices) if below else ()
                chosen.setdefault(key, DraftOption(group_id, (choice_id,), options=nested))
        return tuple(chosen.values())

    def _price_of_choices(self, choices: Sequence[ChoiceRef]) -> str:
        names: dict[int, list[str]] = {}
        for group_id, choice_id in choices[:MAX_LISTED]:
            group = self._menu.option_groups[group_id]
            base = group.choices[group.default].price if group.default is not None and group.select == "one" else 0
            names.setdefault(group.choices[choice_id].price - base, []).append(self._wording.choice(group_id, choice_id))
        clauses = []
        for difference, named in names.items():
            sentence = "price_free" if difference == 0 else "price_more" if difference > 0 else "price_less"
            name = self._wording.all_of(list(dict.fromkeys(named)))
            clauses.append(self._say(sentence, name=name, price=self._wording.price(abs(difference))))
        return self._say("statement", clauses=self._wording.all_of(clauses))

    def _total(self) -> str:
        lines = [line for line in self._state.lines if line.quantity]
        return self._say("total", total=self._wording.price(self._wording.total(lines))) if lines else self._say("total_none")

    # --- What there is

    def _items(self) -> str:
        if len(self._inquiry.items) == 1 and (contents := self._contents(self._inquiry.items[0])):
            return contents
        items = self._items_asked()
        if items is None:
            available = [item for item_id, item in self._menu.items.items() if self._is_available(item_id)]
            categories = list(dict.fromkeys([item.category for item in available if item.category]))
            if len(categories) > 1:
                return self._listed("items", [self._wording.named(category) for category in categories])
            items = list(self._menu.items)
        names = [self._wording.item(item) for item in items if self._is_available(item)]
        return self._listed("items", names) if names else self._say("items_none")

    def _items_asked(self) -> list[str] | None:
        """Return the items that are asked for; None: the whole menu."""
        inquiry = self._inquiry
        if inquiry.category is not None:
            of_category = [item_id for item_id, item in self._menu.items.items() if item.category == inquiry.category]
            named = [item for item in of_category if item in inquiry.items]
            return named or of_category
        if inquiry.items:
            return list(inquiry.items)
        if inquiry.choices:
            groups = {group for group, _ in inquiry.choices}
            return [item_id for item_id, item in self._menu.items.items() if not groups.isdisjoint(item.options)]
        return None

    def _listed(self, sentence: str, names: Sequence[str], **values: str) -> str:
        """Return a sentence about a list that is short enough to be heard; one name more than fits is listed, instead of being counted."""
        n_listed = sum(n_so_far <= MAX_ITEM_WORDS for n_so_far in accumulate(map(n_words, names)))
        n_listed = min(max(n_listed, MIN_ITEMS), MAX_ITEMS)
        listed = names[: n_listed if len(names) > n_listed + 1 else n_listed + 1]
        return self._say(sentence, **values, items=self._wording.some_of(listed, len(names)))

    def _choices(self) -> str:
        """Answer which sizes or other choices there are."""
        items, groups = self._inquiry.items, self._inquiry.groups
        if not items and self._state.changes:
            items = tuple([change.item for change in self._state.changes if change.op != "remove"])[-1:]
        if not items:
            return self._listed("choices_all", self._priced_choices(groups)) if groups else self._unknown()
        item = items[0]
        name = self._wording.item(item)
        offered = self._menu.items[item].options
        asked = [group for group in groups if group in offered]
        if not groups:
            asked = list(offered)
        if not asked:
            return self._say("choices_none", item=name)
        if len(asked) > 1 and not groups:
            if contents := self._contents(item):
                return contents
            names = [self._wording.named(self._menu.option_groups[group].name) for group in asked]
            return self._listed("choices_of", names, item=name)
        return self._listed("choices_of", self._priced_choices(asked[:1]), item=name)

    def _priced_choices(self, groups: Iterable[str]) -> list[str]:
        """Return the choices of the first group with the differences of their prices."""
        for group_id in groups:
            group = self._menu.option_groups[group_id]
            base = group.choices[group.default].price if group.default is not None and group.select == "one" else 0
            return [
                self._wording.with_difference(self._wording.choice(group_id, choice_id), 0 if group.free else choice.price - base)
                for choice_id, choice in group.choices.items()
                if self._is_choice_available(ChoiceRef(group_id, choice_id))
            ]
        return []

    def _available(self) -> str:
        items, choices = self._inquiry.items, self._inquiry.choices
        if not items and not choices:
            return self._items() if self._inquiry.category is not None else self._say("not_on_menu")
        if not items:
            served = [ref for ref in choices if self._is_choice_available(ref)]
            names = [self._wording.choice(*ref) for ref in served or choices]
            return self._listed("available" if served else "not_available", list(dict.fromkeys(names)))
        served_items = [item for item in items if self._is_available(item)]
        if not served_items:
            return self._say("not_available", items=self._wording.any_of([self._wording.item(item) for item in items[:MAX_LISTED]]))
        if choices:
            return self._available_with(served_items, choices)
        return self._listed("available", [self._wording.item(item) for item in served_items])

    def _available_with(self, items: Sequence[str], choices: Sequence[ChoiceRef]) -> str:
        for item in items:
            options = self._options(item, choices)
            if options:
                return self._say("available_with", line=self._wording.noun(DraftLine((item,), 1, options)))
        names = self._wording.any_of(list(dict.fromkeys([self._wording.choice(*ref) for ref in choices])))
        return self._say("available_without", item=self._wording.item(items[0]), choices=names)

    # --- Times

    def _hours(self) -> str:
        items = [item for item in self._inquiry.items if self._menu.items[item].when]
        if not items:
            return self._unknown()
        times = [self._period(hours) for hours in opening_hours(self._menu, items[0])]
        answer = self._say("hours", name=self._wording.item(items[0]), times=self._wording.all_of(times))
        return answer.replace("..", ".")  # a time may end with a point

    def _period(self, hours: Hours) -> str:
        """Return hours in words; the days are left out if they are all."""
        start, end = [time_in_words(_time_of(minutes), self._wording.language) for minutes in (hours.begins, hours.ends)]
        if len(hours.days) == len(DAYS):
            return self._say("span", start=start, end=end)
        places = [place for place, day in enumerate(DAYS) if day in hours.days]
        names = [self._wording.speech.weekdays[DAYS[place]] for place in places]
        is_run = len(places) > 2 and places[-1] - places[0] == len(places) - 1  # noqa: PLR2004 - two days are named
        days = self._say("days", first=names[0], last=names[-1]) if is_run else self._wording.all_of(names)
        return self._say("span_days", start=start, end=end, days=days)

    # --- Descriptions and diets

    def _description(self) -> str:
        language = self._wording.language
        for item in self._inquiry.items:
            description = self._menu.items[item].description
            text = text_in(description, language) if description is not None else None
            if text is not None:
                return self._say("description", name=self._wording.item(item), description=_shortened(text, language))
        contents = [self._contents(item) for item in self._inquiry.items]
        return next(filter(None, contents), "") or self._unknown()

    def _contents(self, item: str) -> str:
        """Return what a combo consists of: the items between which each of its groups chooses; "" for another item."""
        names = []
        for group_id in self._menu.items[item].options:
            choices = {choice_id: choice for choice_id, choice in self._menu.option_groups[group_id].choices.items() if choice.item}
            listed = [self._wording.choice(group_id, choice_id) for choice_id, choice in choices.items() if choice.available]
            if listed:
                names.append(self._wording.some_of(listed[:MAX_LISTED], len(listed), alternatives=True))
        if len(names) < MIN_ITEMS:
            return ""
        return self._say(
            "choices_of", item=self._wording.item(item), items=self._say("lines_many", rest=", ".join(names[:-1]), last=names[-1])
        )

    def _diet(self) -> str:
        value = self._inquiry.value or ""
        speech = self._wording.speech
        is_allergen = value in speech.allergens
        name = speech.allergens.get(value) or speech.diets.get(value)
        if name is None:
            return self._unknown()
        if self._inquiry.items:
            return self._diet_of(self._inquiry.items[0], value, name)
        category = self._inquiry.category
        candidates = [item for item in self._menu.items if self._is_available(item) and category in (None, self._menu.items[item].category)]
        vouched = [item for item in candidates if verdict_on(self._menu, item, (), value) is Verdict.VOUCHED]
        if vouched:
            names = [self._wording.item(item) for item in vouched]
            return self._listed("diet_items_free" if is_allergen else "diet_items", names, name=name)
        return f"{self._say('unvouched_all_allergen' if is_allergen else 'unvouched_all', name=name)} {self._say('person')}"

    def _diet_of(self, item: str, value: str, name: str) -> str:
        allergens = self._wording.speech.allergens
        line = DraftLine((item,), 1, self._options(item, self._inquiry.choices))
        options = self._wording.options(line)
        item_name = self._wording.noun(line)
        verdict = verdict_on(self._menu, item, options, value)
        if verdict is Verdict.DENIED:
            contained = [one for one in allergens_in(self._menu, item, options) if one in denied_by(value)]
            return self._say("contains", item=item_name, name=self._wording.all_of([allergens[one] for one in contained]))
        if verdict is Verdict.VOUCHED:
            return self._say("free_of" if value in allergens else "diet_is", item=item_name, name=name)
        return f"{self._say('unvouched_allergen' if value in allergens else 'unvouched', item=item_name, name=name)} {self._say('person')}"

    # --- Availability

    def _is_available(self, item: str) -> bool:
        return is_item_available(self._menu, item, self._at)

    def _is_choice_available(self, ref: ChoiceRef) -> bool:
        return is_choice_available(self._menu, ref.group, ref.choice, self._at)


def _shortened(text: str, language: str) -> str:
    """Return the first sentences of a text of the menu, as many as are said in one breath, at least one."""
    shortened = ""
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        longer = f"{shortened}. {capital(spoken(sentence, language))}" if shortened else spoken(sentence, language)
        if shortened and n_words(longer) > MAX_DESCRIPTION_WORDS:
            break
        shortened = longer
    return shortened


def _time_of(minutes: int) -> time:
    """Return a time of day; `minutes`: since midnight, of this day or the next."""
    hour, minute = divmod(minutes % MINUTES_A_DAY, 60)
    return time(hour, minute)
