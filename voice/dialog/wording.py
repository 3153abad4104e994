"""Names, prices and lines of a menu in words, as parts of a sentence."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from schemas import Option
from voice.dialog.lines import priced_options
from voice.dialog.numbers_in_words import cardinal, price_in_words, spoken_figure
from voice.menus.menu import Menu
from voice.menus.names import name_in
from voice.orders.language_packs import LanguagePack, Speech, language_packs, speech_of
from voice.orders.parser.draft import DraftLine, DraftOption
from voice.orders.pricing import Pricing

MAX_LISTED: Final = 4
BETWEEN_FIGURES: Final = frozenset({"/", "-"})  # symbols that are something else between figures than between words
SHORT: Final = 24  # characters of a line that has no list within it

_DECIMALS: Final = {"½": ".5", "¼": ".25", "¾": ".75"}
_FRACTIONS: Final = {"1/2": "½", "1/4": "¼", "3/4": "¾"}
_MIXED: Final = re.compile(f"([0-9])([{''.join(_DECIMALS)}])")
_FRACTION: Final = re.compile(r"(?<![\d/.,])[13]/[24](?![\d/.,])(?<!3/2)")
_RANGE: Final = re.compile(r"(?<![\d-])(\d+)[–-](\d+)(?![\d-])")  # noqa: RUF001 - menus have both dashes
_DIVIDED: Final = re.compile(r"(?<=\d)[/\u2044](?=\d)")  # NFKC makes "½" of two figures and U+2044
_PAUSE: Final = re.compile(r"\s-\s|[()\[\]:;…]")
_COMMAS: Final = re.compile(r"\s*,(?:\s*,)*\s*")
_FIGURE: Final = re.compile(r"(?P<before>(?<=[^\W\d_])(?=\d))?(?P<figure>\d+(?:[.,]\d+)*)(?P<behind>\s?(?:[^\W\d_]+|″)(?![^\W\d_]))?")
_UNSPOKEN: Final = re.compile(r"[^\w\s,.'’-]|_")
_LOOSE: Final = re.compile(r"(?<!\w)['’.-]+|['’.-]+(?!\w)")  # at the edge of a word


@lru_cache(maxsize=16_384)
def spoken(text: str, language: str) -> str:
    """Return a text of the menu as words and commas: figures and signs in words, abbreviated units in full."""
    speech = speech_of(language)
    text = _MIXED.sub(lambda match: match[1] + _DECIMALS[match[2]], text)
    text = _FRACTION.sub(lambda match: _FRACTIONS[match[0]], text)
    for symbol, words in speech.symbols.items():
        if symbol not in BETWEEN_FIGURES:
            text = text.replace(symbol, f" {words} ")
    text = _RANGE.sub(rf"\1 {speech.symbols['-']} \2", unicodedata.normalize("NFKC", text))
    text = _DIVIDED.sub(" ", text).replace("/", f" {speech.symbols['/']} ")

    def in_words(match: re.Match[str]) -> str:
        behind = match["behind"] or ""
        unit = speech.measures.get(behind.strip().lower(), "")
        separator = " " if unit or (behind and not behind[0].isspace()) else ""
        before = " " if match["before"] is not None else ""
        return f"{before}{spoken_figure(match['figure'], language)}{separator}{unit or behind}"

    text = _FIGURE.sub(in_words, _PAUSE.sub(", ", text))
    text = _LOOSE.sub("", _UNSPOKEN.sub(" ", text))
    text = _COMMAS.sub(", ", " ".join(text.split()))
    return unicodedata.normalize("NFC", text.strip(" ,"))


@lru_cache(maxsize=16_384)
def _within_a_sentence(name: str, language: str) -> str:
    text = spoken(name, language)
    return text[:1].lower() + text[1:] if text[1:] == text[1:].lower() else text


@lru_cache(maxsize=16_384)
def _plural(name: str, language: str) -> str:
    """Return the plural of a name, by the rules of the language: its noun is the last word, or the last before a preposition or a comma."""
    plurals = speech_of(language).plurals
    if not name.isascii():
        return name
    parts = name.split(" ")
    ends = (at for at in range(1, len(parts)) if parts[at] in plurals.heads or parts[at - 1].endswith(","))
    at = next(ends, len(parts)) - 1
    noun = parts[at].rstrip(",")
    small = noun.lower()
    if small in plurals.unchanged or not noun:
        return name
    several = plurals.irregular.get(small)
    if several is None:
        ending, other = next((ending, other) for ending, other in plurals.endings if small.endswith(ending))
        several = noun[: len(noun) - len(ending)] + other
    parts[at] = several + parts[at][len(noun) :]
    return " ".join(parts)


def capital(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]


def n_words(text: str) -> int:
    """Return the number of words."""
    return len(text.split())


@lru_cache(maxsize=8)
def _front_words(language: str) -> frozenset[str]:
    """Return the words of options that stand before their noun."""
    pack = _pack(language)
    if not pack.adjectives_first:
        return frozenset()
    phrases: Iterable[str] = (*pack.adjectives, *pack.classifiers, *pack.numbers.units, *pack.numbers.tens)
    return frozenset(word for phrase in phrases for word in phrase.split())


def _pack(language: str) -> LanguagePack:
    packs = language_packs()
    return packs.get(language) or packs["en"]


class Wording:
    """Words for the parts of one menu in one language."""

    __slots__ = ("_front", "language", "menu", "pricing", "speech")

    def __init__(self, menu: Menu, pricing: Pricing, language: str) -> None:
        self.menu = menu
        self.pricing = pricing
        self.language = language if language in language_packs() else "en"
        self.speech: Speech = speech_of(language)
        self._front = _front_words(self.language)

    def sentence(self, name: str, /, **values: str) -> str:
        """Return a sentence, or a part of one, with its values filled in."""
        return self.speech.sentences[name].format(**values)

    # --- Names

    def named(self, name: str) -> str:
        """Return a name within a sentence: in small letters, unless it has other capitals than the first."""
        return _within_a_sentence(name_in(name, self.language), self.language)

    def item(self, item_id: str, quantity: int = 1) -> str:
        """Return the name of an item, in the plural for several."""
        name = self.named(self.menu.items[item_id].name)
        return name if quantity == 1 else self.plural(name)

    def choice(self, group_id: str, choice_id: str) -> str:
        """Return the name of a choice."""
        return self.named(self.menu.option_groups[group_id].choices[choice_id].name)

    def plural(self, name: str) -> str:
        """Return the plural of a name."""
        return _plural(name, self.language)

    def number(self, number: int) -> str:
        """Return a number in words."""
        return cardinal(number, self.language)

    # --- Prices

    def price(self, amount: int) -> str:
        """Return an amount of money in words."""
        return price_in_words(amount, self.menu.currency, self.language)

    def with_difference(self, name: str, difference: int) -> str:
        """Return a name with the difference of its price, if there is one."""
        if difference == 0:
            return name
        return self.sentence("dearer" if difference > 0 else "cheaper", name=name, price=self.price(abs(difference)))

    def options(self, line: DraftLine) -> list[Option]:
        """Return the options of a line as replies have them."""
        return priced_options(self.pricing, line.options)

    def unit_price(self, line: DraftLine) -> int:
        """Return the price of one unit of a line."""
        return self.pricing.unit_price(line.items[0], self.options(line))

    def total(self, lines: Iterable[DraftLine]) -> int:
        """Return the price of lines."""
        return sum([self.unit_price(line) * line.quantity for line in lines])

    # --- Lists

    def all_of(self, names: Sequence[str]) -> str:
        """Return a list that ends with "and"."""
        return self._joined(names, "and")

    def any_of(self, names: Sequence[str]) -> str:
        """Return a list that ends with "or"."""
        return self._joined(names, "or")

    def some_of(self, names: Sequence[str], n_all: int, *, alternatives: bool = False) -> str:
        """Return a list of the names, and the number of those that it leaves out; `n_all`: of all names."""
        listed = ", ".join(names)
        if n_all <= len(names):
            return self.any_of(names) if alternatives else self.all_of(names)
        return self.sentence("or_more" if alternatives else "and_more", listed=listed, number=self.number(n_all - len(names)))

    def _joined(self, names: Sequence[str], conjunction: str) -> str:
        if len(names) < 2:  # noqa: PLR2004 - nothing to join
            return "".join(names)
        *rest, last = names
        if len(rest) == 1:
            return self.sentence(f"{conjunction}_two", first=rest[0], second=last)
        return self.sentence(f"{conjunction}_many", rest=", ".join(rest), last=last)

    # --- Lines

    def noun(self, line: DraftLine, quantity: int = 1) -> str:
        """Return the item of a line with its options, without a number; `quantity`: decides about the plural."""
        return self._described(self.item(line.items[0], quantity), line.options)

    def line(self, line: DraftLine, *, is_brief: bool = False) -> str:
        """Return a line: its number, item and options; `is_brief`: no options."""
        noun = self.item(line.items[0], line.quantity) if is_brief else self.noun(line, line.quantity)
        return self.sentence("line", number=self.number(line.quantity), line=noun)

    def lines(self, lines: Sequence[DraftLine], *, is_brief: bool = False) -> str:
        """Return lines as a list; those of one item are grouped."""
        by_item: dict[tuple[str, ...], list[DraftLine]] = {}
        for line in lines:
            by_item.setdefault(line.items, []).append(line)
        phrases = [self._group(group, is_brief=is_brief) for group in by_item.values()]
        if len(phrases) < 2 or all(len(phrase) <= SHORT for phrase in phrases):  # noqa: PLR2004 - nothing to join
            return self.all_of(phrases)
        return self.sentence("lines_many", rest=", ".join(phrases[:-1]), last=phrases[-1])

    def _group(self, lines: Sequence[DraftLine], *, is_brief: bool) -> str:
        """Return lines of one item: the number of all, what they share, and then their differences."""
        quantity = sum([line.quantity for line in lines])
        shared = tuple([option for option in lines[0].options if all(option in line.options for line in lines)])
        together = self.line(lines[0]._replace(quantity=quantity, options=shared), is_brief=is_brief)
        parts: dict[str, int] = {}
        own_options = [[option for option in line.options if option not in shared] for line in lines]
        for line, own in zip(lines, own_options, strict=True):
            text = self._described("", own) or self.sentence("plain")
            parts[text] = parts.get(text, 0) + line.quantity
        if is_brief or len(parts) == 1:
            return together
        listed = [self.sentence("line", number=self.number(count), line=text) for text, count in parts.items()]
        separator = ", " if max(map(len, own_options)) > 1 else self.sentence("part_separator")
        return self.sentence("group", line=together, parts=separator.join(listed))

    def _described(self, noun: str, options: Sequence[DraftOption]) -> str:
        """Return a noun with options, each in the place of its kind; open options are left out."""
        front, plain, extra, without = [], [], [], []
        for option in options:
            if len(option.choices) > 1 and option.amount != "no":
                continue
            text = self.option(option)
            is_alternative = self.menu.option_groups[option.group].select == "one"
            if option.amount == "no":
                without.append(text)
            elif is_alternative and self._front.issuperset(text.split()):
                front.append(text)
            elif is_alternative or option.amount is not None:
                plain.append(text)
            else:
                extra.append(text)
        if not self._front and any(option.options for option in options):  # they stand behind their choice
            plain = [", ".join(plain)] if plain else []
        listed = [*extra, *plain]
        if self._front and len(listed) > 1 and any(option.options for option in options) and any(self._has_list(text) for text in listed):
            extra, plain = [self.sentence("lines_many", rest=", ".join(listed[:-1]), last=listed[-1])], []
        return self._arranged(noun, front, plain, extra, without)

    def _has_list(self, text: str) -> bool:
        """Return whether an option has options behind its name: only a comma tells where they end."""
        return self.sentence("with", line="", options="") in text

    def _arranged(self, noun: str, front: list[str], plain: list[str], extra: list[str], without: list[str]) -> str:
        phrase = " ".join([*front, noun] if noun else front)
        if self._front:  # the language tells options from the noun by a preposition
            plain, extra = [], [*plain, *extra]
        phrase = " ".join([phrase, *plain]).strip()
        for name, texts in (("with", extra), ("without", without)):
            if texts:
                phrase = self.sentence(name, line=phrase, options=self.all_of(texts)).strip(" ,")
        return phrase

    def option(self, option: DraftOption) -> str:
        """Return an option with its amount and its number of portions."""
        name = self._described(self.any_of([self.choice(option.group, choice) for choice in option.choices]), option.options)
        if option.quantity > 1:
            name = self.sentence("portions", number=self.number(option.quantity), option=self.plural(name))
        return self.speech.options[option.amount].format(name=name) if option.amount else name
