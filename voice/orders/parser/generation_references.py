"""Generated examples of references to lines, of whole option groups, of single extra portions and of unknown dishes."""

from collections.abc import Sequence
from typing import Final

from schemas import LineRequest, OptionRequest
from voice.orders import words
from voice.orders.corpus import Example
from voice.orders.parser.generation_words import ExampleWriter
from voice.orders.parser.state import OpenQuestion

MAX_WHOLE: Final = 10  # choices of a group of which all are chosen


class ReferenceExamples(ExampleWriter):
    """Writes examples with references."""

    def _pair(self) -> tuple[str, list[LineRequest]] | None:
        """Return a one-of group, and two lines of an item with different choices of it."""
        item = self.random.choice(self.items)
        groups = [group for group in self.menu.items[item].options if self._is_one_of_several(group)]
        if not groups:
            return None
        group = self.random.choice(groups)
        pair = self.random.sample(list(self.menu.option_groups[group].choices), 2)
        return group, [LineRequest(item=item, options=[OptionRequest(group=group, choice=choice)]) for choice in pair]

    def _is_one_of_several(self, group: str) -> bool:
        return self.menu.option_groups[group].select == "one" and len(self.menu.option_groups[group].choices) > 1

    def _referring(self, say: str, before: Sequence[LineRequest], after: Sequence[LineRequest], focus: int) -> Example:
        """Return an example in which the turn before changed one line."""
        question = self.random.choice([None, OpenQuestion("more")])
        return Example(self.menu, self._said(say), before, [after], question, "order", focus=(focus,))

    def _other(self) -> Example | None:
        """Set an option on the line that the turn before did not change."""
        pair = self._pair()
        if pair is None:
            return None
        group, before = pair
        empty = [other for other in self.menu.items[before[0].item].options if other != group and self.menu.option_groups[other].choices]
        if not empty:
            return None
        chosen = self.random.choice(empty)
        option = OptionRequest(group=chosen, choice=self.random.choice(list(self.menu.option_groups[chosen].choices)))
        focus = self.random.randrange(2)
        after = [one if at == focus else one.model_copy(update={"options": [*one.options, option]}) for at, one in enumerate(before)]
        say = self._filled(self._pick("edits", "other_option"), o=self._choice_words(chosen, option.choice))
        return self._referring(say, before, after, focus)

    def _rest(self) -> Example | None:
        """Set an option on all lines but the one that the turn before changed."""
        line = self._line(max_options=1).model_copy(update={"quantity": 1})
        filled = {option.group for option in line.options}
        empty = [group for group in self.menu.items[line.item].options if group not in filled and self._is_one_of_several(group)]
        if not empty:
            return None
        group = self.random.choice(empty)
        first, second = [
            OptionRequest(group=group, choice=choice) for choice in self.random.sample(list(self.menu.option_groups[group].choices), 2)
        ]
        changed = line.model_copy(update={"options": [*line.options, first]})
        before = [changed, line, line]
        focus = 0
        after = [changed, *[line.model_copy(update={"options": [*line.options, second]})] * 2]
        say = self._filled(self._pick("edits", "rest_option"), o=self._choice_words(group, second.choice))
        return self._referring(say, before, after, focus)

    def _same_for(self) -> Example | None:
        """Give another line the options of the one that the turn before changed."""
        pattern = self._line().model_copy(update={"quantity": 1})
        if not pattern.options or any(option.amount == "no" for option in pattern.options):
            return None
        before = [pattern, pattern.model_copy(update={"options": []})]
        say = self._filled(self._pick("edits", "same_for"), i=self._item_words(pattern.item))
        return self._referring(say, before, [pattern, pattern], 0)

    def _more_described(self) -> Example | None:
        """Order one more of a line that its option describes, or one like the last line with another option."""
        pair = self._pair()
        if pair is None:
            return None
        group, before = pair
        absent = [choice for choice in self.menu.option_groups[group].choices if all(choice != line.options[0].choice for line in before)]
        if absent and self._chance(0.3):
            choice = self.random.choice(absent)
            after = [*before, before[-1].model_copy(update={"options": [OptionRequest(group=group, choice=choice)]})]
        else:
            at = self.random.randrange(2)
            choice = before[at].options[0].choice or ""
            after = [one.model_copy(update={"quantity": 2}) if number == at else one for number, one in enumerate(before)]
        say = self._filled(self._pick("edits", "more_described"), o=self._choice_words(group, choice))
        return self._referring(say, before, after, 1)

    def _more_last(self) -> Example:
        """Order one more of the line that the turn before changed."""
        before = self._lines(self.random.choice([1, 2]))
        focus = self.random.randrange(len(before))
        quantity = before[focus].quantity + 1
        after = [one.model_copy(update={"quantity": quantity}) if at == focus else one for at, one in enumerate(before)]
        return self._referring(self._pick("edits", "more_last"), before, after, focus)

    def _unknown_dish(self) -> Example | None:
        """Order an item and a dish that the menu lacks."""
        dish = self._pick("unknown_dishes")
        if any(not set(words.phrase(dish)).isdisjoint(name) for name in self.names):
            return None
        line = self._line()
        say = self._filled(self._pick("with_unknown"), x=self._line_words(line), u=dish)
        return self._example(self._said(say, opening=True), (), [line])

    def _whole_group(self) -> Example | None:
        """Order an item with all choices of its largest group, or with all but one."""
        item = self.random.choice(self.items)
        groups = [group for group in self.menu.items[item].options if self.menu.option_groups[group].select == "many"]
        if not groups:
            return None
        group = max(groups, key=lambda one: len(self.menu.option_groups[one].choices))
        choices = list(self.menu.option_groups[group].choices)
        if not 1 < len(choices) <= MAX_WHOLE:
            return None
        left_out = self.random.choice(choices) if self._chance(0.3) else None
        spoken = self._pick("whole_but" if left_out else "whole_groups")
        line = self._line(item, max_options=0).model_copy(update={"options": []})
        name = " ".join(words.phrase(str(self.menu.option_groups[group].name)))
        say = self._filled(spoken, x=self._line_words(line), g=name, c=self._choice_words(group, left_out or choices[0]))
        options = [OptionRequest(group=group, choice=choice) for choice in choices if choice != left_out]
        return self._example(self._said(say, opening=True), (), [line.model_copy(update={"options": options})])

    def _extra_portion(self) -> Example | None:
        """Order one portion of a choice as "an extra" one: no amount."""
        before = self._line(max_options=0).model_copy(update={"options": []})
        groups = [group for group in self.menu.items[before.item].options if self.menu.option_groups[group].select == "many"]
        groups = [group for group in groups if self.menu.option_groups[group].choices]
        if not groups or not self.templates["extra_portions"]:
            return None
        group = self.random.choice(groups)
        choice = self.random.choice(list(self.menu.option_groups[group].choices))
        spoken = self._filled(self._pick("extra_portions"), c=self._choice_words(group, choice))
        after = before.model_copy(update={"options": [OptionRequest(group=group, choice=choice)]})
        if self._chance(0.5):
            return self._example(self._said(f"{self._line_words(before)} {spoken}", opening=True), (), [after])
        return self._referring(spoken, [before], [after], 0)
