"""Generated examples of refusals, of numbers that are corrected by "no", and of parts of names alone."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from schemas import LineRequest
from voice.orders import words
from voice.orders.corpus import Example
from voice.orders.parser.generation_references import ReferenceExamples

MIN_LETTERS: Final = 2  # of a word that names an item by itself


class RefusalExamples(ReferenceExamples):
    """Writes examples of words that order nothing although they name something, and of short ones that do."""

    def refusal_makers(self) -> Sequence[tuple[int, Callable[[], Example | None]]]:
        """Return the makers of this class, with their weights."""
        return ((1, self._refuse), (1, self._refuse_one), (1, self._correct_quantity), (1, self._word), (1, self._unknown_left_out))

    def _refuse(self) -> Example:
        """Say that an item is not wanted that is not on the order."""
        item, *others = self.random.sample(self.items, min(len(self.items), self.random.choice([1, 1, 2])))
        before = [self._line(other) for other in others]
        say = self._filled(self._pick("refusals"), i=self._item_words(item))
        return Example(self.menu, self._said(say), before, [before], self._asked(), "")

    def _refuse_one(self) -> Example | None:
        """Say that one item is not wanted, and order another one."""
        if len(self.items) < 2:  # noqa: PLR2004 - an item and another one
            return None
        item, other = self.random.sample(self.items, 2)
        line = self._line(other)
        say = f"{self._filled(self._pick('refusals'), i=self._item_words(item))}, {self._line_words(line)}"
        return self._example(self._said(say), (), [line], self._asked())

    def _correct_quantity(self) -> Example:
        """Correct the number of a line in the same breath."""
        line = LineRequest(item=self.random.choice(self.items))
        said, meant = self.random.sample(range(2, 8), 2)
        say = self._filled(self._pick("number_corrections"), i=self._item_words(line.item), n=self._number(said), m=self._number(meant))
        return self._example(self._said(say, opening=True), (), [line.model_copy(update={"quantity": meant})])

    def _word(self) -> Example | None:
        """Order by a single word that only one item and no choice has in its names."""
        count = Counter([word for names in self.names for word in names])
        item = self.random.choice(self.items)
        phrase = words.phrase(self.menu.items[item].name)
        alone = [word for word in phrase if count[word] == 1 and len(word) >= MIN_LETTERS and not word.isdecimal()]
        if len(phrase) < 2 or not alone:  # noqa: PLR2004 - a part of a name
            return None
        return self._example(self._said(self.random.choice(alone)), (), [LineRequest(item=item)], self._asked())

    def _unknown_left_out(self) -> Example | None:
        """Order an item without something that the menu lacks, and another item."""
        if len(self.items) < 2:  # noqa: PLR2004 - an item and another one
            return None
        lines = [self._line(item, max_options=1) for item in self.random.sample(self.items, 2)]
        unknown = self._pick("unknown_dishes")
        if any(name.intersection(words.phrase(unknown)) for name in self.names):
            return None
        first, second = [self._line_words(line) for line in lines]
        say = self._filled(self._pick("unknown_left_out"), x=first, u=unknown, y=second)
        return self._example(self._said(say, opening=True), (), lines)
