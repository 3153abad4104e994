"""Measure the parser without the dialog: the share of turns with the right order, by set of conversations.

    .venv/bin/python -m bench.parser [SET ...]      # sets of corpus/conversations, by default all

`oracle`: the right order is among the parser's 20 best parses.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))


from voice.orders.corpus import DEVELOPMENT_CONVERSATIONS, conversation_sets, conversations
from voice.orders.parser.acts import ActModel
from voice.orders.parser.draft import denotation
from voice.orders.parser.model import Model
from voice.orders.parser.parser import Parser
from voice.orders.parser.ranker import Ranker


def measure(name: str, model: Model, act_model: ActModel, ranker: Ranker) -> None:
    """Print the shares of a set, for all turns, turns that change the order and turns that do not; then the parser's time."""
    count: Counter[tuple[str, str]] = Counter()
    times_ms: list[float] = []
    parsers: dict[str, Parser] = {}
    for example in conversations(name):
        if example.menu.id not in parsers:
            parsers[example.menu.id] = Parser(example.menu, model, act_model, ranker)
        parser = parsers[example.menu.id]
        right = {denotation(parser.index.draft(lines)) for lines in example.right}
        began_s = time.perf_counter()
        parses = parser.parse(example.utterance, example.lines, question=example.question)
        times_ms.append(1000 * (time.perf_counter() - began_s))
        meanings = [denotation(parse.draft) for parse in parses]
        changes = denotation(parser.index.draft(example.lines)) not in right
        for part in ("all", "changing" if changes else "unchanged"):
            count[part, "turns"] += 1
            count[part, "parser"] += meanings[0] in right
            count[part, "oracle"] += not right.isdisjoint(meanings)
    use = "development" if name in DEVELOPMENT_CONVERSATIONS else "first contact"
    for part in ("all", "changing", "unchanged"):
        n_turns = count[part, "turns"]
        shares = "  ".join(f"{kind} {count[part, kind] / n_turns:.3f}" for kind in ("parser", "oracle"))
        print(f"{name} ({use})  {part:9}  {n_turns:4} turns  {shares}")
    times_ms.sort()
    print(f"{name} parser: median {times_ms[len(times_ms) // 2]:.2f} ms, p99 {times_ms[int(0.99 * len(times_ms))]:.1f} ms")


def main() -> None:
    """Run the command line."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("sets", nargs="*", default=conversation_sets())
    model, act_model, ranker = Model.load(), ActModel.load(), Ranker.load()
    for name in command.parse_args().sets:
        measure(name, model, act_model, ranker)


if __name__ == "__main__":
    main()
