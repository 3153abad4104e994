"""An invented shop, and a customer who holds a conversation with it."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from schemas import Conversation, Order
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.menus.menu import Menu
from voice.orders.parser.model import WEIGHTS_FILE, Model

MENU: dict[str, Any] = {
    "id": "teahouse",
    "name": "Teahouse",
    "currency": "USD",
    "languages": ["en", "vi"],
    "option_groups": {
        "size": {
            "name": "Size",
            "required": True,
            "choices": {
                "small": {"name": "Small", "aliases": ["nhỏ", "cỡ nhỏ"]},
                "large": {"name": "Large", "aliases": ["lớn", "cỡ lớn"], "price": 100},
            },
        },
        "bread": {
            "name": "Bread",
            "required": True,
            "choices": {"rye": {"name": "Rye", "aliases": ["lúa mạch"]}, "wheat": {"name": "Wheat", "aliases": ["lúa mì"]}},
        },
        "milk": {
            "name": "Milk",
            "choices": {"oat": {"name": "Oat milk", "aliases": ["sữa yến mạch"]}, "soy": {"name": "Soy milk", "aliases": ["sữa đậu"]}},
        },
        "topping": {
            "name": "Topping",
            "select": "many",
            "choices": {
                "black": {"name": "Black pearls", "aliases": ["trân châu đen", "pearls", "trân châu"], "price": 50},
                "white": {"name": "White pearls", "aliases": ["trân châu trắng", "pearls", "trân châu"], "price": 50},
                "jelly": {"name": "Jelly", "aliases": ["thạch"], "price": 60},
            },
        },
        "extras": {
            "name": "Extras",
            "select": "many",
            "choices": {"chilli": {"name": "Chilli", "aliases": ["ớt"]}, "pickles": {"name": "Pickles", "aliases": ["dưa chua"]}},
        },
    },
    "items": {
        "milk-tea": {
            "name": "Milk tea",
            "aliases": ["trà sữa"],
            "category": "drinks",
            "price": 400,
            "options": ["size", "milk", "topping"],
        },
        "green-tea": {"name": "Green tea", "aliases": ["trà xanh"], "category": "drinks", "price": 300, "options": ["size"]},
        "lemonade": {"name": "Lemonade", "aliases": ["nước chanh"], "category": "drinks", "price": 350},
        "cola": {"name": "Cola", "aliases": ["cô la"], "category": "drinks", "price": 250},
        "mango-juice": {"name": "Mango juice", "aliases": ["nước xoài"], "category": "drinks", "price": 450, "available": False},
        "chicken-sandwich": {
            "name": "Chicken sandwich",
            "aliases": ["bánh mì gà", "sandwich", "bánh mì"],
            "category": "food",
            "price": 800,
            "options": ["bread", "extras"],
        },
        "tofu-sandwich": {
            "name": "Tofu sandwich",
            "aliases": ["bánh mì đậu hũ", "sandwich", "bánh mì"],
            "category": "food",
            "price": 700,
            "options": ["bread", "extras"],
        },
        "fries": {"name": "Fries", "aliases": ["khoai tây chiên"], "category": "food", "price": 300},
    },
}


@cache
def shop() -> DialogEngine:
    """Return the shop's engine; it makes every edit that is possible."""
    return DialogEngine(Menu.model_validate(MENU), ask_below=0.0, model=model())


@cache
def model() -> Model:
    """Return the parser's model; leaving a line open costs what it costs before fitting, so that names of several items are not dropped."""
    weights = json.loads(WEIGHTS_FILE.read_text(encoding="utf-8"))
    return Model({feature: weight for feature, weight in weights.items() if not feature.startswith("open.what=")} | {"open": 0.25})


def line(item: str, quantity: int = 1, **options: str) -> dict[str, Any]:
    """Return a line of a request; options as group=choice."""
    return {"item": item, "quantity": quantity, "options": [{"group": group, "choice": choice} for group, choice in options.items()]}


def say(text: str, state: Mapping[str, Any] | None = None, *, engine: DialogEngine | None = None, **options: Any) -> Order:
    """Return the shop's reply to an utterance in a state: that of a reply, or written by hand."""
    engine = engine or shop()
    sent = {name: (state or {}).get(name, []) for name in ("lines", "questions", "changes", "notes")}
    return engine.take_turn(text, state_of(engine.menu, Conversation.model_validate(sent)), **options)


def order_of(reply: Order) -> list[str]:
    """Return the lines of a reply in short: quantity, item, options."""
    return [" ".join([str(one["quantity"]), one["item"], *[_short(option) for option in one["options"]]]) for one in reply["lines"]]


def _short(option: Any) -> str:
    return f"{option['amount'] + ' ' if option['amount'] else ''}{option['choice'] or '|'.join(option['alternatives'])}"


def asked(reply: Order) -> list[tuple[str, int | None, str | None]]:
    """Return the kind, the line and the group of the open questions."""
    return [(question["kind"], question["line"], question["group"]) for question in reply["questions"]]
