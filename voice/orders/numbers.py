"""Numbers as they are said: "hai mươi lăm", "một trăm linh hai", "nửa tá", "half a dozen", "twenty-five"."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, final

from voice.orders import words
from voice.orders.language_packs import LanguagePack
from voice.orders.words import Token

NumberRoleName = Literal["unit", "end", "ten", "times", "article", "half", "join"]

MAX_DISTANCE: Final = 0.45  # of a number word: a tone, or no diacritics at all
MAX_DIGITS: Final = 6
MIN_ROW: Final = 4  # figures; nobody orders four numbers of nothing
TEN: Final = 10
HUNDRED: Final = 100
THOUSAND: Final = 1000


class NumberRole(NamedTuple):
    """What a word does in a number."""

    name: NumberRoleName
    value: int
    surface: str


@final
class Number:
    """A number that was said."""

    __slots__ = ("article", "base", "cost", "end", "value")

    def __init__(self, end: int, value: int, cost: float, *, article: bool, base: int) -> None:
        self.end = end  # token behind it
        self.base = base  # the unit that it ends with: a dozen, a hundred; 0: none
        self.value = value
        self.cost = cost
        self.article = article  # "a", "an"


class NumberWords:
    """The number words of all languages, which may be mixed."""

    def __init__(self, packs: Iterable[LanguagePack], *, plain: bool = True) -> None:
        """Index the words by the key that their near spellings share; `plain`: diacritics may be left out."""
        self._plain = plain
        self._roles: dict[str, list[NumberRole]] = defaultdict(list)
        self._zeros: set[str] = set()
        for pack in packs:
            numbers = pack.numbers
            self._zeros |= {spelt for way in numbers.zeros for spelt in (way, words.fold(way))}
            rows: list[tuple[NumberRoleName, dict[str, int]]] = [
                ("unit", numbers.units),
                ("end", numbers.ends),
                ("ten", numbers.tens),
                ("times", numbers.times),
                ("article", numbers.articles),
                ("half", dict.fromkeys(numbers.halves, 0)),
                ("join", dict.fromkeys(numbers.joins, 0)),
            ]
            for name, ways in rows:
                for way, value in ways.items():
                    surface = way.lower()
                    self._roles[words.key_of(surface)].append(NumberRole(name, value, surface))

    def is_number_word(self, surface: str) -> bool:
        """Tell whether a word, as it is spelt, belongs to numbers."""
        return any(role.surface == surface for role in self._roles.get(words.key_of(surface), ()))

    def times(self, surface: str) -> int:
        """Return what a word, as it is spelt, multiplies by: 12 of a dozen; 0: it does not."""
        roles = self._roles.get(words.key_of(surface), ())
        return next((role.value for role in roles if role.surface == surface and role.name == "times"), 0)

    def is_zero(self, surface: str) -> bool:
        """Tell whether a word says nought in a row of figures."""
        return surface in self._zeros

    def is_half(self, surface: str) -> bool:
        """Tell whether a word, as it is spelt, is a half."""
        return any(role.surface == surface and role.name == "half" for role in self._roles.get(words.key_of(surface), ()))

    def read_all(self, spoken: Sequence[Token], *, marked: bool) -> list[Number | None]:
        """Read the longest number that begins at each token."""
        roles = self._roles
        return [
            self.read(spoken, start, marked=marked) if token.key in roles or token.surface.isdecimal() else None
            for start, token in enumerate(spoken)
        ]

    def rows(self, spoken: Sequence[Token], numbers: Sequence[Number | None]) -> list[tuple[int, int]]:
        """Return where figures are said one by one, as a telephone's are: from which token to which."""
        found, start = [], 0
        for position, token in enumerate(spoken):
            number = numbers[position]
            figure = number is not None and number.end == position + 1 and number.value < TEN and not number.article
            if not figure and token.surface not in self._zeros:
                found.append((start, position))
                start = position + 1
        found.append((start, len(spoken)))
        return [(start, end) for start, end in found if end - start >= MIN_ROW]

    def read(self, spoken: Sequence[Token], start: int, *, marked: bool) -> Number | None:
        """Read the longest number that begins at a token; `marked`: the utterance is written with diacritics."""
        token = spoken[start]
        digits = token.surface.isdecimal()
        if len(token.surface) > MAX_DIGITS if digits else token.key not in self._roles:
            return None
        closed = open_ = base = 0  # hundreds that are complete; what is still being counted; the last power of ten
        cost, last, position, end, unit, half = 0.0, "", start, start, 0, False
        while position < len(spoken):
            step: tuple[float, NumberRole] | None
            if digits and position == start:  # "2 chục"
                step = 0.0, NumberRole("unit", int(token.surface), token.surface)
            else:
                step = self._step(spoken[position], last, base, marked=marked)
            if step is None:
                break
            distance, role = step
            if role.name == "half":
                half = True
            elif role.name == "times":
                open_ = (open_ or (0 if closed else 1)) * role.value // (2 if half else 1)
                half = False
                if role.value >= THOUSAND:
                    closed, open_ = closed * role.value + open_, 0
                elif role.value >= HUNDRED:
                    closed, open_ = closed + open_, 0
                base = role.value
            elif role.name != "join" and last != "half":
                open_ += role.value
                base = 0 if role.name != "ten" else TEN if role.value % TEN == 0 else base
            position += 1
            cost += distance
            last = role.name
            if role.name not in {"join", "half"}:
                end, unit = position, role.value if role.name == "times" else 0
        if end == start or half:
            return None
        return Number(end, closed + open_, cost, article=last == "article", base=unit)

    def _step(self, token: Token, last: str, base: int, *, marked: bool) -> tuple[float, NumberRole] | None:
        best: tuple[float, NumberRole] | None = None
        for role in self._roles.get(token.key, ()):
            if not self._plain and token.surface.isascii() and not role.surface.isascii():
                continue
            distance = words.function_distance((token.surface,), (role.surface,), marked=marked)
            nearest = 0.0 if role.name == "article" else MAX_DISTANCE
            if distance <= nearest and _continues(role, last, base) and (best is None or distance < best[0]):
                best = distance, role
        return best


def _continues(role: NumberRole, last: str, base: int) -> bool:
    """Tell whether a number goes on with this role behind that one."""
    if last == "":
        return role.name not in {"end", "join"}
    behind_ten = last in {"ten", "times"}
    follows = {
        "unit": (base >= TEN and behind_ten) or last == "join",
        "end": (base == TEN and behind_ten) or (last == "join" and base >= TEN),
        "ten": base >= HUNDRED and last in {"times", "join"},
        "times": last in {"unit", "article", "ten", "half"} or (last == "times" and role.value >= THOUSAND > base),
        "article": last == "half",
        "half": False,
        "join": base >= HUNDRED and last == "times",
    }
    return follows[role.name]
