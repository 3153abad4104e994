"""Check that the replies to random utterances are accepted as requests.

    .venv/bin/python -m bench.any_words [--count 100000] [--menus 24] [--seed 1]

An utterance is a random sequence of phrases of all languages and names of the menu, up to 2,000 characters. A conversation has up to four
turns, each on the lines of the reply before; one in ten starts with 200 lines. Exits with status 1 if an utterance raises an exception, or
a reply is rejected, altered, or asks a question twice.
"""

import argparse
import gc
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from schemas import LineRequest
from tests.any_words import MAX_LINES, any_lines, any_words, faults
from tests.single_turns import understand
from voice.dialog.turn import DialogEngine
from voice.orders.corpus import sentence_menus

TURNS = 4
LONG_ORDERS = 10  # one conversation in LONG_ORDERS starts with MAX_LINES lines


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--menus", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)  # noqa: S311 - a benchmark's rng
    menus = sentence_menus()
    engines = [DialogEngine(menu) for menu in rng.sample(menus, min(arguments.menus, len(menus)))]
    gc.disable()  # the heap of 24 menus is larger than a service's
    count, slowest_s, longest, failures = 0, 0.0, 0, Counter[str]()
    while count < arguments.count:
        engine = rng.choice(engines)
        utterance, lines = any_words(engine.menu, rng)
        if rng.randrange(LONG_ORDERS) == 0:
            lines = any_lines(engine.menu, rng, MAX_LINES)
        for _ in range(min(TURNS, arguments.count - count)):
            count += 1
            began_s = time.perf_counter()
            try:
                order = understand(engine, utterance, lines)
            except Exception as error:  # noqa: BLE001 - any exception is a failure
                failures[f"{type(error).__name__} on {engine.menu.id}: {utterance[:200]}"] += 1
                break
            slowest_s = max(slowest_s, time.perf_counter() - began_s)
            longest = max(longest, len(order["questions"]))
            found = faults(engine, order)
            failures.update(f"{fault[:200]} on {engine.menu.id}: {utterance[:200]}" for fault in found)
            if found:
                break
            lines = [LineRequest.model_validate(line) for line in order["lines"]]
            utterance, _ = any_words(engine.menu, rng)
    print(f"utterances {count} on {len(engines)} menus, slowest {1000 * slowest_s:.0f} ms, at most {longest} questions")
    print(f"failures   {failures.total()}")
    for failure, _ in failures.most_common(5):
        print(failure)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
