"""What a simulated customer says, in English or Vietnamese; the sentences are in `speech.yaml`."""

import random
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from bench.simulation.menus import Shop
from voice import bounded_yaml

SENTENCES_FILE: Final = Path(__file__).with_suffix(".yaml")
P_DIGITS: Final = 0.2  # of a number to be written in digits
P_ARTICLE: Final = 0.7  # of an English "one" to be "a"
P_FOLDED: Final = 0.15  # of a Vietnamese customer to write without diacritics
D_WITH_STROKE: Final = str.maketrans("đĐ", "dD")  # has no decomposition
VOWELS: Final = "aeiou"

Key = tuple[str, str]  # group, choice
Options = Mapping[Key, str | None]  # with amounts


@cache
def _sentences() -> Any:
    return bounded_yaml.parse(SENTENCES_FILE.read_bytes()).content


class Speech:
    """The sentences of a customer in one language about one menu."""

    def __init__(self, shop: Shop, language: str, rng: random.Random) -> None:
        """Take the customer's rng."""
        self.language = language
        self._rng = rng
        self._is_folded = language == "vi" and rng.random() < P_FOLDED
        self.wordings, self._said = shop.wordings[language], shop.said[language]
        self._sentences = _sentences()[language]

    def say(self, name: str, **parts: str) -> str:
        """Return a sentence of this name with its parts filled in."""
        sentence: str = self._rng.choice(self._sentences[name])
        return sentence.format(**parts)

    def written(self, sentence: str) -> str:
        """Return a sentence as the customer writes it."""
        if not self._is_folded:
            return sentence
        letters = unicodedata.normalize("NFD", sentence.translate(D_WITH_STROKE))
        return "".join([letter for letter in letters if not unicodedata.combining(letter)])

    def number(self, number: int) -> str:
        """Return a number of units."""
        numbers = self._sentences["numbers"]
        return str(number) if self._rng.random() < P_DIGITS or number > len(numbers) else numbers[number - 1]

    def place(self, number: int) -> str:
        """Return an ordinal; `number` counts from 0."""
        place: str = self._sentences["places"][number]
        return place

    @property
    def n_places(self) -> int:
        """The number of ordinals."""
        return len(self._sentences["places"])

    def units(self, item: str, quantity: int, options: Options, *, is_vague: bool = False) -> str:
        """Return units of an item with options; `is_vague`: only the part of its name that other items may have, too."""
        wording = self.wordings[item]
        before = [self._said[key].name for key in options if self._said[key].place == "before"]
        behind = self.behind({key: amount for key, amount in options.items() if self._said[key].place != "before"})
        if self.language == "vi":
            named = f"{self.number(quantity)} {wording.unit} {wording.kind if is_vague else wording.name}"
        else:
            name = wording.kind if is_vague else wording.name if quantity == 1 else wording.plural
            named = self._counted(" ".join([*before, name]), quantity)
        return f"{named} {behind}".rstrip()

    def _counted(self, named: str, quantity: int) -> str:
        if quantity > 1 or self._rng.random() > P_ARTICLE:
            return f"{self.number(quantity)} {named}"
        return f"an {named}" if named[0] in VOWELS else f"a {named}"

    def unit(self, item: str) -> str:
        """Return the word for a unit of an item."""
        return self.wordings[item].unit

    def plural(self, item: str) -> str:
        """Return the name of several units of an item."""
        return self.wordings[item].plural

    def reference(self, item: str, described: Sequence[Key] = ()) -> str:
        """Return the name of an item that is on the order, described by options where it is there twice."""
        name = self.wordings[item].name
        before = [self._said[key].name for key in described if self._said[key].place == "before"]
        behind = self.behind({key: None for key in described if self._said[key].place != "before"})
        return " ".join([word for word in (*before, name, behind) if word])

    def choice(self, key: Key) -> str:
        """Return a choice as an answer."""
        said = self._said[key]
        return f"{self._rng.choice(said.before)} {said.name}".strip()

    def name(self, key: Key) -> str:
        """Return the name of a choice."""
        return self._said[key].name

    def behind(self, options: Options, *, is_formal: bool = False) -> str:
        """Return options as they are said behind an item; `is_formal`: as a phrase that "should be" may precede."""
        phrases = [self._option(key, amount, is_formal=is_formal) for key, amount in options.items()]
        return self.joined(phrases)

    def joined(self, phrases: Sequence[str]) -> str:
        """Return an enumeration."""
        if not phrases:
            return ""
        joins = self._sentences["and"]
        return "".join([phrases[0], *[f"{self._rng.choice(joins)}{phrase}" for phrase in phrases[1:]]])

    def _option(self, key: Key, amount: str | None, *, is_formal: bool) -> str:
        said = self._said[key]
        if amount == "no":
            without = self._sentences["without"]
            return f"{without[-1] if is_formal and self.language == 'en' else self._rng.choice(without)} {said.name}"
        if amount is not None:
            phrase = f"{self._rng.choice(self._sentences[amount])} {said.name}"
            return f"with {phrase}" if is_formal and self.language == "en" else phrase
        if said.place == "with":
            return f"{self._rng.choice(self._sentences['with'])} {said.name}"
        return self.choice(key)
