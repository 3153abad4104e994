"""Parse cardinal numbers out of words and digits: "hai mươi lăm", "một trăm linh hai", "half a dozen", "twenty-five"."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, final

from voice.orders import words
from voice.orders.language_packs import LanguagePack
from voice.orders.spelling import function_distance
from voice.orders.words import Token

NumberRoleName = Literal["unit", "end", "ten", "times", "article", "half", "join"]

MAX_DISTANCE: Final = 0.45  # of a number word: one wrong tone, or no diacritics
MAX_DIGITS: Final = 6
MIN_DIGIT_RUN: Final = 4  # digits spoken one by one; fewer may be quantities
TEN: Final = 10
HUNDRED: Final = 100
THOUSAND: Final = 1000


class NumberRole(NamedTuple):
    """The function of a word within a number."""

    name: NumberRoleName
    value: int
    surface: str
    is_end_alone: bool = False  # occurs only at the end of a number


@final
class Number:
    """A number in an utterance."""

    __slots__ = ("article", "base", "cost", "end", "value")

    def __init__(self, end: int, value: int, cost: float, *, article: bool, base: int) -> None:
        self.end = end  # token behind it
        self.base = base  # the multiplier with which it ends: 12 of "two dozen"; 0: none
        self.value = value
        self.cost = cost  # of its spelling
        self.article = article  # "a", "an"


class NumberWords:
    """The number words of all languages; a number may mix them."""

    def __init__(self, packs: Iterable[LanguagePack], *, are_diacritics_optional: bool = True) -> None:
        """Index the words by their keys; `are_diacritics_optional`: a word may lack its diacritics."""
        self._are_diacritics_optional = are_diacritics_optional
        self._roles: dict[str, list[NumberRole]] = defaultdict(list)
        self._zeros: set[str] = set()
        for pack in packs:
            numbers = pack.numbers
            self._zeros |= {spelling for word in numbers.zeros for spelling in (word, words.fold(word))}
            tables: list[tuple[NumberRoleName, dict[str, int]]] = [
                ("unit", numbers.units),
                ("end", numbers.ends),
                ("ten", numbers.tens),
                ("times", numbers.times),
                ("article", numbers.articles),
                ("half", dict.fromkeys(numbers.halves, 0)),
                ("join", dict.fromkeys(numbers.joins, 0)),
            ]
            for name, table in tables:
                for word, value in table.items():
                    surface = word.lower()
                    is_end_alone = name == "end" and word not in numbers.units
                    self._roles[words.phonetic_key(surface)].append(NumberRole(name, value, surface, is_end_alone))

    # --- Words, exactly as they are spelt ---------------------------------------------------------------------------------------------

    def is_number_word(self, surface: str) -> bool:
        """Return whether a word has any function within numbers."""
        return any(role.surface == surface for role in self._roles.get(words.phonetic_key(surface), ()))

    def is_zero(self, surface: str) -> bool:
        """Return whether a word is a zero among digits."""
        return surface in self._zeros

    def multiplier(self, surface: str) -> int:
        """Return the factor of a word, 12 of "dozen"; 0: it has none."""
        roles = self._roles.get(words.phonetic_key(surface), ())
        return next((role.value for role in roles if role.surface == surface and role.name == "times"), 0)

    # --- Numbers in an utterance ------------------------------------------------------------------------------------------------------

    def parse_all(self, tokens: Sequence[Token], *, has_diacritics: bool) -> list[Number | None]:
        """Parse the longest number that begins at each token; `has_diacritics`: the utterance is written with diacritics."""
        roles = self._roles
        return [
            self.parse(tokens, start, has_diacritics=has_diacritics) if token.key in roles or token.surface.isdecimal() else None
            for start, token in enumerate(tokens)
        ]

    def parse(self, tokens: Sequence[Token], start: int, *, has_diacritics: bool) -> Number | None:
        """Parse the longest number that begins at a token; None where there is none, or where it has more than `MAX_DIGITS` digits."""
        first = tokens[start]
        number = _PartialNumber()
        position = start
        if first.surface.isdecimal():  # digits before a multiplier: "2 chục"
            if len(first.surface) > MAX_DIGITS:
                return None
            position += 1
            number.add(NumberRole("unit", int(first.surface), first.surface), 0.0, position)
        while position < len(tokens):
            nearest = self._continuation(tokens[position], number, has_diacritics=has_diacritics)
            if nearest is None:
                break
            position += 1
            number.add(nearest[1], nearest[0], position)
        return number.finished()

    def digit_runs(self, tokens: Sequence[Token], numbers: Sequence[Number | None]) -> list[tuple[int, int]]:
        """Return the start and end tokens of digits that are spoken one by one; `numbers`: the result of `parse_all`."""
        bounds, start = [], 0
        for position, token in enumerate(tokens):
            number = numbers[position]
            is_digit = number is not None and number.end == position + 1 and number.value < TEN and not number.article
            if not is_digit and token.surface not in self._zeros:
                bounds.append((start, position))
                start = position + 1
        bounds.append((start, len(tokens)))
        return [(start, end) for start, end in bounds if end - start >= MIN_DIGIT_RUN]

    def _continuation(self, token: Token, number: "_PartialNumber", *, has_diacritics: bool) -> tuple[float, NumberRole] | None:
        """Return the nearest role in which a token may continue a number, and its distance."""
        nearest: tuple[float, NumberRole] | None = None
        for role in self._roles.get(token.key, ()):
            if not self._are_diacritics_optional and token.surface.isascii() and not role.surface.isascii():
                continue
            distance = function_distance((token.surface,), (role.surface,), has_diacritics=has_diacritics)
            is_exact = role.name == "article" or (role.name == "end" and number.last == "unit")
            max_distance = 0.0 if is_exact else MAX_DISTANCE
            if distance <= max_distance and number.accepts(role) and (nearest is None or distance < nearest[0]):
                nearest = distance, role
        return nearest


@final
class _PartialNumber:
    """A number while its words are added from left to right."""

    __slots__ = ("base", "complete", "cost", "end", "half", "last", "last_multiplier", "open")

    def __init__(self) -> None:
        self.complete = 0  # hundreds and thousands to which only lower ones are added
        self.open = 0  # the part that a multiplier may still multiply
        self.base = 0  # the last power of ten, or dozen: only a smaller number may follow
        self.half = False  # "half" waits for its multiplier
        self.last = ""  # role of the last word
        self.last_multiplier = 0  # value of the last word, if it multiplies
        self.cost = 0.0
        self.end = -1  # token behind the last word that may end a number

    def accepts(self, role: NumberRole) -> bool:
        """Return whether a word in this role may come next."""
        name, last, base = role.name, self.last, self.base
        if last == "":
            return name not in {"end", "join"}
        if name == "unit":
            return last == "join" or (base >= TEN and last in {"ten", "times"})
        if name == "end":
            return (base == TEN and last in {"ten", "times"}) or (base >= TEN and last == "join") or self._counts_tens(role)
        if name == "ten":
            return base >= HUNDRED and last in {"times", "join"}
        if name == "times":
            return last in {"unit", "article", "ten", "half"} or (last == "times" and role.value >= THOUSAND > base)
        if name == "article":
            return last == "half"
        return name == "join" and base >= HUNDRED and last == "times"

    def _counts_tens(self, role: NumberRole) -> bool:
        """Return whether the unit before the end of a number counts tens: the multiplier between them is often left out."""
        return self.last == "unit" and 1 < self.open < TEN and role.is_end_alone

    def add(self, role: NumberRole, cost: float, end: int) -> None:
        """Add a word; `end`: the token behind it."""
        if role.name == "half":
            self.half = True
        elif role.name == "times":
            self._multiply(role.value)
        elif role.name != "join" and self.last != "half":
            self.open = role.value + (TEN * self.open if role.name == "end" and self.last == "unit" else self.open)
            if role.name != "ten":
                self.base = 0
            elif role.value % TEN == 0:
                self.base = TEN
        self.cost += cost
        self.last = role.name
        if role.name not in {"join", "half"}:
            self.end = end
            self.last_multiplier = role.value if role.name == "times" else 0

    def _multiply(self, factor: int) -> None:
        self.open = (self.open or (0 if self.complete else 1)) * factor // (2 if self.half else 1)
        self.half = False
        if factor >= THOUSAND:
            self.complete, self.open = self.complete * factor + self.open, 0
        elif factor >= HUNDRED:
            self.complete, self.open = self.complete + self.open, 0
        self.base = factor

    def finished(self) -> Number | None:
        """Return the number; None where no word may end one, or a half has no multiplier."""
        if self.end < 0 or self.half:
            return None
        return Number(self.end, self.complete + self.open, self.cost, article=self.last == "article", base=self.last_multiplier)
