"""Patterns in language packs: one row stands for many phrases."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

MAX_SPELT_WORDS: Final = 2  # words of a phrase that may have another spelling at once
MAX_SPELLINGS: Final = 64  # of a phrase


class PhrasePatterns:
    """Expands the rows of a pack: phrases between commas, `{name}` for each word of a variable, and other spellings of words."""

    def __init__(self, variables: Mapping[str, Sequence[str]], spellings: Mapping[str, Sequence[str]]) -> None:
        """`variables`: the words of each, in which earlier ones may occur; `spellings`: of words."""
        self._variables: dict[str, list[str]] = {}
        self._spellings = spellings
        for name, rows in variables.items():
            self._variables[name] = list(self._filled(rows))

    def expanded(self, field: Any) -> Any:
        """Return a field of a pack with all its phrases: a list, a dictionary by phrases, or lists in a dictionary."""
        if isinstance(field, list):
            return self.phrases(field)
        if not isinstance(field, dict):
            return field
        found: dict[str, Any] = {}
        for key, value in field.items():
            found.update({key: self.phrases(value)} if isinstance(value, list) else dict.fromkeys(self.phrases([key]), value))
        return found

    def phrases(self, rows: Iterable[str]) -> list[str]:
        """Return the phrases of rows once, those in their first spelling before the others."""
        filled = list(self._filled(rows))
        return list(dict.fromkeys([*filled, *[spelt for phrase in filled for spelt in self._spelt(phrase)]]))

    def _filled(self, rows: Iterable[str]) -> Iterator[str]:
        """Yield the phrases of rows with the words of variables in their places."""
        for row in rows:
            for phrase in row.split(","):
                names = [part.split("}")[0] for part in phrase.split("{")[1:]]
                for chosen in product(*[self._variables[name] for name in names]):
                    filled = phrase.strip()
                    for name, word in zip(names, chosen, strict=True):
                        filled = filled.replace("{" + name + "}", word, 1)
                    yield filled

    def _spelt(self, phrase: str) -> Iterable[str]:
        """Return a phrase with one word in another spelling, then with two; a letter alone is no phrase."""
        found = [phrase.split()]
        for word in [word for word in found[0] if word in self._spellings][:MAX_SPELT_WORDS]:
            others = [other for other in self._spellings[word] if len(found[0]) > 1 or len(other) > 1]
            found += [[other if one == word else one for one in before] for before in found for other in others]
        return [" ".join(spelt) for spelt in found[:MAX_SPELLINGS]]
