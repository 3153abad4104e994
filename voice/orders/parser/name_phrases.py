"""The phrases by which a menu's items and choices are found: names, heads of names, aliases, and the same with synonyms."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from voice.menus.menu import Menu
from voice.menus.names import spoken_names
from voice.orders import words
from voice.orders.cooperation import let_others_run
from voice.orders.language_packs import LanguagePack
from voice.orders.parser.draft import ChoiceRef

MAX_AMOUNT_PHRASES: Final = 80  # of an amount in a language, as synonyms
MAX_SYNONYM_WORDS: Final = 3
HEAD_END: Final = re.compile(r"\s[-\u2013\u2014]\s|[:(]")

Entity = str | ChoiceRef  # an item's id, or a choice
Phrase = tuple[str, ...]


def names_of(menu: Menu) -> Iterator[tuple[Entity, Phrase, bool]]:
    """Yield names and aliases."""
    for item_id, item in menu.items.items():
        let_others_run()
        yield from [(item_id, phrase, False) for name in spoken_names(item) for phrase in _phrases_of(name)]
    for group_id, group in menu.option_groups.items():
        for choice_id, choice in group.choices.items():
            yield from [(ChoiceRef(group_id, choice_id), words.phrase(name), False) for name in spoken_names(choice)]


def _phrases_of(name: str) -> Iterator[Phrase]:
    """Yield the words of a name, and those before a dash, a colon or a bracket: "Combo 1 - Chicken and fries" is "Combo 1"."""
    whole, head = words.phrase(name), words.phrase(HEAD_END.split(name, maxsplit=1)[0])
    yield whole
    if head and head != whole:
        yield head


def synonyms_of(menu: Menu, packs: Sequence[LanguagePack]) -> Iterator[tuple[Entity, Phrase, bool]]:
    """Yield names with one phrase replaced by a synonym of a language."""
    synonyms, amounts = _synonyms(packs), _amount_phrases(packs)
    for entity, phrase, _ in names_of(menu):
        for start in range(len(phrase)):
            for end in range(start + 1, min(len(phrase), start + MAX_SYNONYM_WORDS) + 1):
                yield from [(entity, (*phrase[:start], *other, *phrase[end:]), True) for other in synonyms.get(phrase[start:end], ())]
        for length in range(1, len(phrase)):
            yield from [(entity, (*other, *phrase[length:]), True) for other in amounts.get(phrase[:length], ())]


def _synonyms(packs: Sequence[LanguagePack]) -> dict[Phrase, list[Phrase]]:
    found: dict[Phrase, list[Phrase]] = defaultdict(list)
    for pack in packs:
        for row in pack.synonyms:
            for word in row:
                found[words.phrase(word)] += [words.phrase(other) for other in row if other != word]
    return found


def _amount_phrases(packs: Sequence[LanguagePack]) -> dict[Phrase, list[Phrase]]:
    """Return the phrases for the same amount, for choices that are amounts, as of ice: any of them may begin such a name."""
    found: dict[Phrase, list[Phrase]] = defaultdict(list)
    for amount in ("light", "extra", "no"):
        for pack in packs:
            for other in packs:
                phrases = [words.phrase(phrase) for phrase in other.amounts[amount][:MAX_AMOUNT_PHRASES]]
                for phrase in pack.amounts[amount]:
                    found[words.phrase(phrase)] += phrases
    return found
