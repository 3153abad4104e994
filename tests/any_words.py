"""Random utterances and orders, and the property of each reply to them: it is accepted as a request, unchanged."""

import random
from collections import Counter
from functools import cache
from typing import Any

from schemas import LineRequest, Order, OrderRequest
from voice.dialog.turn import DialogEngine
from voice.menus.menu import Choice, Item, Menu
from voice.menus.names import spoken_names
from voice.orders.language_packs import language_packs

LENGTHS = (3, 5, 8, 12, 20, 40)  # phrases
GLUE = ("một", "hai", "ba", "one", "two", "a", "3", ",", ".", "và", "and")
# Phrases that copy options between lines, split lines and multiply quantities.
COPYING = ("y như vậy", "same again", "the same", "mỗi người một", "one more", "all of them", "tất cả", "mỗi thứ", "999", "600")
MAX_CHARACTERS = 2000
MAX_LINES = 200


@cache
def phrases() -> list[str]:
    """Return as many phrases of each language, at equal distances in their order."""
    packs = [sorted(pack.phrases()) for pack in language_packs().values()]
    count = min(map(len, packs))
    return sorted({phrase for own in packs for phrase in own[:: len(own) // count]})


def names_of(menu: Menu) -> list[str]:
    """Return the names and aliases of a menu."""
    named: list[Item | Choice] = [*menu.items.values()]
    named += [choice for group in menu.option_groups.values() for choice in group.choices.values()]
    return [name for one in named for name in spoken_names(one)]


def any_words(menu: Menu, rng: random.Random) -> tuple[str, list[LineRequest]]:
    """Return a random utterance and a random order so far, without options."""
    names, items = names_of(menu), list(menu.items)
    parts = [rng.choice(rng.choices((names, phrases(), GLUE, COPYING), (35, 40, 20, 5))[0]) for _ in range(rng.choice(LENGTHS))]
    lines = [LineRequest(item=rng.choice(items), quantity=rng.randint(1, 4)) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
    return " ".join(parts)[:MAX_CHARACTERS].strip(), lines


def any_lines(menu: Menu, rng: random.Random, count: int) -> list[LineRequest]:
    """Return a random order of `count` lines, with options that their items offer."""
    lines = []
    for _ in range(count):
        item = rng.choice(list(menu.items))
        options = []
        for group in rng.sample(menu.items[item].options, rng.randint(0, min(3, len(menu.items[item].options)))):
            choice = rng.choice(list(menu.option_groups[group].choices))
            options.append({"group": group, "choice": choice, "amount": rng.choice((None, None, "no", "extra"))})
        lines.append(LineRequest.model_validate({"item": item, "quantity": rng.choice((1, 2, 5, 998)), "options": options}))
    return lines


def faults(engine: DialogEngine, order: Order) -> list[str]:
    """Return the faults of a reply: a request rejects or alters it, or it asks a question twice."""
    menu, found = engine.menu, []
    try:
        request = OrderRequest.model_validate({"text": "ok", "menu": menu.id, "lines": order["lines"]})
        again = engine.price(request.lines)
    except Exception as error:  # noqa: BLE001 - any rejection is a fault
        return [f"rejected: {error}"]
    if [_unspoken(line) for line in again] != [_unspoken(line) for line in order["lines"]]:
        found.append("altered")
    if order["total"] != sum(line["total"] for line in order["lines"]):
        found.append("total")
    asked = Counter(
        repr(question) if question["line"] is None else f"{question['line']} {question['group']}" for question in order["questions"]
    )
    if max(asked.values(), default=0) > 1:
        found.append(f"asked twice: {asked.most_common(1)}")
    if len(order["questions"]) > MAX_LINES:
        found.append(f"{len(order['questions'])} questions")
    for question in order["questions"]:
        pending = question.get("pending")
        offered = menu.items[pending["item"]].options if pending and "item" in pending else []
        if offered and pending and any(option["group"] not in offered for option in pending["options"]):
            found.append("a pending option that the item does not offer")
    return found


def _unspoken(line: Any) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in {"confidence", "span"}}
