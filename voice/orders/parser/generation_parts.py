"""Generated examples of parts: lines divided among options or items, portions of options, multiples, zero."""

from collections.abc import Callable, Sequence

from schemas import LineRequest, OptionRequest
from voice.orders import words
from voice.orders.corpus import Example
from voice.orders.parser.generation_references import ReferenceExamples
from voice.orders.parser.state import OpenQuestion

MAX_PORTIONS = 4


class PartExamples(ReferenceExamples):
    """Writes examples in which a number is not that of a new line."""

    def part_makers(self) -> Sequence[tuple[int, Callable[[], Example | None]]]:
        """Return the makers of this class, with their weights."""
        return (
            (2, self._portions),
            (2, self._more_portions),
            (1, self._fewer_portions),
            (1, self._portions_each),
            (1, self._multiply),
            (1, self._zero),
            (2, self._head),
            (2, self._parallel),
            (2, self._parts_in_order),
            (1, self._recount),
            (1, self._part_to_item),
            (1, self._half_to_item),
            (1, self._asked_of_all),
            (1, self._for_each),
            (1, self._menu_number),
        )

    # --- Portions of options

    def _countable(self) -> tuple[LineRequest, str, str] | None:
        """Return a line without options, and a choice that can be ordered in several portions on it."""
        line = self._line(max_options=0).model_copy(update={"options": [], "quantity": self.random.choice([1, 1, 2])})
        groups = [group for group in self.menu.items[line.item].options if self.menu.option_groups[group].select == "many"]
        groups = [group for group in groups if self.menu.option_groups[group].choices]
        if not groups:
            return None
        group = self.random.choice(groups)
        return line, group, self.random.choice(list(self.menu.option_groups[group].choices))

    def _portions_words(self, group: str, choice: str, number: int) -> str:
        name = self._choice_words(group, choice)
        return name + str(self.templates["plural"]) if number > 1 and not name.endswith("s") and self._chance(0.6) else name

    def _portioned(self, key: str, before: int, after: int, said: int) -> Example | None:
        """Return an example that changes the portions of a choice; `said`: the number in the words."""
        found = self._countable()
        if found is None:
            return None
        line, group, choice = found
        orders = [
            line if not number else line.model_copy(update={"options": [OptionRequest(group=group, choice=choice, quantity=number)]})
            for number in (before, after)
        ]
        name = self._portions_words(group, choice, said)
        say = self._filled(self._pick("portions", key), c=name, n=self._number(said), i=self._item_words(line.item))
        others = self._lines(1) if self._chance(0.3) else []
        others = [other for other in others if other.item != line.item]
        return self._referring(say, [*others, orders[0]], [*others, orders[1]], len(others))

    def _portions(self) -> Example | None:
        """Set the portions of a choice, which the line may have or not."""
        number = self.random.choice([2, 2, 3, MAX_PORTIONS])
        return self._portioned("set", self.random.choice([0, 1, 1]), number, number)

    def _more_portions(self) -> Example | None:
        """Add one portion of a choice that the line has."""
        before = self.random.choice([1, 1, 2])
        return self._portioned("more", before, before + 1, 1)

    def _fewer_portions(self) -> Example | None:
        """Take one portion of a choice off, or set fewer."""
        before = self.random.choice([2, 2, 3])
        return self._portioned("fewer", before, before - 1, 1) if self._chance(0.5) else self._portioned("down", before, 1, 1)

    def _portions_each(self) -> Example | None:
        """Order several choices with a number of portions each."""
        found = self._countable()
        if found is None:
            return None
        line, group, _ = found
        choices = list(self.menu.option_groups[group].choices)
        if len(choices) < 2:  # noqa: PLR2004 - "each" of several
            return None
        number = self.random.choice([2, 2, 3])
        chosen = self.random.sample(choices, 2)
        names = [self._choice_words(group, choice) for choice in chosen]
        say = self._filled(self._pick("portions", "each"), c=names[0], d=names[1], n=self._number(number))
        options = [OptionRequest(group=group, choice=choice, quantity=number) for choice in chosen]
        return self._referring(say, [line], [line.model_copy(update={"options": options})], 0)

    # --- Quantities

    def _multiply(self) -> Example | None:
        """Double a line."""
        before = self._lines(self.random.choice([1, 2]))
        at = self.random.randrange(len(before))
        after = [one.model_copy(update={"quantity": 2 * one.quantity}) if number == at else one for number, one in enumerate(before)]
        say = self._filled(self._pick("edits", "multiply"), i=self._item_words(before[at].item))
        return self._referring(say, before, after, at)

    def _zero(self) -> Example | None:
        """Remove a line by the number zero."""
        before = self._lines(self.random.choice([1, 2, 3]))
        at = self.random.randrange(len(before))
        say = self._filled(self._pick("edits", "zero"), i=self._item_words(before[at].item))
        return self._referring(say, before, [one for number, one in enumerate(before) if number != at], at)

    def _recount(self) -> Example | None:
        """Set the quantity of the one of two lines that an option describes."""
        pair = self._pair()
        if pair is None:
            return None
        group, before = pair
        at, number = self.random.randrange(2), self.random.choice([2, 3, 4])
        after = [one.model_copy(update={"quantity": number}) if place == at else one for place, one in enumerate(before)]
        name = self._choice_words(group, before[at].options[0].choice)
        say = self._filled(self._pick("edits", "recount"), o=name, n=self._number(number), i=self._item_words(before[at].item))
        return self._referring(say, before, after, at)

    def _for_each(self) -> Example | None:
        """Order as many of an item as there are units of another one."""
        before = self._lines(2)
        if len(before) < 2:  # noqa: PLR2004 - an item and another one
            return None
        line, other = before[0].model_copy(update={"quantity": self.random.choice([2, 3, 4])}), before[1].item
        say = self._filled(self._pick("edits", "for_each"), i=self._item_words(line.item), j=self._item_words(other))
        return self._referring(say, [line], [line, LineRequest(item=other, quantity=line.quantity)], 0)

    def _menu_number(self) -> Example:
        """Order an item by its name and its number in the menu."""
        line = self._line()
        number = self._number(self.random.choice([2, 3, 4, 5, 6, 7, 8]))
        say = self._filled(self._pick("menu_numbers"), x=self._line_words(line), n=number)
        return self._example(self._said(say, opening=True), (), [line])

    # --- Parts of a line

    def _head(self) -> Example | None:
        """Order a number of items of a category, then its parts."""
        by_category: dict[str, list[str]] = {}
        for item in self.items:
            by_category.setdefault(str(self.menu.items[item].category or ""), []).append(item)
        categories = [category for category, items in by_category.items() if category and len(items) > 1]
        if not categories:
            return None
        category = self.random.choice(categories)
        pair = self.random.sample(by_category[category], 2)
        numbers = [self.random.choice([1, 2, 2, 3]), self.random.choice([1, 2, 3])]
        shared = [group for group in self.menu.items[pair[0]].options if group in self.menu.items[pair[1]].options]
        shared = [group for group in shared if self._is_one_of_several(group)]
        options = self._options(self.random.choice(shared)) if shared and self._chance(0.4) else []
        head = words.phrase(category)
        parts = [" ".join([word for word in words.phrase(self._item_words(item)) if word not in head] or head) for item in pair]
        key = "rest" if self._chance(0.25) else "all"
        say = self._filled(
            self._pick("heads", key),
            k=" ".join([*head, *[self._option_words(option) for option in options]]),
            n=self._number(sum(numbers)),
            p=f"{self._number(numbers[0])} {parts[0]}",
            q=parts[1] if key == "rest" else f"{self._number(numbers[1])} {parts[1]}",
        )
        lines = [LineRequest(item=item, quantity=number, options=options) for item, number in zip(pair, numbers, strict=True)]
        return self._example(self._said(say, opening=True), (), lines)

    def _contrast(self) -> tuple[str, str, list[str]] | None:
        """Return an item, a group of it, and two choices."""
        item = self.random.choice(self.items)
        groups = [group for group in self.menu.items[item].options if len(self.menu.option_groups[group].choices) > 1]
        if not groups:
            return None
        group = self.random.choice(groups)
        return item, group, self.random.sample(list(self.menu.option_groups[group].choices), 2)

    def _parallel(self) -> Example | None:
        """Order units of an item with one option, and more units with another one, without naming the item again."""
        found = self._contrast()
        if found is None:
            return None
        item, group, pair = found
        numbers = [self.random.choice([1, 2, 3, 5, 10]), self.random.choice([1, 1, 2, 3, 10])]
        names = [self._choice_words(group, choice) for choice in pair]
        say = self._filled(
            self._pick("parallels"),
            n=self._number(numbers[0]),
            i=self._item_words(item),
            c=names[0],
            m=self._number(numbers[1]),
            d=names[1],
        )
        lines = [
            LineRequest(item=item, quantity=number, options=[OptionRequest(group=group, choice=choice)])
            for number, choice in zip(numbers, pair, strict=True)
        ]
        return self._example(self._said(say, opening=True), (), lines)

    def _parts_in_order(self) -> Example | None:
        """Order units of an item and say how they divide, or divide the units of an answer or of the line before."""
        found = self._contrast()
        if found is None:
            return None
        item, group, pair = found
        numbers = [self.random.choice([1, 1, 2, 3]), self.random.choice([1, 1, 2])]
        names = [self._choice_words(group, choice) for choice in pair]
        total = LineRequest(item=item, quantity=sum(numbers))
        lines = [
            LineRequest(item=item, quantity=number, options=[OptionRequest(group=group, choice=choice)])
            for number, choice in zip(numbers, pair, strict=True)
        ]
        key = self.random.choice(["all", "all", "rest"])
        say = self._filled(self._pick("parts", key), c=names[0], d=names[1], n=self._number(numbers[0]), m=self._number(numbers[1]))
        number = self._number(total.quantity)
        if self._chance(0.5):
            return self._example(self._said(f"{number} {self._item_words(item)}, {say}", opening=True), (), lines)
        if self._chance(0.3) and self.menu.option_groups[group].select == "one":
            question = OpenQuestion("missing", 0, group, tuple(self.menu.option_groups[group].choices))
            asked = self._filled(self._pick("units_answered"), n=number)
            return self._example(self._said(f"{asked}, {say}"), [LineRequest(item=item)], lines, question)
        return self._referring(say, [total], lines, 0)

    def _part_to_item(self) -> Example | None:
        """Replace one unit of a line by another item."""
        found = self._lines(2)
        if len(found) < 2:  # noqa: PLR2004 - an item and another one
            return None
        number = self.random.choice([2, 3, 4])
        item, other = found[0].item, found[1].item
        say = self._filled(
            self._pick("edits", "part_to_item"), i=self._item_words(item) + self.templates["plural"], j=self._item_words(other)
        )
        after = [LineRequest(item=item, quantity=number - 1), LineRequest(item=other)]
        return self._referring(say, [LineRequest(item=item, quantity=number)], after, 0)

    def _half_to_item(self) -> Example | None:
        """Replace half of a line by another item."""
        found = self._lines(2)
        if len(found) < 2:  # noqa: PLR2004 - an item and another one
            return None
        number = self.random.choice([1, 2, 3])
        item, other = found[0].item, found[1].item
        say = self._filled(
            self._pick("edits", "half_to_item"), i=self._item_words(item) + self.templates["plural"], j=self._item_words(other)
        )
        after = [LineRequest(item=item, quantity=number), LineRequest(item=other, quantity=number)]
        return self._referring(say, [LineRequest(item=item, quantity=2 * number)], after, 0)

    def _asked_of_all(self) -> Example | None:
        """Answer a question about one line for all lines that lack the option."""
        found = self._contrast()
        if found is None:
            return None
        item, group, pair = found
        if self.menu.option_groups[group].select != "one":
            return None
        others = [other for other in self.items if other != item and group in self.menu.items[other].options]
        items = [item, *self.random.sample(others, min(len(others), self.random.choice([1, 2])))]
        before = [LineRequest(item=one, quantity=self.random.choice([1, 1, 2, 3])) for one in items]
        if len(before) < 2:  # noqa: PLR2004 - all of several
            return None
        option = OptionRequest(group=group, choice=pair[0])
        number = self._number(sum(line.quantity for line in before))
        say = self._filled(self._pick("answers_for_all"), c=self._choice_words(group, pair[0]), n=number)
        question = OpenQuestion("missing", 0, group, tuple(self.menu.option_groups[group].choices))
        return self._example(self._said(say), before, [line.model_copy(update={"options": [option]}) for line in before], question)
