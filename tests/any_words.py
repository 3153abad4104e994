"""Utterances of any words at all, for tests and measurements that ask for nothing but an answer."""

import random
from functools import cache

from schemas import Choice, Item, LineRequest, Menu
from voice.packs import language_packs

LENGTHS = (3, 5, 8, 12, 20, 40)  # phrases
GLUE = ("một", "hai", "ba", "one", "two", "a", "3", ",", ".", "và", "and")
MAX_CHARACTERS = 2000


@cache
def ways() -> list[str]:
    """Return all that the languages know to say."""
    return sorted({way for pack in language_packs().values() for way in pack.phrases()})


def names_of(menu: Menu) -> list[str]:
    """Return all names of a menu's items and choices."""
    named: list[Item | Choice] = [*menu.items.values()]
    named += [choice for group in menu.option_groups.values() for choice in group.choices.values()]
    return [name for one in named for name in (one.name, *one.aliases)]


def any_words(menu: Menu, dice: random.Random) -> tuple[str, list[LineRequest]]:
    """Return an utterance and an order so far, which mean nothing in particular."""
    names, items = names_of(menu), list(menu.items)
    parts = [dice.choice(dice.choices((names, ways(), GLUE), (35, 45, 20))[0]) for _ in range(dice.choice(LENGTHS))]
    lines = [LineRequest(item=dice.choice(items), quantity=dice.randint(1, 4)) for _ in range(dice.choice((0, 0, 1, 2, 3)))]
    return " ".join(parts)[:MAX_CHARACTERS].strip(), lines
