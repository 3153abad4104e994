"""The choice of a group that stands for having none of it: "no ice", "0% sugar", "unsweetened, no sugar"."""

from functools import lru_cache

from voice.menus.menu import Menu, OptionGroup
from voice.menus.names import spoken_names
from voice.orders import words
from voice.orders.language_packs import language_packs

Phrases = frozenset[tuple[str, ...]]


def none_choices(menu: Menu) -> dict[str, str]:
    """Return the choice that stands for none, by group; only of one-of groups that have exactly one."""
    found = {group_id: _none_choices_of(group) for group_id, group in menu.option_groups.items() if group.select == "one"}
    return {group_id: choices[0] for group_id, choices in found.items() if len(choices) == 1}


def _none_choices_of(group: OptionGroup) -> list[str]:
    return [choice_id for choice_id, choice in group.choices.items() if any(map(_is_none, spoken_names(choice)))]


def _is_none(name: str) -> bool:
    """Return whether a name begins with "no", ends with "free", is a whole answer of "no", or has the figure 0."""
    phrase, (first, last, alone) = words.phrase(name), _phrases_of_none()
    lengths = range(1, len(phrase))
    return (
        "0" in phrase
        or phrase in alone
        or any(phrase[:length] in first for length in lengths)
        or any(phrase[-length:] in last for length in lengths)
    )


@lru_cache(maxsize=1)
def _phrases_of_none() -> tuple[Phrases, Phrases, Phrases]:
    """Return the phrases with which the names of such choices begin, with which they end, and which are whole names."""
    packs = language_packs().values()
    return (
        frozenset([words.phrase(way) for pack in packs for way in pack.amounts["no"]]),
        frozenset([words.phrase(way) for pack in packs for way in pack.amounts_behind["no"]]),
        frozenset([words.phrase(way) for pack in packs for way in pack.answers["no"]]),
    )
