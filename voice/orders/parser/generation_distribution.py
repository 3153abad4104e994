"""Generated examples of changes and answers that are distributed over lines, units and persons, and of options that move."""

from collections.abc import Callable, Sequence

from schemas import LineRequest, OptionRequest
from voice.orders.corpus import Example
from voice.orders.parser.generation_references import ReferenceExamples
from voice.orders.parser.none_choices import none_choices
from voice.orders.parser.state import OpenQuestion

MAX_PLACE = 3
PAIR = 2


class DistributedExamples(ReferenceExamples):
    """Writes examples in which an utterance says something different about each of several lines or units, or the same about some."""

    def distributed_makers(self) -> Sequence[tuple[int, Callable[[], Example | None]]]:
        """Return the makers of this class, with their weights."""
        return (
            (2, self._joined),
            (2, self._own),
            (1, self._own_new),
            (1, self._having),
            (1, self._swap),
            (1, self._move),
            (1, self._keep_rest),
            (2, self._described_behind),
            (1, self._all_but_line),
        )

    def _empty_one_of(self, line: LineRequest, minimum: int = PAIR) -> str | None:
        """Return a one-of group of a line without a choice, with so many choices at least."""
        filled = {option.group for option in line.options}
        groups = [
            group
            for group in self.menu.items[line.item].options
            if group not in filled
            and self.menu.option_groups[group].select == "one"
            and len(self.menu.option_groups[group].choices) >= minimum
        ]
        return self.random.choice(groups) if groups else None

    def _chosen(self, group: str, count: int) -> list[OptionRequest]:
        """Return options with different choices of a group."""
        return [
            OptionRequest(group=group, choice=choice) for choice in self.random.sample(list(self.menu.option_groups[group].choices), count)
        ]

    def _with(self, line: LineRequest, option: OptionRequest, quantity: int = 1) -> LineRequest:
        return line.model_copy(update={"quantity": quantity, "options": [*line.options, option]})

    def _joined(self) -> Example | None:
        """Set an option on two of three lines, named by their places or by their items."""
        before = [line.model_copy(update={"quantity": 1, "options": []}) for line in self._lines(MAX_PLACE)]
        if len({line.item for line in before}) < MAX_PLACE:
            return None
        at = sorted(self.random.sample(range(MAX_PLACE), PAIR))
        shared = [group for group in self.menu.items[before[at[0]].item].options if group in self.menu.items[before[at[1]].item].options]
        if not shared:
            return None
        option = self._chosen(self.random.choice(shared), 1)[0]
        after = [self._with(line, option) if number in at else line for number, line in enumerate(before)]
        places = self.templates["distribution"]["places"]
        names = [places[number] if self._chance(0.5) else self._item_words(before[number].item) for number in at]
        say = self._filled(self._pick("distribution", "joined"), p=names[0], q=names[1], o=self._option_words(option))
        return self._referring(say, before, after, self.random.randrange(MAX_PLACE))

    def _halves(self, line: LineRequest) -> tuple[str, list[OptionRequest]] | None:
        """Return a one-of group that a line lacks, and two choices of it."""
        group = self._empty_one_of(line)
        return None if group is None else (group, self._chosen(group, PAIR))

    def _two_owners(self, key: str, options: Sequence[OptionRequest]) -> str:
        first, second = self.random.sample(self.templates["distribution"]["own"], PAIR)
        names = [self._choice_words(option.group, option.choice) for option in options]
        return self._filled(self._pick("distribution", key), p=first, q=second, c=names[0], d=names[1])

    def _own(self) -> Example | None:
        """Give each unit of a line of two another choice, named by somebody's possessive; asked for or not."""
        line = self._line(max_options=1).model_copy(update={"quantity": 2})
        found = self._halves(line)
        if found is None:
            return None
        group, options = found
        parts = [self._with(line, option) for option in options]
        say = self._said(self._two_owners("two_owners", options))
        question = OpenQuestion("missing", 0, group, tuple(self.menu.option_groups[group].choices)) if self._chance(0.5) else None
        return Example(self.menu, say, [line], [parts], question, "order", focus=(0,))

    def _own_new(self) -> Example | None:
        """Order two units of an item, each with another choice, named by somebody's possessive."""
        line = LineRequest(item=self.random.choice(self.items), quantity=2)
        found = self._halves(line)
        if found is None:
            return None
        say = f"{self._line_words(line)}, {self._two_owners('two_owners', found[1])}"
        return self._example(self._said(say, opening=True), (), [self._with(line, option) for option in found[1]])

    def _having(self) -> Example | None:
        """Answer for each unit by having or not having: "one with, one without"."""
        none = none_choices(self.menu)
        line = self._line(max_options=0).model_copy(update={"options": []})
        groups = [group for group in self.menu.items[line.item].options if group in none]
        pairs = [group for group in groups if len(self.menu.option_groups[group].choices) == PAIR]
        if not pairs:
            return None
        group = self.random.choice(pairs)
        choices = tuple(self.menu.option_groups[group].choices)
        some = next(choice for choice in choices if choice != none[group])
        counts = [self.random.choice([1, 1, 2, 3]) for _ in range(PAIR)]
        say = self._filled(self._pick("distribution", "having"), n=self._number(counts[0]), m=self._number(counts[1]))
        after = [
            self._with(line, OptionRequest(group=group, choice=choice), count)
            for choice, count in zip((some, none[group]), counts, strict=True)
        ]
        before = [line.model_copy(update={"quantity": sum(counts)})]
        return self._example(self._said(say), before, after, OpenQuestion("missing", 0, group, choices))

    def _swap(self) -> Example | None:
        """Exchange the options of two lines."""
        pair = self._pair()
        if pair is None:
            return None
        group, (first, second) = pair
        offering = [item for item in self.items if group in self.menu.items[item].options and item != first.item]
        if not offering:
            return None
        second = second.model_copy(update={"item": self.random.choice(offering)})
        after = [first.model_copy(update={"options": second.options}), second.model_copy(update={"options": first.options})]
        say = self._pick("distribution", "swap")
        if self._chance(0.4):
            name = self._choice_words(group, first.options[0].choice)
            say += f", {self._filled(self._pick('distribution', 'onto'), c=name, i=self._item_words(second.item))}"
        return Example(self.menu, self._said(say), [first, second], [after], OpenQuestion("more"), "order", focus=(0, 1))

    def _move(self) -> Example | None:
        """Move an option from one line to another one."""
        before = [line.model_copy(update={"quantity": 1, "options": []}) for line in self._lines(PAIR)]
        if len({line.item for line in before}) < PAIR:
            return None
        shared = [
            group
            for group in self.menu.items[before[0].item].options
            if group in self.menu.items[before[1].item].options and self.menu.option_groups[group].select == "many"
        ]
        if not shared:
            return None
        option = self._chosen(self.random.choice(shared), 1)[0]
        name = self._choice_words(option.group, option.choice)
        say = self._filled(
            self._pick("distribution", "move"), c=name, i=self._item_words(before[0].item), j=self._item_words(before[1].item)
        )
        moved = [before[0], self._with(before[1], option)]
        return self._referring(say, [self._with(before[0], option), before[1]], moved, self.random.randrange(PAIR))

    def _keep_rest(self) -> Example | None:
        """Change one unit of a line of two; the other one stays."""
        line = self._line(max_options=1).model_copy(update={"quantity": 2})
        group = self._empty_one_of(line)
        if group is None:
            return None
        first, option = self._chosen(group, PAIR)
        before = self._with(line, first, 2) if self._chance(0.7) else line
        owner, other = self.random.sample(self.templates["distribution"]["own"], PAIR)
        say = self._filled(self._pick("distribution", "keep_rest"), p=owner, q=other, o=self._option_words(option))
        return self._referring(say, [before], [before.model_copy(update={"quantity": 1}), self._with(line, option)], 0)

    def _described_behind(self) -> Example | None:
        """Set an option on the one of two lines that its choice describes, the option first."""
        pair = self._pair()
        if pair is None:
            return None
        group, before = pair
        at = self.random.randrange(PAIR)
        others = [one for one in self.menu.items[before[at].item].options if one != group and self.menu.option_groups[one].choices]
        if not others:
            return None
        option = self._chosen(self.random.choice(others), 1)[0]
        after = [self._with(line, option) if number == at else line for number, line in enumerate(before)]
        name = self._choice_words(group, before[at].options[0].choice)
        say = self._filled(self._pick("distribution", "behind"), o=self._option_words(option), c=name)
        return self._referring(say, before, after, self.random.randrange(PAIR))

    def _all_but_line(self) -> Example | None:
        """Set an option on all lines but one."""
        before = [line.model_copy(update={"quantity": 1, "options": []}) for line in self._lines(MAX_PLACE)]
        shared = [
            group
            for group in self.menu.items[before[0].item].options
            if all(group in self.menu.items[line.item].options for line in before)
        ]
        if not shared or len({line.item for line in before}) < MAX_PLACE:
            return None
        option = self._chosen(self.random.choice(shared), 1)[0]
        at = self.random.randrange(MAX_PLACE)
        after = [line if number == at else self._with(line, option) for number, line in enumerate(before)]
        say = self._filled(self._pick("distribution", "all_but"), o=self._option_words(option), i=self._item_words(before[at].item))
        return self._referring(say, before, after, self.random.randrange(MAX_PLACE))
