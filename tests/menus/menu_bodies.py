"""Menus for the tests of menus over HTTP, in JSON."""

from typing import Any

import orjson


def menu_body(menu_id: str = "stall", price: int = 30000, **changes: Any) -> bytes:
    """Return a small menu with a group, a sold-out choice and an item."""
    menu = {
        "id": menu_id,
        "name": {"vi": "Quán Nhỏ", "en": "The Stall"},
        "currency": "VND",
        "option_groups": {
            "size": {"name": "Cỡ", "default": "s", "choices": {"s": {"name": "Nhỏ"}, "l": {"name": "Lớn", "price": 8000}}},
            "dip": {
                "name": "Chấm",
                "select": "many",
                "choices": {"soy": {"name": "Nước tương", "available": False}, "egg": {"name": "Trứng"}},
            },
        },
        "items": {
            "pho": {"name": {"vi": "Phở bò", "en": "beef noodle soup"}, "price": price, "options": ["size", "dip"]},
            "tra": {"name": {"vi": "Trà đá", "en": "iced tea"}, "price": 5000},
        },
    }
    return orjson.dumps(menu | changes)
