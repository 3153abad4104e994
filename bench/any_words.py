"""Print how many utterances of any words at all were answered: one figure a line.

    .venv/bin/python bench/any_words.py [--seconds 60] [--seed 1]

Phrases of all languages and names of the menu, in any order, up to 2,000 characters, with and without an order so far, on every menu of
the tests. Ends with status 1 when one of them was not answered, or with another total than its lines have.
"""

import argparse
import gc
import random
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.any_words import any_words  # noqa: E402 - the path is set above
from voice.menus import read_menu  # noqa: E402
from voice.orders import OrderEngine  # noqa: E402

A_MENU = 100  # utterances, until the next menu


def main() -> None:
    """Ask until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    dice, ends_s = random.Random(arguments.seed), time.monotonic() + arguments.seconds  # noqa: S311 - a benchmark's dice
    engines = [OrderEngine(read_menu(path)) for path in sorted((ROOT / "tests").glob("**/menus/*.yaml"))]
    gc.disable()  # the rows of sixty menus are a heap that no service has
    count, slowest_s, failures = 0, 0.0, Counter[str]()
    while time.monotonic() < ends_s:
        engine = dice.choice(engines)
        for _ in range(A_MENU):
            utterance, lines = any_words(engine.menu, dice)
            began_s = time.perf_counter()
            try:
                order = engine.understand(utterance, lines)
                if order["total"] != sum(line["total"] for line in order["lines"]):
                    failures[f"total on {engine.menu.id}: {utterance}"] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                failures[f"{type(error).__name__} on {engine.menu.id}: {utterance}, so far {[line.item for line in lines]}"] += 1
            slowest_s = max(slowest_s, time.perf_counter() - began_s)
            count += 1
    sys.stdout.write(f"utterances {count}, slowest {1000 * slowest_s:.0f} ms\nfailures   {failures.total()}\n")
    sys.stdout.writelines(f"{failure}\n" for failure, _ in failures.most_common(5))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
