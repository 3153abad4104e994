"""A small menu for the tests of the parser's layers."""

from voice.menus.menu import Menu
from voice.orders.parser.draft import ChoiceRef, Modifier

MENU = Menu.model_validate(
    {
        "id": "kiosk",
        "name": "Kiosk",
        "currency": "USD",
        "option_groups": {
            "size": {"name": "Size", "choices": {"s": {"name": "Small"}, "l": {"name": "Large 16 oz"}}},
            "extras": {
                "name": "Extras",
                "select": "many",
                "choices": {"shot": {"name": "Espresso shot"}, "black": {"name": "Black pearls"}, "white": {"name": "White pearls"}},
            },
        },
        "items": {
            "latte": {"name": "Latte", "price": 400, "options": ["size", "extras"]},
            "milk-tea": {"name": "Milk tea", "aliases": ["Trà sữa"], "price": 450, "options": ["size", "extras"]},
            "muffin": {"name": "Blueberry muffin", "price": 300},
        },
    }
)


def modifier(group, *choices, amount=None, quantity=1):
    return Modifier(tuple(ChoiceRef(group, choice) for choice in choices), amount, quantity)
