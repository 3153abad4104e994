"""The phrases by which a menu's items and choices are found: names, heads of names, aliases, and the same with synonyms."""

import re
from collections import Counter, defaultdict
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
LIST_NUMBER: Final = re.compile(r"^([A-Za-z]?\d{1,3})\s*[.)]\s+(?=\S)")  # before a name, as on a printed menu
MIN_PART_WORDS: Final = 2  # of a name between commas; one word may be an ingredient

Entity = str | ChoiceRef  # an item's id, or a choice
Phrase = tuple[str, ...]


def names_of(menu: Menu) -> Iterator[tuple[Entity, Phrase, bool]]:
    """Yield names and aliases."""
    spoken = {item_id: spoken_names(item) for item_id, item in menu.items.items()}
    phrases = {item_id: [one for name in names for one in phrases_of(name)] for item_id, names in spoken.items()}
    parts = {item_id: {one for name in names for one in _parts_of(name)} for item_id, names in spoken.items()}
    owners = Counter([phrase for item_id in menu.items for phrase in {*phrases[item_id], *parts[item_id]}])
    for item_id in menu.items:
        let_others_run()
        own = [part for part in sorted(parts[item_id]) if owners[part] == 1]
        yield from [(item_id, phrase, False) for phrase in dict.fromkeys([*phrases[item_id], *own])]
    for group_id, group in menu.option_groups.items():
        for choice_id, choice in group.choices.items():
            yield from [(ChoiceRef(group_id, choice_id), words.phrase(name), False) for name in spoken_names(choice)]


def phrases_of(name: str) -> Iterator[Phrase]:
    """Yield the words of a name, and those before a dash, a colon or a bracket: "Combo 1 - Chicken and fries" is "Combo 1".

    The same follows without the number of the item on a printed menu: "7. Hot soup" is "Hot soup".
    """
    for text in dict.fromkeys((name, LIST_NUMBER.sub("", name))):
        whole, head = words.phrase(text), words.phrase(HEAD_END.split(text, maxsplit=1)[0])
        yield whole
        if head and head != whole:
            yield head


def _parts_of(name: str) -> list[Phrase]:
    """Return the words between the commas of a name: "Bun Cha, Grilled Pork Noodles" is known by either."""
    parts = HEAD_END.split(LIST_NUMBER.sub("", name), maxsplit=1)[0].split(",")
    return [phrase for phrase in map(words.phrase, parts) if len(phrase) >= MIN_PART_WORDS] if len(parts) > 1 else []


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
