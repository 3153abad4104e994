"""Random menus of a simulated customer: dishes, drinks and option groups of generated names, in English, Vietnamese or both."""

import random
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from voice import bounded_yaml
from voice.menus.menu import Menu

WORDS_FILE: Final = Path(__file__).with_suffix(".yaml")
LANGUAGES: Final = (("en", "vi"), ("vi", "en"), ("en",), ("vi",))
N_COMPOSED: Final = (4, 9)  # dishes and drinks of generated names
N_FIXED: Final = (3, 7)
P_WAY: Final = 0.5  # of a dish to have a way of cooking in its name
P_UNAVAILABLE: Final = 0.06
CURRENCIES: Final = {"en": ("USD", 1), "vi": ("VND", 200)}  # and its minor units for a US cent
ORDER_OF_WORDS: Final = {"en": 0, "vi": 1}


class Wording(NamedTuple):
    """How an item is called."""

    name: str
    plural: str
    kind: str  # the part of the name that other items may have, too
    unit: str  # Vietnamese counts units


class Said(NamedTuple):
    """How a choice is said."""

    name: str
    place: str  # before or behind the name of the item, or "with": behind a word for it
    before: tuple[str, ...]  # words that may stand before a choice


class Shop(NamedTuple):
    """A random menu, and the words of customers for its items and choices, by language."""

    menu: Menu
    wordings: dict[str, dict[str, Wording]]  # language -> item
    said: dict[str, dict[tuple[str, str], Said]]  # language -> (group, choice)
    adjusted: frozenset[str]  # groups of what a dish has anyway: it is left out, or asked more or less of


@cache
def words() -> Any:
    """Return the words of random menus."""
    return bounded_yaml.parse(WORDS_FILE.read_bytes()).content


def random_shop(rng: random.Random) -> Shop:
    """Return a random menu."""
    languages = rng.choice(LANGUAGES)
    names = _names(rng)
    used = dict.fromkeys([group for one in names.values() for group in one["groups"]])
    groups = {group: _group(words()["groups"][group], languages, rng) for group in used}
    items = {item: _item(one, languages, rng) for item, one in names.items()}
    menu = Menu.model_validate(
        {
            "id": "simulated",
            "name": "Simulated",
            "currency": CURRENCIES[languages[0]][0],
            "languages": languages,
            "option_groups": groups,
            "items": items,
        }
    )
    wordings = {language: {item: _wording(one, language) for item, one in names.items()} for language in languages}
    said = {
        language: {(group, choice): _said(group, choice, language) for group in used for choice in words()["groups"][group]["choices"]}
        for language in languages
    }
    return Shop(menu, wordings, said, frozenset([group for group in used if words()["groups"][group].get("many") == "adjusted"]))


def _names(rng: random.Random) -> dict[str, Any]:
    """Return random items by id: the rows of the words, composed ones with their names."""
    found: dict[str, Any] = {}
    for _ in range(rng.randint(*N_COMPOSED)):
        is_dish = rng.random() < 0.5  # noqa: PLR2004 - as many dishes as drinks
        kind = rng.choice(words()["dishes" if is_dish else "drinks"])
        filling = rng.choice(words()["fillings" if is_dish else "flavours"])
        way = rng.choice(words()["ways"]) if is_dish and rng.random() < P_WAY else ("", "")
        english = " ".join([word for word in (way[0], filling[0]) if word])
        vietnamese = " ".join([word for word in (filling[1], way[1]) if word])
        name = [f"{english} {kind['name'][0]}", f"{kind['name'][1]} {vietnamese}"]
        found[name[0].replace(" ", "-")] = {**kind, "name": name, "plural": f"{english} {kind['plural']}", "kind": kind["name"]}
    for row in rng.sample(words()["fixed"], rng.randint(*N_FIXED)):
        found[row["name"][0].replace(" ", "-")] = {**row, "kind": row["name"]}
    items = list(found.items())
    rng.shuffle(items)
    return dict(items)


def _group(row: Any, languages: tuple[str, ...], rng: random.Random) -> dict[str, Any]:
    choices = list(row["choices"].items())
    is_many = "many" in row
    mode = rng.choice(row.get("modes", ["many"]))
    group: dict[str, Any] = {"name": _by_language(row["name"], languages), "select": "many" if is_many else "one"}
    if mode == "required":
        group["required"] = True
    elif mode == "default":
        group["default"] = choices[0][0]
    step = rng.choice((0, 50, 100)) * CURRENCIES[languages[0]][1]
    prices = [0 if row.get("many") == "adjusted" else step * place for place in range(len(choices))]
    group["choices"] = {
        choice: {"name": _by_language(name, languages), "price": price} for (choice, name), price in zip(choices, prices, strict=True)
    }
    return group


def _item(row: Any, languages: tuple[str, ...], rng: random.Random) -> dict[str, Any]:
    return {
        "name": _by_language(row["name"], languages),
        "category": _by_language(row["category"], languages),
        "price": 50 * rng.randint(4, 30) * CURRENCIES[languages[0]][1],
        "options": row["groups"],
        "available": rng.random() >= P_UNAVAILABLE,
    }


def _by_language(pair: Any, languages: tuple[str, ...]) -> Any:
    names = {language: pair[ORDER_OF_WORDS[language]] for language in languages}
    return names if len(names) > 1 else next(iter(names.values()))


def _wording(row: Any, language: str) -> Wording:
    number = ORDER_OF_WORDS[language]
    name = row["name"][number]
    return Wording(name, row["plural"] if language == "en" else name, row["kind"][number], row["unit"])


def _said(group: str, choice: str, language: str) -> Said:
    row = words()["groups"][group]
    number = ORDER_OF_WORDS[language]
    name = row["choices"][choice][number]
    if "said" not in row:
        return Said(name, "with", ("",))
    place, before = row["said"]
    return Said(name, place, ("",)) if language == "en" else Said(name, "behind", tuple(before))
