"""Time turns of conversations: the median and the 99th percentile of a turn, by set.

    .venv/bin/python -m bench.turns [SET ...]     # sets of corpus/conversations, or files: CASES.jsonl or DIALOGS.jsonl, menus/ beside

A turn is a call of `DialogEngine.take_turn`, with the right order before it and the question that was asked. Its time is CPU time, the best
of `ROUNDS`, with the garbage collector set as in the service; `first`: the first time, before look-ups are cached. Afterwards: utterances
of 2,000 characters, each of one kind, and a menu of 5,000 items. Compare two versions in runs at the same time: the machine's load counts.
"""

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.conversations import changed, plain, scripts_of
from bench.orders import synthetic
from schemas import Conversation
from voice.dialog.state import State
from voice.dialog.turn import EMPTY, DialogEngine
from voice.dialog.wire import state_of
from voice.menus.loading import read_menu
from voice.menus.menu import Menu
from voice.orders.corpus import DEVELOPMENT_CONVERSATIONS
from voice.orders.parser.model import Model

ROUNDS: Final = 3
GC_THRESHOLD: Final = 20_000  # as in app.py
N_CHARACTERS: Final = 2000
MODEL: Final = Model.load()


class Case(NamedTuple):
    """A turn to be timed."""

    engine: DialogEngine
    utterance: str
    state: State


class Engines:
    """The engines of menus, each compiled once."""

    def __init__(self) -> None:
        self._engines: dict[str, DialogEngine] = {}

    def of(self, menu: Menu) -> DialogEngine:
        """Return the engine of a menu."""
        key = menu.model_dump_json()
        if key not in self._engines:
            self._engines[key] = DialogEngine(menu, model=MODEL)
        return self._engines[key]


def cases_of(name: str, engines: Engines) -> Iterator[Case]:
    """Yield the turns of a set of conversations, or of a file."""
    path = Path(name)
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()] if path.suffix == ".jsonl" else []
    if rows and "text" in rows[0]:
        menus = {file.stem: read_menu(file) for file in (path.parent / "menus").glob("*.yaml")}
        for row in rows:
            engine = engines.of(menus[row["menu"]])
            yield Case(engine, row["text"], state_of(engine.menu, Conversation.model_validate({"lines": row.get("draft", [])})))
        return
    for script in scripts_of(name):
        engine = engines.of(script.menu)
        before: list[Any] = []
        order: list[Any] = []
        for turn in script.turns:
            asked = [{**turn.asked, "choices": turn.asked["choices"] or []}] if turn.asked is not None else []
            request = {"lines": plain(order), "questions": asked, "changes": changed(before, order)}
            yield Case(engine, turn.say, state_of(engine.menu, Conversation.model_validate(request)))
            before, order = order, turn.right[0]


def time_ms(case: Case) -> float:
    """Return the CPU time of a turn."""
    began_s = time.thread_time()
    case.engine.take_turn(case.utterance, case.state)
    return 1000 * (time.thread_time() - began_s)


def measure(name: str, cases: Sequence[Case]) -> None:
    """Print the times of some turns."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    first = [time_ms(case) for case in cases]
    times = sorted(min(time_ms(case) for _ in range(ROUNDS)) for case in cases)
    median, p99 = statistics.median(times), times[int(0.99 * len(times))]
    print(
        f"{name:34} {len(cases):5} turns  median {median:6.2f} ms  p99 {p99:6.2f} ms  first {statistics.median(first):6.2f} ms", flush=True
    )


def long_utterances(cases: Sequence[Case]) -> Iterator[tuple[str, Case]]:
    """Yield utterances of `N_CHARACTERS` about the menu of some turns, each repeating something of one kind."""
    rng = random.Random(1)  # noqa: S311
    engine = cases[0].engine
    menu: Menu = engine.menu
    said = [case.utterance for case in cases if case.engine is engine]
    items = [item.name for item in menu.items.values()]
    choices = [choice.name for group in menu.option_groups.values() for choice in group.choices.values()] or items
    kinds: dict[str, Callable[[], str]] = {
        "utterances": lambda: f"{rng.choice(said)}. ",
        "items": lambda: f"and two {rng.choice(items)} ",
        "choices": lambda: f"{rng.choice(choices)} ",
        "removals": lambda: f"remove the {rng.choice(items)} not ",
        "random letters": lambda: f"{''.join(rng.choices('abcdefghinotuy', k=rng.randint(1, 8)))} ",
        "numbers": lambda: f"{rng.randint(1, 99)} ",
        "one letter": lambda: "a ",
    }
    for kind, part in kinds.items():
        text = ""
        while len(text) < N_CHARACTERS:
            text += part()
        yield kind, Case(engine, text[:N_CHARACTERS], EMPTY)


def main() -> None:
    """Run the command line."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("sets", nargs="*", default=DEVELOPMENT_CONVERSATIONS)
    engines = Engines()
    sets: dict[str, list[Any]] = {name: list(cases_of(name, engines)) for name in command.parse_args().sets}
    for name, cases in sets.items():
        measure(Path(name).stem, cases)
    for kind, case in long_utterances(next(iter(sets.values()))):
        measure(f"{N_CHARACTERS} characters, {kind}", [case])
    menu = synthetic(5000)
    rng, names = random.Random(1), [item.name for item in menu.items.values()]  # noqa: S311
    engine = engines.of(menu)
    measure("5,000 items", [Case(engine, f"cho tôi hai {rng.choice(names)} và một {rng.choice(names)}", EMPTY) for _ in range(100)])


if __name__ == "__main__":
    main()
