"""The menu of the tests of the lexicon and the lattice."""

from voice.menus.menu import Menu

MENU = Menu.model_validate(
    {
        "id": "diner",
        "name": "Diner",
        "currency": "VND",
        "languages": ["vi", "en"],
        "option_groups": {
            "size": {"name": "Size", "choices": {"l": {"name": "Large", "aliases": ["lớn"]}, "s": {"name": "Small"}}},
            "ice": {"name": "Ice", "choices": {"none": {"name": "No ice", "aliases": ["không đá"]}, "less": {"name": "Ít đá"}}},
            "sauce": {
                "name": "Dipping sauce",
                "select": "many",
                "choices": {"mustard": {"name": "Honey mustard"}, "bbq": {"name": "BBQ"}},
            },
            "pieces": {"name": "Pieces", "choices": {"six": {"name": "6 pieces"}, "twelve": {"name": "12 pieces"}}},
        },
        "items": {
            "ca-phe-sua": {"name": "Cà phê sữa", "price": 1, "options": ["size", "ice"]},
            "latte": {"name": "Latte", "price": 1, "options": ["size", "ice"]},
            "ham": {"name": "Ham sandwich", "price": 1, "options": ["sauce"]},
            "turkey": {"name": "Turkey sandwich", "price": 1, "options": ["sauce"]},
            "wings": {"name": "Wings", "price": 1, "options": ["pieces", "sauce"]},
            "combo-1": {"name": "Combo 1", "price": 1},
            "combo-2": {"name": "Combo 2", "price": 1},
        },
    }
)
