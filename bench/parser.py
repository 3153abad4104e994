"""Compare the shift-reduce parser with the order engine in use: the share of turns with the right order, by set of conversations.

    .venv/bin/python -m bench.parser [SET ...]      # sets of corpus/conversations, by default all

`oracle`: the right order is among the parser's 20 best parses.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from schemas import LineRequest
from voice.orders.corpus import DEVELOPMENT_CONVERSATIONS, conversation_sets, conversations
from voice.orders.engine import OrderEngine
from voice.orders.parser.acts import ActModel
from voice.orders.parser.draft import denotation
from voice.orders.parser.model import Model
from voice.orders.parser.parser import Parser


def compare(name: str, model: Model, act_model: ActModel) -> None:
    """Print the shares of a set, for all turns, turns that change the order and turns that do not; then the parser's time."""
    count: Counter[tuple[str, str]] = Counter()
    times_ms: list[float] = []
    engines: dict[str, tuple[OrderEngine, Parser]] = {}
    for example in conversations(name):
        if example.menu.id not in engines:
            engines[example.menu.id] = OrderEngine(example.menu), Parser(example.menu, model, act_model)
        engine, parser = engines[example.menu.id]
        right = {denotation(parser.index.draft(lines)) for lines in example.right}
        served: Any = [LineRequest.model_validate(line) for line in engine.understand(example.utterance, example.lines)["lines"]]
        began_s = time.perf_counter()
        parses = parser.parse(example.utterance, example.lines, question=example.question)
        times_ms.append(1000 * (time.perf_counter() - began_s))
        meanings = [denotation(parse.draft) for parse in parses]
        changes = denotation(parser.index.draft(example.lines)) not in right
        for part in ("all", "changing" if changes else "unchanged"):
            count[part, "turns"] += 1
            count[part, "engine"] += denotation(parser.index.draft(served)) in right
            count[part, "parser"] += meanings[0] in right
            count[part, "oracle"] += not right.isdisjoint(meanings)
    use = "development" if name in DEVELOPMENT_CONVERSATIONS else "first contact"
    for part in ("all", "changing", "unchanged"):
        n_turns = count[part, "turns"]
        shares = "  ".join(f"{kind} {count[part, kind] / n_turns:.3f}" for kind in ("engine", "parser", "oracle"))
        print(f"{name} ({use})  {part:9}  {n_turns:4} turns  {shares}")
    times_ms.sort()
    print(f"{name} parser: median {times_ms[len(times_ms) // 2]:.2f} ms, p99 {times_ms[int(0.99 * len(times_ms))]:.1f} ms")


def main() -> None:
    """Run the command line."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("sets", nargs="*", default=conversation_sets())
    model, act_model = Model.load(), ActModel.load()
    for name in command.parse_args().sets:
        compare(name, model, act_model)


if __name__ == "__main__":
    main()
