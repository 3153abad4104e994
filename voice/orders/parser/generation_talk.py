"""Examples in other words: with talk around them, in typed shorthand, with misspelt names, without marks; and of two edits at once."""

import random
from collections.abc import Iterator, Sequence
from typing import Final

from schemas import LineRequest, OptionRequest
from voice.orders import words
from voice.orders.corpus import Example
from voice.orders.language_packs import language_packs
from voice.orders.parser.generation_references import ReferenceExamples
from voice.orders.parser.generation_words import templates_of

LEAD_IN_CHANCE: Final = 0.6  # of an utterance with talk around it
ASIDE_CHANCE: Final = 0.6
MIN_MISSPELT: Final = 5  # letters of a word in which one is wrong
MARKS: Final = ".,!?;:"


class Rewriter:
    """Puts examples of one language into other words; the same ones at each call."""

    def __init__(self, language: str, seed: str) -> None:
        self._templates = templates_of(language)
        self._shorthand = language_packs()[language].shorthand
        self._random = random.Random(f"{seed} {language}")  # noqa: S311 - examples, no secrets

    def rewritten(self, examples: Sequence[Example], share: float) -> Iterator[Example]:
        """Yield a share of the examples in other words, with the same orders before and after."""
        for example in examples:
            if self._random.random() < share:
                rewrite = self._random.choice([self._with_talk, self._with_talk, self._unmarked, self._typed, self._misspelt])
                utterance = rewrite(example.utterance)
                if utterance != example.utterance:
                    yield example._replace(utterance=utterance, follows=False)

    def _with_talk(self, utterance: str) -> str:
        """Return an utterance with talk before it, behind it, or both."""
        has_aside = self._random.random() < ASIDE_CHANCE
        if not has_aside or self._random.random() < LEAD_IN_CHANCE:
            utterance = f"{self._random.choice(self._templates['lead_ins'])} {utterance}"
        return utterance.rstrip(".!") + self._random.choice(self._templates["asides"]) if has_aside else utterance

    def _unmarked(self, utterance: str) -> str:
        """Return an utterance as a recogniser writes it that knows no marks."""
        return " ".join("".join(" " if mark in MARKS else mark for mark in utterance).lower().split())

    def _typed(self, utterance: str) -> str:
        """Return an utterance as it is typed in haste: without diacritics and marks, with shorthand."""
        spoken = self._unmarked(utterance).split()
        return words.fold(" ".join(self._random.choice(self._shorthand.get(word) or [word]) for word in spoken))

    def _misspelt(self, utterance: str) -> str:
        """Return an utterance in which a letter of a long word is missing, doubled, or changed places with the next."""
        spoken = utterance.split()
        long = [place for place, word in enumerate(spoken) if len(word) >= MIN_MISSPELT and word.isalpha()]
        if not long:
            return utterance
        place = self._random.choice(long)
        word = spoken[place]
        at = self._random.randrange(1, len(word) - 1)
        ways = [word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], word[:at] + word[at + 1] + word[at] + word[at + 2 :]]
        return " ".join([*spoken[:place], self._random.choice(ways), *spoken[place + 1 :]])


class EditExamples(ReferenceExamples):
    """Writes examples with two edits at once."""

    def _two_edits(self) -> Example | None:
        """Change two lines, or change one and order another."""
        *before, new = self._lines(3)
        if len(before) < 2:  # noqa: PLR2004 - two lines, and a new one
            return None
        first, second = self.random.sample(before, 2)
        edits = [self._edit(first), self._edit(second)]
        if self._chance(0.4):
            edits[1] = (second, self._filled(self._pick("edits", "add"), x=self._line_words(new)), second)
            added = [new]
        else:
            added = []
        if self._chance(0.5) and not added:
            edits.reverse()
        after = {id(line): changed for line, _, changed in edits}
        orders = [after.get(id(line), line) for line in before]
        say = str(self.random.choice(self.templates["edit_joins"])).join([spoken for _, spoken, _ in edits])
        return self._example(self._said(say), before, [*[line for line in orders if line is not None], *added], self._asked())

    def _edit(self, line: LineRequest) -> tuple[LineRequest, str, LineRequest | None]:
        """Return a line, the words of a change, and the changed line, None if it is removed."""
        names = {"i": self._item_words(line.item)}
        filled = {option.group for option in line.options}
        groups = [group for group in self.menu.items[line.item].options if group not in filled and self.menu.option_groups[group].choices]
        kind = self.random.choice(["option", "option", "quantity", "remove"] if groups else ["quantity", "remove"])
        if kind == "remove":
            return line, self._filled(self._pick("edits", "remove"), **names), None
        if kind == "quantity":
            number = self.random.choice([value for value in (1, 2, 3, 4, 5) if value != line.quantity])
            names |= {"n": self._number(number), "m": self._number(line.quantity)}
            return line, self._filled(self._pick("edits", "quantity"), **names), line.model_copy(update={"quantity": number})
        option: OptionRequest = self._options(self.random.choice(groups))[0]
        is_no = option.amount == "no"
        names["c" if is_no else "o"] = self._choice_words(option.group, option.choice) if is_no else self._option_words(option)
        say = self._filled(self._pick("edits", "no_option" if is_no else "option"), **names)
        return line, say, line.model_copy(update={"options": [*line.options, option]})
