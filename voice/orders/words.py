"""Words as they are said, typed and misheard: tokens with spans, what two spellings have in common, and how far apart they are."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, final

from rapidfuzz.distance import OSA

# Letters with inner apostrophes, figures with inner separators (1.5, 42.000, 8:15, 12/5, 2-3), and the few signs that mean something in an
# order. Letters and figures part ("x2", "7up").
_TOKEN: Final = re.compile(
    r"[^\W\d_]+(?:['’][^\W\d_]+)*(?:(?<=\b[apAP])\.[mM]\b\.?)?|\d+(?:[.,:/-]\d+)*|[%&+,;.:!?…\n#$€£¥₫°″]"
)  # "a.m." is one
_SAME_AS: Final = {
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
_INCHES: Final = re.compile(r'(?<=\d)"')
_PUNCTUATION: Final = frozenset(",;.:!?…\n")

_TONES: Final = frozenset("\u0300\u0301\u0303\u0309\u0323")  # grave, acute, tilde, hook above, dot below
_VIETNAMESE: Final = re.compile(
    r"(?P<onset>ngh|ng|nh|gh|gi|kh|ph|th|tr|ch|qu|[bcdghklmnprstvx])?(?P<rime>[aeiouy]{1,3})(?P<coda>ng|nh|ch|[cmnpt])?"
)
# What listeners and typists confuse. Onsets: Northern tr/ch, s/x, r/d/gi, l/n; Southern v/d.
# Codas: Southern n/ng, t/c; nh and ch fall with them.
_ONSETS: Final = {"tr": "ch", "x": "s", "gi": "d", "r": "d", "v": "d", "n": "l", "ngh": "ng", "gh": "g", "k": "c", "ph": "f", "qu": "cu"}
# Of the 1,326 words of 219 Vietnamese recordings, clean and in noise of 10 and 5 dB, the recogniser wrote 15 with another tone, 12 with
# another of these vowels, none with any other vowel of the same letter ("ơ" for "o", "ư" for "u", "ê" for "e").
_CONFUSED: Final = str.maketrans("ăâôy", "aaoi")  # and "y" is spelt for "i"
_VOWELS: Final = frozenset("aeiouêơư")
_CODAS: Final = {"ng": "n", "nh": "n", "c": "t", "ch": "t"}

# Costs of one word heard for another; a phrase costs the sum over its words. The unit is a word that nothing explains (1).
PLAIN: Final = 0.04  # typed without diacritics, as the whole utterance is
PLAIN_AMONG_MARKED: Final = 0.3  # a function word without diacritics where its neighbours have them
PLURAL: Final = 0.05
SPLIT: Final = 0.05  # written together, or apart
TONE: Final = 0.3  # another tone mark, the commonest recognition error
VOWEL: Final = 0.55  # another vowel that the recogniser confuses with it: a different word more often than an error
FUNCTION_TONE: Final = 0.4  # another tone mark on a function word
SOUND: Final = 0.3  # another letter of the same sound group
TYPO: Final = 1.8  # times the share of letters edited: one edit in four letters costs 0.45
ABBREVIATION: Final = 0.4  # "mayo"
MAX_NEAR: Final = 1.3  # farther apart, two phrases are different phrases


@final
class Token:
    """A token of the utterance."""

    __slots__ = ("capital", "end", "key", "start", "surface")

    def __init__(self, surface: str, key: str, start: int, end: int, capital: bool) -> None:  # noqa: FBT001 - as they are kept
        self.surface = surface  # lower case, NFC, apostrophes dropped
        self.key = key  # what it has in common with its other spellings
        self.start = start  # code points of the utterance
        self.end = end
        self.capital = capital  # written like a name: "chị Bảy"


def nfc(text: str) -> str:
    """Return the text with one spelling for each accented letter."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """Drop diacritics: "đá" gives "da"."""
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def toneless(text: str) -> str:
    """Drop tone marks only: "đá" gives "đa", "sữa" gives "sưa"."""
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(character for character in decomposed if character not in _TONES))


def tone(text: str) -> str:
    """Return the tone marks alone."""
    return "".join(character for character in unicodedata.normalize("NFD", text) if character in _TONES)


def singular(word: str) -> str:
    """Drop an English plural ending; what is left need not be a word, only the same for both numbers."""
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):  # noqa: PLR2004 - "gas", "bus"
        word = word[:-2] if word.endswith(("oes", "ches", "shes", "xes", "sses")) else word[:-1]
    return word[:-2] + "y" if word.endswith("ie") and len(word) > 3 else word  # noqa: PLR2004 - "pie"


@lru_cache(maxsize=65_536)
def key_of(surface: str) -> str:
    """Return the coarse key under which all near spellings of a word meet: no diacritics, no plural, one letter for each sound group."""
    plain = fold(surface)
    syllable = _VIETNAMESE.fullmatch(plain)
    if syllable is None:
        return singular(plain)
    onset, rime, coda = syllable.group("onset") or "", syllable.group("rime"), syllable.group("coda") or ""
    if onset == "g" and rime.startswith("i"):
        onset = "gi"
    if onset == "gi" and rime == "e":
        rime = "ie"  # "giêng" is written for gi + iêng
    return _ONSETS.get(onset, onset) + rime.replace("y", "i") + _CODAS.get(coda, coda)


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


@lru_cache(maxsize=65_536)
def skeleton(text: str) -> str:
    """Return the consonants that a listener who does not know the word would still write, in coarse classes.

    "peppa roni" and "pepperoni" share one, "bơ gơ" and "burger", "xa lát" and "salad". Source: the idea of Soundex (Russell 1918), with the
    whole word, soft c and g, and no r before a consonant.
    """
    plain = re.sub(r"[^a-z]", "", fold(text).lower())
    plain = re.sub(r"(.)\1+", r"\1", plain)
    plain = re.sub(r"c(?=[eiy])", "s", plain)
    for letters, one in _CONSONANTS:
        plain = plain.replace(letters, one)
    plain = re.sub(r"r(?![aeiouy])", "", plain.replace("c", "k"))
    bones = re.sub(r"[aeiouyhw]", "", plain)
    return ("a" if plain[:1] in set("aeiouy") else "") + re.sub(r"(.)\1+", r"\1", bones)


@lru_cache(maxsize=65_536)
def likeness(said: str, meant: str) -> float:
    """Return the share of letters that two spellings have in common, 0..1, diacritics left out."""
    return OSA.normalized_similarity(fold(said), fold(meant))


@lru_cache(maxsize=65_536)
def _normal(raw: str) -> tuple[str, str, bool]:
    surface = unicodedata.normalize("NFC", raw).lower().replace("'", "").replace("’", "")
    surface = _SAME_AS.get(surface, surface)
    if raw[0].isdecimal():
        surface = surface.replace(",", ".")  # one spelling of 2,5
    return surface, key_of(surface), raw[0].isupper() and not raw.isupper()


def tokens(utterance: str) -> list[Token]:
    """Cut an utterance into tokens."""
    found = []
    if utterance.count('"') % 2:  # no quotation
        utterance = _INCHES.sub("″", utterance)
    for match in _TOKEN.finditer(utterance):
        surface, key, capital = _normal(match[0])
        start, end = match.span()
        found.append(Token(surface, key, start, end, capital))
    return found


def is_punctuation(surface: str) -> bool:
    """Tell whether a token ends or parts a clause."""
    return surface in _PUNCTUATION


@lru_cache(maxsize=65_536)
def phrase(text: str) -> tuple[str, ...]:
    """Return the surfaces of a menu's or a language's phrase, punctuation left out."""
    return tuple(token.surface for token in tokens(text) if token.surface not in _PUNCTUATION)


def is_marked(spoken: Iterable[Token]) -> bool:
    """Tell whether an utterance is written with diacritics."""
    return not "".join([token.surface for token in spoken]).isascii()


def _rime(word: str) -> str:
    """Return the vowels that a listener tells apart."""
    return "".join(letter for letter in re.sub("gi(?=[aouơư])", "d", toneless(word).translate(_CONFUSED)) if letter in _VOWELS)


def _word_distance(said: str, meant: str, *, marked: bool) -> float:
    if said == meant:
        return 0.0
    said_plain, meant_plain = fold(said), fold(meant)
    if said_plain == meant_plain:
        if said == said_plain and not marked:
            return PLAIN
        if toneless(said) == toneless(meant):
            return TONE
        return VOWEL if _rime(said) == _rime(meant) else MAX_NEAR + 1
    if singular(said_plain) == singular(meant_plain):
        return PLURAL
    if (said[:1] == "đ") != (meant[:1] == "đ") and said != said_plain:
        return MAX_NEAR + 1  # a stop, never heard for the fricatives d, gi, r
    if key_of(said) == key_of(meant):
        if said != said_plain and _rime(said) != _rime(meant):
            return MAX_NEAR + 1
        return SOUND if said == said_plain or tone(said) == tone(meant) else SOUND + 0.5 * TONE
    if len(said_plain) >= 4 and len(meant_plain) >= len(said_plain) + 3 and meant_plain.startswith(said_plain):  # noqa: PLR2004
        return ABBREVIATION
    # One edit in four letters, two in eight: shorter words have too many neighbours (Damerau 1964: most misspellings are one edit away).
    letters = max(len(said_plain), len(meant_plain))
    edits = OSA.distance(said_plain, meant_plain, score_cutoff=letters // 4)
    return TYPO * edits / letters if edits * 4 <= letters else MAX_NEAR + 1


@lru_cache(maxsize=65_536)
def function_distance(said: tuple[str, ...], meant: tuple[str, ...], *, marked: bool) -> float:
    """Return the cost of hearing a function word for another: these are short, so only diacritics may differ."""
    if said == meant:
        return 0.0
    if len(said) != len(meant):
        return MAX_NEAR + 1
    cost = 0.0
    for a, b in zip(said, meant, strict=True):
        if a == b:
            continue
        plain = fold(b)
        if a == plain:
            cost += PLAIN_AMONG_MARKED if marked else PLAIN
        elif fold(a) == plain and toneless(a) == toneless(b):
            cost += FUNCTION_TONE
        else:
            return MAX_NEAR + 1
    return cost


@lru_cache(maxsize=131_072)
def distance(said: tuple[str, ...], meant: tuple[str, ...], *, marked: bool) -> float:
    """Return the cost of hearing `said` where `meant` was meant: 0 for the same words, above MAX_NEAR for different ones."""
    if said == meant:
        return 0.0
    if len(said) == len(meant):
        return sum(_word_distance(a, b, marked=marked) for a, b in zip(said, meant, strict=True))
    if "".join(map(key_of, said)) == "".join(map(key_of, meant)) and fold("".join(said)) != fold("".join(meant)):
        return SPLIT + SOUND
    return SPLIT + _word_distance("".join(said), "".join(meant), marked=marked)
