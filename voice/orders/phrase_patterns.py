"""Patterns in language packs: one row stands for many phrases."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

_ALTERNATIVES: Final = re.compile(r"\(([^()]*)\)")


class PhrasePatterns:
    """Expands the rows of a pack: phrases between commas, `{name}` for each word of a variable, `(a|b)` for each alternative."""

    def __init__(self, variables: Mapping[str, Sequence[str]]) -> None:
        """`variables`: the words of each, in which earlier ones may occur."""
        self._variables: dict[str, list[str]] = {}
        for name, rows in variables.items():
            self._variables[name] = list(self._filled(rows))

    def expanded(self, field: Any) -> Any:
        """Return a field of a pack with all its phrases: a list, or a dictionary, whose keys may be phrases, too."""
        if isinstance(field, list):
            return self.phrases(field)
        if not isinstance(field, dict):
            return field
        found: dict[str, Any] = {}
        for key, value in field.items():
            found.update(dict.fromkeys(self.phrases([key]), self.phrases(value) if isinstance(value, list) else value))
        return found

    def phrases(self, rows: Iterable[str]) -> list[str]:
        """Return the phrases of rows, each once."""
        return list(dict.fromkeys(self._filled(rows)))

    def _filled(self, rows: Iterable[str]) -> Iterator[str]:
        """Yield the phrases of rows with the words of variables in their places."""
        for row in rows:
            for phrase in row.split(","):
                names = [part.split("}")[0] for part in phrase.split("{")[1:]]
                for chosen in product(*[self._variables[name] for name in names]):
                    filled = phrase.strip()
                    for name, word in zip(names, chosen, strict=True):
                        filled = filled.replace("{" + name + "}", word, 1)
                    yield from _alternatives(filled)


def _alternatives(phrase: str) -> Iterator[str]:
    """Yield a phrase with each combination of its alternatives."""
    found = _ALTERNATIVES.search(phrase)  # innermost ones
    if found is None:
        yield " ".join(phrase.split())
        return
    for way in found[1].split("|"):
        yield from _alternatives(f"{phrase[: found.start()]}{way}{phrase[found.end() :]}")
