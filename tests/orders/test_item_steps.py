"""The order of the choices of a question about an item."""

import json
import os
import subprocess
import sys

from settings import ROOT

PROGRAM = """
import json
from schemas import LineRequest
from voice.menus.menu import Menu
from voice.orders.engine import OrderEngine

ways = ["grilled", "fried", "steamed", "smoked", "roast"]
items = {"chicken": {"name": "Chicken", "price": 1}}
items |= {f"{way}-chicken-rice": {"name": f"{way.title()} Chicken Rice", "price": 2} for way in ways}
menu = Menu.model_validate({"id": "rice", "name": "Rice", "currency": "USD", "languages": ["en"], "items": items})
lines = [LineRequest(item=item, quantity=2) for item in items if item != "chicken"]
order = OrderEngine(menu).understand("one more chicken", lines)
print(json.dumps([question["choices"] for question in order["questions"]]))
"""


def choices(hash_seed: int) -> list[list[str]]:
    """Run the program in a process with a hash seed."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_the_order_of_choices_does_not_depend_on_the_hash_seed():
    on_order = ["grilled-chicken-rice", "fried-chicken-rice", "steamed-chicken-rice", "smoked-chicken-rice", "roast-chicken-rice"]
    assert choices(0) == choices(1) == [on_order]
