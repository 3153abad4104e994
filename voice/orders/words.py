"""Tokens of an utterance, and normal forms that different spellings of a word share.

`voice.orders.spelling` measures the distance between two spellings.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, final

# Letters with inner apostrophes ("a.m." is one token), digits with inner separators (1.5, 42.000, 8:15, 12/5, 2-3), and the signs that
# have a meaning in an order. Letters and digits are separate tokens ("x2", "7up").
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*(?:(?<=\b[apAP])\.[mM]\b\.?)?|\d+(?:[.,:/-]\d+)*|[%&+,;.:!?…\n#$€£¥₫°″]")
_SIGN_WORDS: Final = {
    "&": "and",
    "+": "plus",
    "#": "number",
    "°": "degrees",
    "″": "inch",
    "a.m": "am",
    "a.m.": "am",
    "p.m": "pm",
    "p.m.": "pm",
}
_LENGTHENED: Final = re.compile(r"([^\W\d_])\1{2,}")  # no word of either language has a letter three times in a row
_INCHES: Final = re.compile(r'(?<=\d)"')
_PUNCTUATION: Final = frozenset(",;.:!?…\n")
_MIN_PLURAL: Final = 4  # letters: "gas" and "bus" are singular

_TONES: Final = frozenset("\u0300\u0301\u0303\u0309\u0323")  # grave, acute, tilde, hook above, dot below
_SYLLABLE: Final = re.compile(
    r"(?P<onset>ngh|ng|nh|gh|gi|kh|ph|th|tr|ch|qu|[bcdghklmnprstvx])?(?P<rime>[aeiouy]{1,3})(?P<coda>ng|nh|ch|[cmnpt])?"
)
# Sounds that Vietnamese speakers and typists confuse. Onsets: Northern tr/ch, s/x, r/d/gi, l/n; Southern v/d.
# Codas: Southern n/ng, t/c; nh and ch fall with them.
_ONSETS: Final = {"tr": "ch", "x": "s", "gi": "d", "r": "d", "v": "d", "n": "l", "ngh": "ng", "gh": "g", "k": "c", "ph": "f", "qu": "cu"}
_CODAS: Final = {"ng": "n", "nh": "n", "c": "t", "ch": "t"}
# Consonant spellings of one sound class for `skeleton`, in the order in which they are replaced.
_CONSONANTS: Final = (
    ("ph", "f"),
    ("gh", "g"),
    ("kn", "n"),
    ("sh", "s"),
    ("ch", "s"),
    ("qu", "k"),
    ("x", "s"),
    ("z", "s"),
    ("q", "k"),
    ("d", "t"),
)


@final
class Token:
    """A token of an utterance."""

    __slots__ = ("capital", "end", "key", "start", "surface")

    def __init__(self, surface: str, key: str, start: int, end: int, capital: bool) -> None:  # noqa: FBT001 - in the order of the slots
        self.surface = surface  # lower case, NFC, without apostrophes
        self.key = key  # `phonetic_key(surface)`
        self.start = start  # code points of the utterance
        self.end = end
        self.capital = capital  # spelt like a proper name: "Anna", not "ANNA"


# --- Tokens -------------------------------------------------------------------------------------------------------------------------


def tokenize(utterance: str) -> list[Token]:
    """Split an utterance into tokens."""
    tokens = []
    if utterance.count('"') % 2:  # a pair is a quotation
        utterance = _INCHES.sub("″", utterance)
    for match in _TOKEN.finditer(utterance):
        surface, key, capital = _normalize(match[0])
        start, end = match.span()
        tokens.append(Token(surface, key, start, end, capital))
    return tokens


@lru_cache(maxsize=65_536)
def _normalize(raw: str) -> tuple[str, str, bool]:
    surface = unicodedata.normalize("NFC", raw).lower().replace("'", "").replace("’", "")
    surface = _SIGN_WORDS.get(surface, surface)
    if len(set(surface)) > 1:  # "III" stays
        surface = _LENGTHENED.sub(r"\1", surface)
    if raw[0].isdecimal():
        surface = surface.replace(",", ".")  # 2,5 and 2.5
    return surface, phonetic_key(surface), raw[0].isupper() and not raw.isupper()


@lru_cache(maxsize=65_536)
def phrase(text: str) -> tuple[str, ...]:
    """Return the surfaces of a phrase of a menu or a language pack, without punctuation."""
    return tuple(token.surface for token in tokenize(text) if token.surface not in _PUNCTUATION)


def is_punctuation(surface: str) -> bool:
    """Return whether a token ends or separates clauses."""
    return surface in _PUNCTUATION


def has_diacritics(tokens: Iterable[Token]) -> bool:
    """Return whether an utterance is written with diacritics."""
    return not "".join([token.surface for token in tokens]).isascii()


# --- Normal forms -------------------------------------------------------------------------------------------------------------------


def nfc(text: str) -> str:
    """Return the text in Unicode normal form C."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """Remove diacritics: "đá" gives "da"."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def toneless(text: str) -> str:
    """Remove tone marks, keep the vowels' diacritics: "đá" gives "đa", "sữa" gives "sưa"."""
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(character for character in decomposed if character not in _TONES))


def tone_marks(text: str) -> str:
    """Return the tone marks alone, as combining characters."""
    return "".join(character for character in unicodedata.normalize("NFD", text) if character in _TONES)


def singular(word: str) -> str:
    """Remove an English plural ending; the stem need not be a word, only the same for both numbers."""
    if len(word) >= _MIN_PLURAL and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-2] if word.endswith(("oes", "ches", "shes", "xes", "sses")) else word[:-1]
    return word[:-2] + "y" if word.endswith("ie") and len(word) >= _MIN_PLURAL else word


@lru_cache(maxsize=65_536)
def phonetic_key(surface: str) -> str:
    """Return the phonetic key that near spellings of a word share.

    It has no diacritics, no plural ending and one letter for each group of confused sounds.
    """
    folded = fold(surface)
    syllable = _SYLLABLE.fullmatch(folded)
    if syllable is None:
        return singular(folded)
    onset, rime, coda = syllable.group("onset") or "", syllable.group("rime"), syllable.group("coda") or ""
    if onset == "g" and rime.startswith("i"):
        onset = "gi"
    if onset == "gi" and rime == "e":
        rime = "ie"  # "giêng" is written for gi + iêng
    return _ONSETS.get(onset, onset) + rime.replace("y", "i") + _CODAS.get(coda, coda)


@lru_cache(maxsize=65_536)
def skeleton(text: str) -> str:
    """Return the consonant classes of a word; phonetic misspellings preserve them: "bơ gơ" and "burger" share one skeleton.

    Source: the idea of Soundex (Russell 1918), here over the whole word, with soft c and g, and no r before a consonant.
    """
    reduced = re.sub(r"[^a-z]", "", fold(text).lower())
    reduced = re.sub(r"(.)\1+", r"\1", reduced)
    reduced = re.sub(r"c(?=[eiy])", "s", reduced)
    for letters, sound in _CONSONANTS:
        reduced = reduced.replace(letters, sound)
    reduced = re.sub(r"r(?![aeiouy])", "", reduced.replace("c", "k"))
    consonants = re.sub(r"[aeiouyhw]", "", reduced)
    return ("a" if reduced[:1] in set("aeiouy") else "") + re.sub(r"(.)\1+", r"\1", consonants)
