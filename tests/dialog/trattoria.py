"""A menu with names in two languages, diets, times and nested choices, for tests of what the shop says."""

from typing import Any

from voice.dialog.state import Act, Change, Question, State, Status, Turn
from voice.menus.menu import Menu
from voice.orders.parser.draft import DraftLine, DraftOption
from voice.orders.pricing import Pricing

MENU = Menu.model_validate(
    {
        "id": "trattoria",
        "name": "Trattoria",
        "currency": "USD",
        "languages": ["en", "vi"],
        "times": {
            "breakfast": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "06:00", "to": "10:30"}],
            "weekend": [{"days": ["sat", "sun"], "from": "07:05", "to": "12:00"}],
            "evening": [{"from": "18:00", "to": "24:00"}],
        },
        "option_groups": {
            "size": {
                "name": {"en": "Size", "vi": "Cỡ"},
                "default": "m",
                "diet": False,
                "choices": {
                    "s": {"name": {"en": "Small", "vi": "Nhỏ"}, "price": -50},
                    "m": {"name": {"en": "Medium", "vi": "Vừa"}},
                    "l": {"name": {"en": "Large", "vi": "Lớn"}, "price": 75},
                },
            },
            "milk": {
                "name": {"en": "Milk", "vi": "Loại sữa"},
                "default": "dairy",
                "choices": {
                    "dairy": {"name": {"en": "Dairy milk", "vi": "Sữa bò"}, "contains": ["milk"]},
                    "oat": {"name": {"en": "Oat milk", "vi": "Sữa yến mạch"}, "price": 60, "diet": ["vegan", "dairy-free"]},
                },
            },
            "side": {
                "name": {"en": "Side", "vi": "Món kèm"},
                "required": True,
                "ask": {"en": "Which side?", "vi": "Mình chọn món kèm nào?"},
                "choices": {
                    "fries": {"name": {"en": "Fries", "vi": "Khoai tây"}},
                    "slaw": {"name": {"en": "Slaw", "vi": "Bắp cải trộn"}},
                    "soup": {"name": {"en": "Soup of the day", "vi": "Xúp"}, "price": 100},
                    "salad": {"name": {"en": "Green salad", "vi": "Rau trộn"}, "price": 150},
                    "rice": {"name": {"en": "Rice", "vi": "Cơm"}},
                    "beans": {"name": {"en": "Beans", "vi": "Đậu"}},
                    "corn": {"name": {"en": "Corn on the cob", "vi": "Bắp luộc"}},
                    "peas": {"name": {"en": "Peas", "vi": "Đậu xanh"}},
                },
            },
            "extras": {
                "name": {"en": "Extras", "vi": "Thêm"},
                "select": "many",
                "choices": {
                    "black": {"name": {"en": "Black pearls", "vi": "Trân châu đen"}, "price": 50},
                    "white": {"name": {"en": "White pearls", "vi": "Trân châu trắng"}, "price": 50},
                    "onion": {"name": {"en": "Onion", "vi": "Hành"}},
                    "cheese": {"name": {"en": "Cheese", "vi": "Phô mai"}, "price": 100},
                    "shot": {"name": {"en": "Espresso shot", "vi": "Phần cà phê"}, "price": 80},
                },
            },
        },
        "items": {
            "latte": {
                "name": {"en": "Latte", "vi": "Cà phê sữa"},
                "category": {"en": "Coffee", "vi": "Cà phê"},
                "description": {"en": "Two shots of espresso with 6 oz of milk. Served hot.", "vi": "Cà phê với sữa nóng."},
                "price": 375,
                "options": ["size", "milk", "extras"],
                "diet": ["vegan", "vegetarian", "dairy-free"],
            },
            "mocha": {
                "name": {"en": "Mocha", "vi": "Cà phê sô cô la"},
                "category": {"en": "Coffee", "vi": "Cà phê"},
                "price": 450,
                "options": ["size", "milk", "extras"],
                "contains": ["milk", "soy"],
            },
            "juice": {
                "name": {"en": "Orange juice", "vi": "Nước cam"},
                "category": {"en": "Juices", "vi": "Nước ép"},
                "price": 300,
                "options": ["size"],
                "diet": ["vegan", "peanut-free"],
            },
            "melon": {
                "name": {"en": "Watermelon juice", "vi": "Nước dưa hấu"},
                "category": {"en": "Juices", "vi": "Nước ép"},
                "price": 350,
                "options": ["size"],
                "available": False,
            },
            "platter": {
                "name": {"en": "Chicken & rice platter", "vi": "Cơm gà 2 miếng"},
                "category": {"en": "Plates", "vi": "Món chính"},
                "price": 1295,
                "options": ["side", "extras"],
            },
            "egg": {
                "name": {"en": "Fried egg sandwich", "vi": "Bánh mì trứng"},
                "category": {"en": "Plates", "vi": "Món chính"},
                "price": 505,
                "when": ["breakfast", "weekend"],
                "contains": ["egg", "gluten"],
            },
            "stew": {"name": {"en": "Stew", "vi": "Món hầm"}, "price": 900, "when": ["evening"]},
            "toast": {"name": "Toast 50/50", "price": 200},
        },
    }
)
PRICING = Pricing(MENU)
LANGUAGES = ("en", "vi")


def option(group: str, *choices: str, amount: Any = None, quantity: int = 1) -> DraftOption:
    return DraftOption(group, choices, amount, quantity)


def line(item: str, quantity: int = 1, *options: DraftOption) -> DraftLine:
    return DraftLine((item,), quantity, options)


def added(*lines: DraftLine, questions: tuple[Question, ...] = (), act: Act = Act.ORDER, status: Status = Status.ASKING) -> Turn:
    """Return a turn that adds lines to an empty order."""
    changes = tuple([Change("add", number, each.items[0], each.quantity) for number, each in enumerate(lines)])
    return Turn(State(), State(lines, questions, changes), act, status)
