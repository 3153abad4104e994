"""Generated examples: random orders and edits on the menus of the corpus, put into words by templates.

The corpus has few plain turns, as its writers were asked for the hard ones; without plain ones the weights explain each sentence as a
special case. Generated examples only add weight to fitting: no figure is measured on them.

`corpus/templates/LANGUAGE.yaml`: `{i}` and `{j}` stand for items, `{o}` for an option, `{c}` and `{d}` for choices, `{n}` and `{m}` for
numbers, `{x}` for a line, `{g}` for an option group, `{u}` for a dish that the menu lacks, `{p}` and `{q}` for persons. `generation_talk`
puts examples in other words.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from schemas import LineRequest, OptionRequest
from voice.menus.menu import Menu
from voice.orders.corpus import Example
from voice.orders.parser.draft import DraftLine
from voice.orders.parser.generation_distribution import DistributedExamples
from voice.orders.parser.generation_parts import PartExamples
from voice.orders.parser.generation_persons import PersonExamples
from voice.orders.parser.generation_refusals import RefusalExamples
from voice.orders.parser.generation_talk import EditExamples
from voice.orders.parser.generation_words import NUMBERS
from voice.orders.parser.state import OpenQuestion

MAX_LINES: Final = 3
MIN_DENSE_GROUPS: Final = 2


def generated(menu: Menu, language: str, count: int) -> Iterator[Example]:
    """Yield `count` examples on a menu; the same ones at each call."""
    return _Generator(menu, language).examples(count)


class _Generator(EditExamples, DistributedExamples, PartExamples, PersonExamples, RefusalExamples):
    """Random orders, edits and their words; one menu and one language."""

    def __init__(self, menu: Menu, language: str) -> None:
        super().__init__(menu, language)
        self.makers: Sequence[tuple[int, Callable[[], Example | None]]] = (
            (10, self._order),
            (2, self._polite),
            (5, self._dense),
            (3, self._add),
            (1, self._more),
            (2, self._remove),
            (1, self._remove_described),
            (1, self._correct),
            (1, self._side),
            (1, self._foreign_option),
            (1, self._which_item),
            (2, self._quantity),
            (2, self._replace),
            (3, self._option),
            (1, self._no_option),
            (1, self._all_option),
            (4, self._answer),
            (2, self._choose),
            (1, self._choose_all_but),
            (1, self._decline),
            (1, self._two_answers),
            (1, self._split),
            (2, self._other),
            (1, self._rest),
            (1, self._same_for),
            (2, self._more_described),
            (1, self._more_last),
            (1, self._unknown_dish),
            (1, self._whole_group),
            (1, self._extra_portion),
            (4, self._two_edits),
            (3, self._copy),
            (1, self._copy_all),
            (1, self._copy_over),
            (2, self._copy_group),
            (2, self._also),
            (4, self._replace_keeping),
            (2, self._replace_choice),
            (1, self._correct_answer),
            (1, self._correct_number),
            (1, self._counted_portions),
            (3, self._person),
            (5, self._nothing),
            *self.part_makers(),
            *self.refusal_makers(),
            *self.distributed_makers(),
        )

    def examples(self, count: int) -> Iterator[Example]:
        """Yield examples of all kinds, by weight."""
        makers = [maker for weight, maker in self.makers for _ in range(weight)]
        made = attempts = 0
        while made < count and attempts < 10 * count:
            attempts += 1
            example = self.random.choice(makers)()
            if example is not None:
                made += 1
                yield example

    def _order(self) -> Example:
        same = self._chance(0.3)  # lines of one item with different options
        count = self.random.choice([1, 1, 1, 2, 2, MAX_LINES])
        item = self.random.choice(self.items)
        lines = [self._line(item) for _ in range(count)] if same else self._lines(count)
        spoken = self._line_words(lines[0])
        for line in lines[1:]:
            spoken += f" {self._pick('line_joins')} {self._line_words(line)}"
        return self._example(self._said(spoken, opening=True), (), lines)

    def _polite(self) -> Example:
        """Order by a question."""
        lines = self._lines(self.random.choice([1, 1, 2]))
        spoken = f" {self._pick('line_joins')} ".join([self._line_words(line) for line in lines])
        return self._example(" ".join(self._filled(self._pick("polite"), x=spoken).replace(" ,", ",").split()), (), lines)

    def _dense(self) -> Example | None:
        """Order an item with options of most of its groups."""
        rich = [item for item in self.items if len(self.menu.items[item].options) >= MIN_DENSE_GROUPS]
        if not rich:
            return None
        item = self.random.choice(rich)
        options: list[OptionRequest] = []
        for group_id in self.menu.items[item].options:
            choices = list(self.menu.option_groups[group_id].choices)
            if self.menu.option_groups[group_id].select == "many":
                chosen = self.random.sample(choices, min(len(choices), self.random.choice([0, 1, 2, 3, 4])))
                options += [OptionRequest(group=group_id, choice=choice) for choice in chosen]
            elif choices and self._chance(0.7):
                options.append(OptionRequest(group=group_id, choice=self.random.choice(choices)))
        line = LineRequest(item=item, options=options)
        more = self._lines(1) if self._chance(0.3) else []
        spoken = f" {self._pick('line_joins')} ".join([self._line_words(one) for one in (line, *more)])
        return self._example(self._said(spoken, opening=True), (), [line, *more])

    def _add(self) -> Example:
        *before, new = self._lines(self.random.choice([2, 3]))
        if self._chance(0.2):
            new = self._line(before[-1].item)  # the same again
        return self._example(
            self._said(self._filled(self._pick("edits", "add"), x=self._line_words(new))), before, [*before, new], self._asked()
        )

    def _more(self) -> Example:
        before = self._lines(2)
        line = self.random.choice(before).model_copy(update={"options": []})
        plain = [line if one.item == line.item else one for one in before]
        after = [one.model_copy(update={"quantity": one.quantity + 1}) if one.item == line.item else one for one in plain]
        return self._example(
            self._said(self._filled(self._pick("edits", "more"), i=self._item_words(line.item))), plain, after, self._asked()
        )

    def _remove(self) -> Example:
        before = self._lines(self.random.choice([1, 2, 3]))
        line = self.random.choice(before)
        after = [one for one in before if one is not line]
        return self._example(
            self._said(self._filled(self._pick("edits", "remove"), i=self._item_words(line.item))), before, after, self._asked()
        )

    def _remove_described(self) -> Example | None:
        """Remove one of two lines of an item, named by its option."""
        item = self.random.choice(self.items)
        groups = [group for group in self.menu.items[item].options if len(self.menu.option_groups[group].choices) > 1]
        if not groups:
            return None
        group = self.random.choice(groups)
        pair = self.random.sample(list(self.menu.option_groups[group].choices), 2)
        before = [LineRequest(item=item, options=[OptionRequest(group=group, choice=choice)]) for choice in pair]
        at = self.random.randrange(2)
        say = self._filled(self._pick("edits", "remove_described"), o=self._choice_words(group, pair[at]))
        return self._example(self._said(say), before, [before[1 - at]], self._asked())

    def _correct(self) -> Example | None:
        """Order something else in the same breath."""
        lines = self._lines(2)
        if len(lines) < 2:  # noqa: PLR2004 - an item and another one
            return None
        first, second = lines
        say = self._filled(self._pick("corrections"), x=self._line_words(first), y=self._line_words(second))
        return self._example(self._said(say, opening=True), (), [second])

    def _side(self) -> Example | None:
        """Order an item beside another one."""
        lines = self._lines(2)
        if len(lines) < 2:  # noqa: PLR2004 - an item and its side
            return None
        side = LineRequest(item=lines[1].item)
        say = self._filled(self._pick("sides"), x=self._line_words(lines[0]), i=self._item_words(side.item))
        return self._example(self._said(say, opening=True), (), [lines[0], side])

    def _foreign_option(self) -> Example | None:
        """Order an item with a choice that it does not offer."""
        line = self._line(max_options=0).model_copy(update={"options": []})
        offered = self.menu.items[line.item].options
        foreign = [group for group in self.menu.option_groups if group not in offered and self.menu.option_groups[group].choices]
        if not foreign:
            return None
        group = self.random.choice(foreign)
        choice = self._choice_words(group, self.random.choice(list(self.menu.option_groups[group].choices)))
        say = f"{self._line_words(line)} {self._pick('options', 'behind').replace('{o}', choice)}"
        return self._example(self._said(say, opening=True), (), [line])

    def _which_item(self) -> Example:
        """Name the item of a number that was said before."""
        number, item = self.random.choice([1, 2, 3, 4]), self.random.choice(self.items)
        question = OpenQuestion("missing", None, None, (), DraftLine((), number))
        say = self._filled(self._pick("answers"), c=self._item_words(item))
        return self._example(self._said(say), (), [LineRequest(item=item, quantity=number)], question)

    def _quantity(self) -> Example:
        before = self._lines(self.random.choice([1, 2, 3]))
        is_last = self._chance(0.4)
        line = before[-1] if is_last else self.random.choice(before)
        number = self.random.choice([value for value in (1, 2, 3, 4, 5, 6) if value != line.quantity])
        template = self._pick("edits", "last_quantity" if is_last else "quantity")
        question = self._asked()
        if not is_last and self._chance(0.4):
            template, question = self._pick("edits", "corrected_quantity"), OpenQuestion("confirm")
        say = self._filled(template, i=self._item_words(line.item), n=self._number(number), m=self._number(line.quantity))
        after = [one.model_copy(update={"quantity": number}) if one is line else one for one in before]
        return self._example(self._said(say), before, after, question)

    def _replace(self) -> Example | None:
        before = [line.model_copy(update={"options": []}) for line in self._lines(self.random.choice([1, 2]))]
        line = self.random.choice(before)
        others = [item for item in self.items if item not in {one.item for one in before}]
        if not others:
            return None
        other = self.random.choice(others)
        after = [one.model_copy(update={"item": other}) if one is line else one for one in before]
        say = self._filled(self._pick("edits", "replace"), i=self._item_words(line.item), j=self._item_words(other))
        return self._example(self._said(say), before, after, self._asked())

    def _option(self) -> Example | None:
        before = self._lines(self.random.choice([1, 2, 3]))
        is_last = self._chance(0.4)
        line = before[-1] if is_last else self.random.choice(before)
        empty = [group for group in self.menu.items[line.item].options if group not in {option.group for option in line.options}]
        if not empty:
            return None
        option = self._options(self.random.choice(empty))[0]
        say = self._filled(
            self._pick("edits", "last_option" if is_last else "option"), i=self._item_words(line.item), o=self._option_words(option)
        )
        after = [one.model_copy(update={"options": [*one.options, option]}) if one is line else one for one in before]
        return self._example(self._said(say), before, after, self._asked())

    def _no_option(self) -> Example | None:
        before = self._lines(self.random.choice([1, 2]))
        line = self.random.choice(before)
        many = [group for group in self.menu.items[line.item].options if self.menu.option_groups[group].select == "many"]
        filled = {option.group for option in line.options}
        if not many or filled.intersection(many):
            return None
        group = self.random.choice(many)
        choice = self.random.choice(list(self.menu.option_groups[group].choices))
        say = self._filled(self._pick("edits", "no_option"), i=self._item_words(line.item), c=self._choice_words(group, choice))
        option = OptionRequest(group=group, choice=choice, amount="no")
        after = [one.model_copy(update={"options": [*one.options, option]}) if one is line else one for one in before]
        return self._example(self._said(say), before, after, self._asked())

    def _all_option(self) -> Example | None:
        before = self._lines(2)
        if len(before) < 2:  # noqa: PLR2004 - "both" needs two
            return None
        shared = [group for group in self.menu.items[before[0].item].options if group in self.menu.items[before[1].item].options]
        shared = [group for group in shared if all(group != option.group for line in before for option in line.options)]
        if not shared:
            return None
        option = self._options(self.random.choice(shared))[0]
        say = self._filled(self._pick("edits", "all_option"), o=self._option_words(option))
        return self._example(
            self._said(say), before, [one.model_copy(update={"options": [*one.options, option]}) for one in before], self._asked()
        )

    def _answer(self) -> Example | None:
        asked = self._question()
        if asked is None or asked[2].group is None:
            return None
        before, number, question = asked
        choice = self.random.choice(question.choices)
        option = OptionRequest(group=question.group or "", choice=choice)
        after = [one.model_copy(update={"options": [*one.options, option]}) if at == number else one for at, one in enumerate(before)]
        name = self._choice_words(option.group, choice)
        if self._chance(0.3):
            new = self._line(self.random.choice([item for item in self.items if item not in {one.item for one in before}] or self.items))
            if new.item in {one.item for one in before}:
                return None
            say = self._filled(self._pick("answers_more"), c=name, x=self._line_words(new))
            return self._example(self._said(say), before, [*after, new], question)
        return self._example(self._said(self._filled(self._pick("answers"), c=name)), before, after, question)

    def _choose(self) -> Example | None:
        """Choose among items by place, all or none of them, or accept an offer."""
        count = self.random.choice([1, 2, 2, 3])
        chosen = self.random.sample(self.items, min(len(self.items), count + 1))
        *asked, ordered = chosen
        if not asked:
            return None
        before = [LineRequest(item=ordered)] if self._chance(0.6) else []
        kind = self.random.choice(["offer", "ambiguous", "unavailable"]) if len(asked) > 1 else "offer"
        question = OpenQuestion(kind, None, None, tuple(asked))
        ways = {"first": asked[:1], "second": asked[1:2], "last": asked[-1:], "both": asked, "no_thanks": []}
        if len(asked) == 1:
            ways = {"yes_please": asked, "yes_number": asked, "no_thanks": []}
        elif len(asked) > 2:  # noqa: PLR2004 - "both" means two
            del ways["both"]
        way = self.random.choice([*ways, "name", "name"])
        new = ways.get(way, asked[:1])
        say = self._pick(way) if way in ways else self._filled(self._pick("answers"), c=self._item_words(asked[0]))
        number = self.random.choice([2, 3, 4]) if way == "yes_number" else 1
        say = say.replace("{n}", self._number(number))
        after = [*before, *[LineRequest(item=item, quantity=number) for item in new]]
        return Example(self.menu, self._said(say), before, [after], question, "order" if new else "deny")

    def _choose_all_but(self) -> Example | None:
        """Choose all of several items or choices but one."""
        count = self.random.choice([2, 3, 3, 4])
        many = [
            (item, group)
            for item in self.items
            for group in self.menu.items[item].options
            if self.menu.option_groups[group].select == "many" and len(self.menu.option_groups[group].choices) > 1
        ]
        if many and self._chance(0.5):
            item, group = self.random.choice(many)
            choices = list(self.menu.option_groups[group].choices)
            asked = self.random.sample(choices, min(len(choices), count))
            say = self._filled(self._pick("all_but"), c=self._choice_words(group, asked[0]))
            after = LineRequest(item=item, options=[OptionRequest(group=group, choice=choice) for choice in asked[1:]])
            return self._example(self._said(say), [LineRequest(item=item)], [after], OpenQuestion("offer", 0, group, tuple(asked)))
        asked = self.random.sample(self.items, min(len(self.items), count))
        if len(asked) < 2:  # noqa: PLR2004 - one is left out
            return None
        say = self._filled(self._pick("all_but"), c=self._item_words(asked[0]))
        after_all = [LineRequest(item=item) for item in asked[1:]]
        return self._example(self._said(say), (), after_all, OpenQuestion("offer", None, None, tuple(asked)))

    def _decline(self) -> Example | None:
        """Decline an offer, and order something else or nothing."""
        offered, *lines = self.random.sample(self.items, min(len(self.items), 3))
        if not lines:
            return None
        before, new = [LineRequest(item=item) for item in lines[:-1]], [self._line(lines[-1])]
        orders = self._chance(0.5)
        say = self._pick("declines" if orders else "excuses").replace("{i}", self._item_words(offered))
        if orders:
            say = self._filled(say, x=self._line_words(new[0]))
        question = OpenQuestion("offer", None, None, (offered,))
        after = [*before, *new] if orders else before
        return Example(self.menu, self._said(say), before, [after], question, "order" if orders else "deny")

    def _two_answers(self) -> Example | None:
        asked = self._question()
        if asked is None:
            return None
        before, number, question = asked
        group = question.group or ""
        if len(question.choices) < 2 or self.menu.option_groups[group].select != "one":  # noqa: PLR2004 - two answers
            return None
        before[number] = before[number].model_copy(update={"quantity": 2})
        chosen = self.random.sample(question.choices, 2)
        parts = [
            before[number].model_copy(
                update={"quantity": 1, "options": [*before[number].options, OptionRequest(group=group, choice=choice)]}
            )
            for choice in chosen
        ]
        names = [self._choice_words(group, choice) for choice in chosen]
        say = self._filled(self._pick("two_answers"), c=names[0], d=names[1])
        return self._example(self._said(say), before, [*before[:number], *parts, *before[number + 1 :]], question)

    def _split(self) -> Example | None:
        line = self._line(max_options=1)
        empty = [group for group in self.menu.items[line.item].options if group not in {option.group for option in line.options}]
        if not empty:
            return None
        line = line.model_copy(update={"quantity": self.random.choice([2, 3, 4])})
        number = self.random.randrange(1, line.quantity)
        option = self._options(self.random.choice(empty))[0]
        say = self._filled(self._pick("split"), n=self._number(number), o=self._option_words(option))
        parts = [
            line.model_copy(update={"quantity": line.quantity - number}),
            line.model_copy(update={"quantity": number, "options": [*line.options, option]}),
        ]
        return self._example(self._said(say), [line], parts, self._asked())

    def _nothing(self) -> Example:
        before = self._lines(self.random.choice([0, 1, 2]))
        item, other = self.random.choice(self.items), self.random.choice(self.items)
        groups = list(self.menu.option_groups)
        group = self.random.choice(groups) if groups else ""
        choice = self._choice_words(group, self.random.choice(list(self.menu.option_groups[group].choices))) if group else "ice"
        say = self._filled(
            self._pick("nothing"),
            i=self._item_words(item),
            j=self._item_words(other),
            c=choice,
            o=choice,
            n=self._number(self.random.choice(NUMBERS)),
        )
        question = OpenQuestion("more") if before else None
        return Example(self.menu, say, before, [before], question, "")
