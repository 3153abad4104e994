"""Random utterances and orders, and what every reply to them must hold: it is accepted as a request, unchanged."""

import random
from collections import Counter
from functools import cache
from typing import Any

from schemas import Choice, Item, LineRequest, Menu, Order, OrderRequest
from voice.orders.engine import OrderEngine
from voice.orders.language_packs import language_packs

LENGTHS = (3, 5, 8, 12, 20, 40)  # phrases
GLUE = ("một", "hai", "ba", "one", "two", "a", "3", ",", ".", "và", "and")
# A reply copies options of one line to others, splits lines and multiplies quantities on these words.
COPYING = ("y như vậy", "same again", "the same", "mỗi người một", "one more", "all of them", "tất cả", "mỗi thứ", "999", "600")
MAX_CHARACTERS = 2000
MAX_LINES = 200


@cache
def ways() -> list[str]:
    """Return all phrases of the language packs."""
    return sorted({way for pack in language_packs().values() for way in pack.phrases()})


def names_of(menu: Menu) -> list[str]:
    """Return all names of a menu's items and choices."""
    named: list[Item | Choice] = [*menu.items.values()]
    named += [choice for group in menu.option_groups.values() for choice in group.choices.values()]
    return [name for one in named for name in (one.name, *one.aliases)]


def any_words(menu: Menu, dice: random.Random) -> tuple[str, list[LineRequest]]:
    """Return a random utterance and a random order so far."""
    names, items = names_of(menu), list(menu.items)
    parts = [dice.choice(dice.choices((names, ways(), GLUE, COPYING), (35, 40, 20, 5))[0]) for _ in range(dice.choice(LENGTHS))]
    lines = [LineRequest(item=dice.choice(items), quantity=dice.randint(1, 4)) for _ in range(dice.choice((0, 0, 1, 2, 3)))]
    return " ".join(parts)[:MAX_CHARACTERS].strip(), lines


def any_lines(menu: Menu, dice: random.Random, count: int) -> list[LineRequest]:
    """Return a random order of so many lines, with options that their items offer."""
    lines = []
    for _ in range(count):
        item = dice.choice(list(menu.items))
        options = []
        for group in dice.sample(menu.items[item].options, dice.randint(0, min(3, len(menu.items[item].options)))):
            choice = dice.choice(list(menu.option_groups[group].choices))
            options.append({"group": group, "choice": choice, "amount": dice.choice((None, None, "no", "extra"))})
        lines.append(LineRequest.model_validate({"item": item, "quantity": dice.choice((1, 2, 5, 998)), "options": options}))
    return lines


def faults(engine: OrderEngine, order: Order) -> list[str]:
    """Return why a reply breaks its contract: it is refused as a request, is altered by it, or asks a thing twice."""
    menu, found = engine.menu, []
    try:
        request = OrderRequest.model_validate({"text": "ok", "menu": menu.id, "lines": order["lines"]})
        again = engine.price(request.lines)
    except Exception as error:  # noqa: BLE001 - any refusal is a fault
        return [f"refused: {error}"]
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
        if pending and any(option["group"] not in offered for option in pending["options"]):
            found.append("a pending option that the item does not offer")
    return found


def _unspoken(line: Any) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in {"confidence", "span"}}
