"""Score the dialog engine on whole conversations with the right order after each turn; prints shares, never a conversation.

    .venv/bin/python -m bench.conversations [SET ...]     # sets of corpus/conversations, or files: DIALOGS.jsonl with menus/ beside

turn   each turn starts from the right order before it, with the question that was asked; what the engine kept as `pending` of the same
       question, and its notes, are sent back
end    the conversation is played from the start with the engine's own lines; the questions are those of the script

`right`: the order after the turn is an annotated one; `changing` and `unchanged`: of the turns that change the order, and of the others;
`act`: the dialogue act falls into the annotated class.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from schemas import Conversation
from tests.order_notation import meaning
from voice.dialog.suspending import ASK_BELOW
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.menus.loading import read_menu
from voice.menus.menu import Menu
from voice.orders.corpus import DEVELOPMENT_CONVERSATIONS, conversation_sets, scripts
from voice.orders.parser.model import Model

ACT_CLASSES: Final = {"order": "edit", "answer": "edit", "change": "edit", "remove": "edit", "smalltalk": "other", "none": "other"}


class ScriptTurn(NamedTuple):
    """A turn of a script: what the shop asked, what the customer says, the right orders after it."""

    asked: Mapping[str, Any] | None
    say: str
    right: Sequence[Any]
    act: str


class Script(NamedTuple):
    """A conversation."""

    menu: Menu
    turns: list[ScriptTurn]


def scripts_of(name: str) -> Iterator[Script]:
    """Yield the conversations of a set of the corpus or of a file."""
    path = Path(name)
    if path.suffix != ".jsonl":
        for menu, turns in scripts(name):
            yield Script(menu, [ScriptTurn(*turn) for turn in turns])
        return
    menus = {file.stem: read_menu(file) for file in (path.parent / "menus").glob("*.yaml")}
    for row in path.read_text(encoding="utf-8").splitlines():
        dialog = json.loads(row)
        own = [ScriptTurn(turn["asked"], turn["say"], [turn["lines"], *turn.get("or", ())], turn["act"]) for turn in dialog["turns"]]
        yield Script(menus[dialog["menu"]], own)


def plain(lines: Sequence[Any]) -> list[dict[str, Any]]:
    """Return lines without what a request ignores."""
    return [
        {
            "item": line["item"],
            "quantity": line["quantity"],
            "options": [
                {key: option[key] for key in ("group", "choice", "alternatives", "amount", "quantity") if option.get(key) is not None}
                for option in line["options"]
            ],
        }
        for line in lines
    ]


def changed(before: Sequence[Any], after: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the lines of the order that the turn before changed, as changes."""
    old = meaning(before)
    return [
        {"op": "set", "line": number, "item": line["item"], "quantity": line["quantity"]}
        for number, line in enumerate(after)
        if next(iter(meaning([line]))) not in old
    ]


def asked_of(turn: ScriptTurn, gold: Sequence[Any], own: Sequence[Any], reply: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the question of the script, about the line of the order that is sent, with what the last reply kept as pending."""
    asked = turn.asked
    if asked is None:
        return []
    line = asked["line"]
    if line is not None and own is not gold:
        same = [number for number, one in enumerate(own) if line < len(gold) and meaning([one]) == meaning([gold[line]])]
        same = same or [number for number, one in enumerate(own) if line < len(gold) and one["item"] == gold[line]["item"]]
        line = same[0] if same else None
    kept = [
        question
        for question in reply.get("questions", ())
        if question["kind"] == asked["kind"] and question["group"] == asked["group"] and (line is None or question["line"] == line)
    ]
    pending = {"pending": kept[0]["pending"]} if kept and "pending" in kept[0] else {}
    return [{"kind": asked["kind"], "line": line, "group": asked["group"], "choices": asked["choices"] or [], **pending}]


class Score:
    """The counts of a set."""

    def __init__(self) -> None:
        self.n: Counter[str] = Counter()
        self.right: Counter[str] = Counter()
        self.times_ms: list[float] = []

    def add(self, part: str, *, is_right: bool) -> None:
        """Count a turn or a conversation."""
        self.n[part] += 1
        self.right[part] += is_right

    def row(self) -> str:
        """Return the shares of all parts."""
        self.times_ms.sort()
        shares = "  ".join(f"{part} {self.right[part] / self.n[part]:.3f}" for part in self.n)
        median, p99 = self.times_ms[len(self.times_ms) // 2], self.times_ms[int(0.99 * len(self.times_ms))]
        return f"{shares}  ({self.n['right']} turns; median {median:.2f} ms, p99 {p99:.1f} ms)"


class Player:
    """Plays scripts with the engines of their menus."""

    def __init__(self, ask_below: float) -> None:
        self._ask_below, self._model = ask_below, Model.load()
        self._engines: dict[str, DialogEngine] = {}

    def turn(self, menu: Menu, score: Score, say: str, lines: Sequence[Any], **state: Any) -> Any:
        """Return the reply to a turn."""
        engine = self._engines.get(menu.id)
        if engine is None:
            engine = self._engines[menu.id] = DialogEngine(menu, self._ask_below, self._model)
        request = Conversation.model_validate({"lines": plain(lines), **state})
        began_s = time.perf_counter()
        reply = engine.take_turn(say, state_of(menu, request))
        score.times_ms.append(1000 * (time.perf_counter() - began_s))
        return reply

    def play(self, script: Script, score: Score, *, show: bool = False) -> None:
        """Score a conversation, turn by turn and from the start."""
        gold: Any = []
        before: Any = []
        own: Any = []
        last_turn: Any = {}
        last_play: Any = {}
        is_right = True
        for turn in script.turns:
            right = [meaning(lines) for lines in turn.right]
            notes = last_turn.get("notes", [])
            if last_turn and meaning(last_turn["lines"]) != meaning(gold):
                notes = [{**note, "line": None} for note in notes]
            asked = asked_of(turn, gold, gold, last_turn)
            reply = last_turn = self.turn(script.menu, score, turn.say, gold, questions=asked, changes=changed(before, gold), notes=notes)
            is_exact = meaning(reply["lines"]) in right
            score.add("right", is_right=is_exact)
            score.add("changing" if meaning(turn.right[0]) != meaning(gold) else "unchanged", is_right=is_exact)
            score.add("act", is_right=ACT_CLASSES.get(reply["act"], reply["act"]) == ACT_CLASSES.get(turn.act, turn.act))
            if show and not (is_exact and ACT_CLASSES.get(reply["act"], reply["act"]) == ACT_CLASSES.get(turn.act, turn.act)):
                shown(turn, gold, reply)
            asked = asked_of(turn, gold, own, last_play)
            changes, notes = last_play.get("changes", []), last_play.get("notes", [])
            last_play = self.turn(script.menu, score, turn.say, own, questions=asked, changes=changes, notes=notes)
            own = last_play["lines"]
            is_right = meaning(own) in right
            before, gold = gold, turn.right[0]
        score.add("end", is_right=is_right)


def shown(turn: ScriptTurn, before: Sequence[Any], reply: Mapping[str, Any]) -> None:
    """Print a miss of a development set."""
    print(f"\n  {turn.say}\n    asked: {turn.asked}  act: {reply['act']} ({turn.act})")
    for name, lines in (("before", before), ("got", reply["lines"]), ("right", turn.right[0])):
        print(f"    {name:6}", "; ".join(brief(line) for line in lines))
    print("    ", reply["questions"][:2], reply["unmatched"])


def brief(line: Any) -> str:
    """Return a line in short."""
    options = [
        " ".join(
            str(part) for part in (option.get("amount"), option.get("choice") or option.get("alternatives"), option.get("quantity")) if part
        )
        for option in line["options"]
    ]
    return f"{line['quantity']} {line['item']} {options or ''}"


def main() -> None:
    """Run the command line."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("sets", nargs="*", default=conversation_sets())
    command.add_argument("--ask-below", type=float, default=ASK_BELOW)
    command.add_argument("--misses", action="store_true", help="print the misses of development sets")
    arguments = command.parse_args()
    player = Player(arguments.ask_below)
    for name in arguments.sets:
        score = Score()
        is_known = name in DEVELOPMENT_CONVERSATIONS or name.endswith(".jsonl")
        for script in scripts_of(name):
            player.play(script, score, show=arguments.misses and is_known)
        print(f"{name:8} {score.row()}", flush=True)


if __name__ == "__main__":
    main()
