"""Generated examples of copies with changes, replacements that keep what fits, and corrections."""

from typing import Final

from schemas import LineRequest, OptionRequest
from voice.orders import words
from voice.orders.corpus import Example
from voice.orders.parser.generation_references import ReferenceExamples
from voice.orders.parser.state import OpenQuestion

PAIR: Final = 2


class ChangeExamples(ReferenceExamples):
    """Writes examples of copies, replacements and corrections."""

    def _other_choice(self, line: LineRequest) -> OptionRequest | None:
        """Return an option that a line offers and does not have."""
        listed = {(option.group, option.choice) for option in line.options}
        choices = [
            (group, choice)
            for group in self.menu.items[line.item].options
            for choice in self.menu.option_groups[group].choices
            if (group, choice) not in listed
        ]
        return OptionRequest(group=(picked := self.random.choice(choices))[0], choice=picked[1]) if choices else None

    def _with_option(self, line: LineRequest, option: OptionRequest) -> LineRequest:
        """Return a line with an option; where its group is full, it replaces the other choices."""
        group = self.menu.option_groups[option.group]
        n_listed = sum([one.quantity for one in line.options if one.group == option.group and one.amount != "no"])
        is_full = group.max_choices is not None and n_listed >= group.max_choices
        kept = [one for one in line.options if one.group != option.group or not is_full]
        return line.model_copy(update={"options": [*kept, option]})

    def _copy(self) -> Example | None:
        """Order a line like an earlier one, as it is or with a difference."""
        before = self._lines(self.random.choice([1, 1, 2]))
        focus = len(before) - 1 if self._chance(0.7) else self.random.randrange(len(before))
        pattern = before[focus].model_copy(update={"quantity": 1})
        name = self._item_words(pattern.item)
        if self._chance(0.3):
            return self._referring(self._filled(self._pick("copies", "same"), i=name), before, [*before, pattern], focus)
        plain = [option for option in pattern.options if option.amount is None]
        if plain and self._chance(0.3):
            left_out = self.random.choice(plain)
            copy = pattern.model_copy(update={"options": [option for option in pattern.options if option is not left_out]})
            change = self._pick("no").replace("{c}", self._choice_words(left_out.group, left_out.choice))
        else:
            option = self._other_choice(pattern)
            if option is None:
                return None
            copy, change = self._with_option(pattern, option), self._option_words(option)
        say = self._filled(self._pick("copies", "but"), i=name, o=change)
        return self._referring(say, before, [*before, copy], focus)

    def _copy_all(self) -> Example:
        """Order all lines again."""
        before = self._lines(self.random.choice([2, 3]))
        return self._referring(self._pick("copies", "all"), before, [*before, *before], len(before) - 1)

    def _copy_over(self) -> Example | None:
        """Make a line the same as another one."""
        pair = self._pair()
        if pair is None:
            return None
        _, (first, second) = pair
        return self._referring(self._pick("copies", "over"), [first, second], [first, first], self.random.randrange(2))

    def _copy_group(self) -> Example | None:
        """Order an item with the choice of a group that another line has."""
        pattern = self._line().model_copy(update={"quantity": 1})
        groups = {option.group for option in pattern.options if self.menu.option_groups[option.group].select == "one"}
        offering = [item for item in self.items if item != pattern.item and not groups.isdisjoint(self.menu.items[item].options)]
        if not offering:
            return None
        item = self.random.choice(offering)
        group = self.random.choice([one for one in self.menu.items[item].options if one in groups])
        copied = [option for option in pattern.options if option.group == group]
        name = " ".join(words.phrase(str(self.menu.option_groups[group].name)))
        new = LineRequest(item=item)
        say = self._filled(self._pick("copies", "group"), x=self._line_words(new), g=name, j=self._item_words(pattern.item))
        return self._referring(say, [pattern], [pattern, new.model_copy(update={"options": copied})], 0)

    def _also(self) -> Example:
        """Order an item that is on the order a second time, with other options."""
        before = self._lines(self.random.choice([1, 1, 2]))
        new = self._line(self.random.choice(before).item)
        say = self._filled(self._pick("copies", "also"), x=self._line_words(new))
        return self._referring(say, before, [*before, new], len(before) - 1)

    def _replace_keeping(self) -> Example | None:
        """Replace an item, all units of the line or one of them; the options that the new item offers stay."""
        before = self._lines(self.random.choice([1, 2, 2]))
        at = self.random.randrange(len(before))
        old = before[at] = before[at].model_copy(update={"options": [one for one in before[at].options if one.amount is None]})
        others = [item for item in self.items if item not in {line.item for line in before}]
        alike = [item for item in others if str(self.menu.items[item].category) == str(self.menu.items[old.item].category)]
        if not others:
            return None
        item = self.random.choice(alike if alike and self._chance(0.7) else others)
        kept = [option for option in old.options if option.group in self.menu.items[item].options]
        new = LineRequest(item=item, quantity=old.quantity, options=kept)
        is_part = old.quantity > 1 and self._chance(0.6)
        after = [*before[:at], new, *before[at + 1 :]]
        if is_part:
            rest = old.model_copy(update={"quantity": old.quantity - 1})
            after = [*before[:at], rest, new.model_copy(update={"quantity": 1}), *before[at + 1 :]]
        spoken = self._told_apart(item, old.item) if self._chance(0.4) else self._item_words(item)
        say = self._filled(self._pick("replacements", "part" if is_part else "whole"), i=self._item_words(old.item), j=spoken)
        return self._referring(say, before, after, len(before) - 1)

    def _told_apart(self, item: str, other: str) -> str:
        """Return the words of the name of an item that the name of another one lacks; the whole name if these name something else."""
        name = words.phrase(str(self.menu.items[item].name))
        left = [word for word in name if word not in words.phrase(str(self.menu.items[other].name))]
        is_ambiguous = sum([set(left) <= one for one in self.names]) > 1
        return " ".join(name if is_ambiguous or not left or len(left) == len(name) else left)

    def _replace_choice(self) -> Example | None:
        """Replace a choice by another one of its group."""
        pair = self._pair()
        if pair is None:
            return None
        group, (old, new) = pair
        quantity = self.random.choice([1, 1, 2])
        names = [self._choice_words(group, line.options[0].choice) for line in (old, new)]
        say = self._filled(self._pick("replacements", "choice"), c=names[0], d=names[1], i=self._item_words(old.item))
        before, after = [[line.model_copy(update={"quantity": quantity})] for line in (old, new)]
        return self._referring(say, before, after, 0)

    def _question(self) -> tuple[list[LineRequest], int, OpenQuestion] | None:
        """Return an order, a line of it, and a question about an empty group of that line."""
        before = self._lines(self.random.choice([1, 1, 2]))
        number = self.random.randrange(len(before))
        filled = {option.group for option in before[number].options}
        empty = [group for group in self.menu.items[before[number].item].options if group not in filled]
        if not empty:
            return None
        group = self.random.choice(empty)
        choices = tuple(self.menu.option_groups[group].choices)
        return before, number, OpenQuestion("missing", number, group, choices)

    def _correct_answer(self) -> Example | None:
        """Answer a question, and correct the answer in the same breath."""
        asked = self._question()
        if asked is None or len(asked[2].choices) < PAIR:
            return None
        before, number, question = asked
        said, meant = self.random.sample(question.choices, PAIR)
        group = question.group or ""
        after = [*before]
        after[number] = after[number].model_copy(update={"options": [*after[number].options, OptionRequest(group=group, choice=meant)]})
        say = self._filled(self._pick("self_corrections"), c=self._choice_words(group, said), d=self._choice_words(group, meant))
        return self._example(self._said(say), before, after, question)

    def _correct_number(self) -> Example:
        """Order an item, and correct its number in the same breath."""
        item = self.random.choice(self.items)
        said, meant = self.random.sample([1, 2, 3, 4, 5, 6], PAIR)
        say = self._filled(self._pick("number_corrections"), i=self._item_words(item), n=self._number(said), m=self._number(meant))
        return self._example(self._said(say, opening=True), (), [LineRequest(item=item, quantity=meant)])

    def _counted_portions(self) -> Example | None:
        """Set an option in several portions, or correct their number."""
        before = [self._line(max_options=0).model_copy(update={"options": [], "quantity": 1})]
        groups = [group for group in self.menu.items[before[0].item].options if self.menu.option_groups[group].select == "many"]
        groups = [group for group in groups if self.menu.option_groups[group].choices]
        if not groups:
            return None
        group = self.random.choice(groups)
        choice = self.random.choice(list(self.menu.option_groups[group].choices))
        said, meant = self.random.sample([2, 3, 4], PAIR)
        is_corrected = self._chance(0.4)
        template = self._pick("portion_numbers", "corrected" if is_corrected else "set")
        say = self._filled(template, c=self._choice_words(group, choice), n=self._number(said), m=self._number(meant))
        option = OptionRequest(group=group, choice=choice, quantity=meant if is_corrected else said)
        return self._referring(say, before, [before[0].model_copy(update={"options": [option]})], 0)
