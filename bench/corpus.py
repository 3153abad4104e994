"""Print the share of utterances of the corpus that give the right order: one line a set.

    .venv/bin/python -m bench.corpus [SET ...] [--misses] [--ask-below 0]

Each utterance starts from the right order before it. It is exact if the order after it is one of the annotated ones. Misses are counted by
kind, for development sets only: a first-contact set becomes a development set when its misses are known (--misses prints them
nevertheless). A miss is counted under the first kind that applies: `unchanged` (the order should have changed), `unwanted` (the order
should not have changed), `items`, `quantities`, `options` (the difference). An edit below the confidence `--ask-below` raises a question
instead and counts as a miss.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence

from schemas import Conversation, LineRequest
from voice.dialog.suspending import ASK_BELOW
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.orders.corpus import DEVELOPMENT_CONVERSATIONS, Example, conversation_sets, conversations, sentence_sets, sentences
from voice.orders.parser.draft import MenuIndex, denotation

DEVELOPMENT_USE, FIRST_CONTACT_USE = "development", "first contact"  # as in corpus/README.md


def set_names() -> list[str]:
    """Return the names of all sets, as in corpus/README.md."""
    return [f"sentences/{name}" for name in sentence_sets()] + [f"conversations/{name}" for name in conversation_sets()]


def examples(name: str) -> Iterable[Example]:
    """Return the utterances of a set, menu by menu."""
    kind, _, set_name = name.partition("/")
    return sentences(set_name) if kind == "sentences" else conversations(set_name)


def miss(example: Example, lines: Sequence[LineRequest]) -> str | None:
    """Return the kind of the miss, or None if the order is right."""
    index = MenuIndex(example.menu)
    before, order = (denotation(index.draft(some)) for some in (example.lines, lines))
    right = [denotation(index.draft(some)) for some in example.right]
    if order in right:
        return None
    if order == before:
        return "unchanged"
    if before in right:
        return "unwanted"
    quantities, right_quantities = item_quantities(lines), item_quantities(example.right[0])
    if quantities.keys() != right_quantities.keys():
        return "items"
    return "options" if quantities == right_quantities else "quantities"


def item_quantities(lines: Iterable[LineRequest]) -> Counter[str]:
    """Sum the quantities of each item."""
    quantities = Counter[str]()
    for line in lines:
        quantities[line.item] += line.quantity
    return quantities


def measure(name: str, ask_below: float) -> Counter[str | None]:
    """Count the misses of a set by kind; None counts the exact orders."""
    kinds = Counter[str | None]()
    engine = None
    for example in examples(name):
        if engine is None or engine.menu is not example.menu:
            engine = DialogEngine(example.menu, ask_below)
        order = engine.take_turn(example.utterance, state_of(example.menu, Conversation(lines=list(example.lines))))
        kinds[miss(example, [LineRequest.model_validate(line) for line in order["lines"]])] += 1
    return kinds


def line(name: str, use: str, kinds: Counter[str | None], *, misses: bool = False) -> str:
    """Return the figures of a set as a line; `misses`: with the misses of a first-contact set, too."""
    n_exact, n = kinds[None], kinds.total()
    figures = f"{name:20} {use:13} {n:5}  exact {n_exact / n:.3f}"
    if use != DEVELOPMENT_USE and not misses:
        return figures
    by_kind = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common() if kind is not None)
    return f"{figures}  misses: {by_kind or 'none'}"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=set_names(), metavar="SET", help="as in corpus/README.md; default: all")
    parser.add_argument("--misses", action="store_true", help="print the misses of first-contact sets, too, which spoils these sets")
    parser.add_argument("--ask-below", type=float, default=ASK_BELOW)
    arguments = parser.parse_args()
    if unknown := set(arguments.sets) - set(set_names()):
        parser.error(f"no such set: {', '.join(sorted(unknown))}")
    totals: dict[tuple[str, str], Counter[str | None]] = {}
    for name in arguments.sets:
        kind, _, set_name = name.partition("/")
        use = DEVELOPMENT_USE if kind == "sentences" or set_name in DEVELOPMENT_CONVERSATIONS else FIRST_CONTACT_USE
        kinds = measure(name, arguments.ask_below)
        totals[kind, use] = totals.get((kind, use), Counter()) + kinds
        print(line(name, use, kinds, misses=arguments.misses), flush=True)
    for (kind, use), kinds in totals.items():
        print(line(kind, use, kinds, misses=arguments.misses))


if __name__ == "__main__":
    main()
