"""Words that were typed without the spaces between them: "haitrasua" is a number and a name."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from voice.orders import words
from voice.orders.words import Token

MIN_LETTERS: Final = 5  # of the whole word
MIN_PART: Final = 3  # letters of a part that is no number
MAX_PARTS: Final = 3  # names in one word
MAX_CACHED: Final = 4096  # words


class WordSplitter:
    """Splits unknown words into a number and names, or into names, which only differ by diacritics and plural from how they are known."""

    def __init__(self, names: Mapping[str, bool], numbers: Iterable[str], known: Collection[str]) -> None:
        """Index the words.

        `names`: words of names, True for several that are written as one; `numbers`: number words; `known`: words that are never split.
        """
        self._names: dict[str, bool] = {}
        for word, is_joined in names.items():
            key = _key(word)
            self._names[key] = self._names.get(key, False) or is_joined
        self._numbers = sorted({words.fold(word) for word in numbers}, key=len, reverse=True)
        self._known = frozenset(map(_key, known)) | self._names.keys()
        self._parts = lru_cache(maxsize=MAX_CACHED)(self._find_parts)

    def split(self, tokens: Iterable[Token]) -> list[Token]:
        """Return the tokens with the parts of a word in its place."""
        found: list[Token] = []
        for token in tokens:
            surface = token.surface
            parts = self._parts(surface) if len(surface) >= MIN_LETTERS and surface.isalpha() else ()
            if parts and token.end - token.start == len(surface):
                found += _tokens_of(token, parts)
            else:
                found.append(token)
        return found

    def _find_parts(self, surface: str) -> Sequence[str]:
        """Return the parts of a word; none if it is not split."""
        if _key(surface) in self._known:
            return ()
        folded = words.fold(surface)
        for number in self._numbers:
            if folded.startswith(number):
                names = self._find_names(surface[len(number) :], MAX_PARTS)
                if names:
                    return (surface[: len(number)], *names)
        names = self._find_names(surface, MAX_PARTS)
        # Two words alone, each a name, may be a third word: "hamsburger".
        return names if len(names) > 1 and any(self._names[_key(name)] for name in names) else ()

    def _find_names(self, text: str, max_parts: int) -> tuple[str, ...]:
        """Return the names of which a text consists, the longest first ones; none if there are no such names."""
        if _key(text) in self._names:
            return (text,) if len(text) >= MIN_PART else ()
        for end in range(len(text) - MIN_PART, MIN_PART - 1, -1) if max_parts > 1 else ():
            if _key(text[:end]) in self._names:
                behind = self._find_names(text[end:], max_parts - 1)
                if behind:
                    return (text[:end], *behind)
        return ()


@lru_cache(maxsize=65_536)
def _key(word: str) -> str:
    return words.singular(words.fold(word))


def _tokens_of(token: Token, parts: Iterable[str]) -> Iterator[Token]:
    start = token.start
    for part in parts:
        yield Token(part, words.phonetic_key(part), start, start + len(part), token.capital)
        start += len(part)
