"""Time the order engine, and count exact orders of given cases.

    .venv/bin/python -m bench.orders [CASES.jsonl ... --menus DIR]

Prints the share of exact orders of each file of cases (rows {"menu", "text", "draft", "lines"}). Prints times of each file, of synthetic
menus of 50, 500 and 5,000 items, and of a hostile utterance of 500 characters: the median and the 99th percentile of one utterance, and the
median of the first parse of an utterance, before look-ups are cached. Each line ends with the time of a loop of 10,000 additions, as a
measure of the machine.
"""

import argparse
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from schemas import LineRequest
from tests.single_turns import understand
from voice.dialog.turn import DialogEngine
from voice.menus.loading import MenuBook
from voice.menus.menu import Menu

SYLLABLES = tuple("ba bo ca cha da dau den dua ga gao ha heo ka kho la lau ma mam na nem oc pho rau sa suon ta tom va xa xoi".split())  # noqa: SIM905 - thirty strings in a row are harder to read
ROUNDS = 5


def loop_us() -> float:
    """Return the time of 10,000 additions in microseconds, the best of five."""
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        total = 0
        for number in range(10_000):
            total += number
        best = min(best, time.perf_counter() - started)
    return 1e6 * best


def measure(name: str, calls: Sequence[Callable[[], object]]) -> None:
    """Print the times of calls, each the best of `ROUNDS`, to exclude other load on the machine."""
    times, firsts = [], []
    for call in calls:
        started = time.perf_counter()
        call()
        firsts.append(1e3 * (time.perf_counter() - started))
        best = float("inf")
        for _ in range(ROUNDS):
            started = time.perf_counter()
            call()
            best = min(best, time.perf_counter() - started)
        times.append(1e3 * best)
    times.sort()
    figures = (
        f"p50 {statistics.median(times):.3f} ms   p99 {times[int(len(times) * 0.99)]:.3f} ms   first {statistics.median(firsts):.3f} ms"
    )
    print(f"{name:28} {figures}   loop {loop_us():.0f} us")


def comparable(lines: Sequence[Any]) -> Counter[tuple[object, ...]]:
    """Return a multiset that is equal for equal orders; cases may write an open choice as "a|b"."""
    return Counter(
        (
            line["item"],
            line["quantity"],
            frozenset(
                (option["group"], option["choice"] or "|".join(sorted(option["alternatives"])), option["amount"], option["quantity"])
                for option in line["options"]
            ),
        )
        for line in lines
    )


def synthetic(items: int) -> Menu:
    """Return a menu with names of two to four syllables and two option groups of 50 choices."""
    rng = random.Random(items)  # noqa: S311
    names: dict[str, None] = {}
    while len(names) < items:
        names[" ".join(rng.choice(SYLLABLES) + rng.choice("nmtcph ").strip() for _ in range(rng.randint(2, 4)))] = None
    groups = {
        f"g{group}": {
            "name": f"G{group}",
            "select": "many",
            "choices": {f"c{n}": {"name": f"vi {SYLLABLES[n % 30]} {n}", "price": 0} for n in range(50)},
        }
        for group in range(2)
    }
    listed = {f"i{n}": {"name": name, "price": 1000, "options": ["g0", "g1"]} for n, name in enumerate(names)}
    return Menu.model_validate({"id": "synthetic", "name": "S", "currency": "VND", "option_groups": groups, "items": listed})


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("cases", nargs="*", type=Path)
    parser.add_argument("--menus", type=Path)
    arguments = parser.parse_args()
    if arguments.cases:
        book = MenuBook(arguments.menus or arguments.cases[0].parent / "menus", DialogEngine)
        book.refresh()
        for path in arguments.cases:
            calls, n_exact = [], 0
            for row in path.read_text(encoding="utf-8").splitlines():
                case = json.loads(row)
                draft = [LineRequest.model_validate(line) for line in case.get("draft", [])]
                calls.append(partial(understand, book.get(case["menu"]), case["text"], draft))
                n_exact += comparable(calls[-1]()["lines"]) == comparable(case["lines"])
            print(f"{path.stem:28} exact {n_exact}/{len(calls)} ({n_exact / len(calls):.4f})")
            measure(path.stem, calls)
    for items in (50, 500, 5000):
        menu = synthetic(items)
        started = time.perf_counter()
        engine = DialogEngine(menu)
        compiled_s = time.perf_counter() - started
        rng = random.Random(1)  # noqa: S311
        names = [item.name for item in menu.items.values()]
        texts = [
            f"cho tôi hai {rng.choice(names)} không vi {rng.choice(SYLLABLES)} {rng.randrange(50)} và một {rng.choice(names)}"
            for _ in range(200)
        ]
        measure(f"menu of {items} items", [partial(understand, engine, text) for text in texts])
        hostile = (" ".join(rng.choice(SYLLABLES) for _ in range(200)))[:500]
        measure(f"hostile, {items} items", [partial(understand, engine, hostile)] * 3)
        print(f"{f'compile, {items} items':28} {1e3 * compiled_s:.0f} ms")


if __name__ == "__main__":
    main()
