"""Let a simulated customer hold conversations with the dialog engine over random menus; prints one figure a line.

    .venv/bin/python -m bench.simulated_customer [--count 10000] [--seed 1] [--show 0]

The customer intends an order of one to four lines, says it in pieces, answers what is asked, declines offers, corrects in a third of the
conversations something that was said, compares the read-back with the intended order, and corrects what differs. The words of the menus and
the sentences are those of `bench/simulation/*.yaml` alone.

right          the order that is confirmed is the intended one
right at once  and the first read-back was
turns right    of the utterances of each kind: the order after the turn is what the customer said so far, nothing is asked about an item
too long       more turns than 2 x slots + 3; slots are the lines and options of the order, and a corrected one again
asked again    a question about the same line and group as before, although the answer named one of its choices
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.simulation.customer import Customer, Utterance
from bench.simulation.menus import Shop, random_shop
from bench.simulation.orders import Meaning
from errors import ApiError
from schemas import Conversation
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.orders.parser.model import Model

CONVERSATIONS_OF_A_MENU: Final = 25
P_SUGGEST: Final = 0.2  # of a conversation to have offers


@dataclass(slots=True)
class Played:
    """A conversation that is over."""

    language: str
    turns: list[tuple[Utterance, Any, bool]] = field(default_factory=list)  # with the reply, and whether it is right
    wanted: str = ""
    is_right: bool = False
    is_right_at_once: bool = False
    is_refused: bool = False
    is_handoff: bool = False
    n_slots: int = 0
    n_asked_again: int = 0
    times_ms: list[float] = field(default_factory=list)

    @property
    def max_turns(self) -> int:
        """The turns that the conversation may have."""
        return 2 * self.n_slots + 3


def play(shop: Shop, engine: DialogEngine, rng: random.Random) -> Played:
    """Hold a conversation until the order is confirmed or handed off, or it has twice the turns that it may have."""
    customer = Customer(shop, rng)
    intention = customer.intention
    played = Played(customer.speech.language)
    has_offers = rng.random() < P_SUGGEST
    reply: Any = None
    is_read_back = False
    while reply is None or not (reply["status"] in {"confirmed", "handoff", "cancelled"} or len(played.turns) >= 2 * played.max_turns):
        played.n_slots = max(played.n_slots, intention.n_slots)
        said = customer.next(reply)
        last, reply = reply, _reply(engine, said.text, reply, played, has_offers=has_offers)
        if reply is None:
            break
        got = intention.got(reply["lines"])
        played.turns.append((said, reply, got == intention.told() and not _doubts(reply, customer)))
        played.n_asked_again += said.names_choice and last is not None and _asks_again(last, reply)
        if reply["status"] == "confirming" and not is_read_back and not intention.steps:
            is_read_back, played.is_right_at_once = True, got == intention.wanted()
        played.is_right = reply["status"] == "confirmed" and got == intention.wanted()
        played.is_handoff = reply["status"] == "handoff"
    played.wanted = _brief_order(intention.wanted())
    return played


def _doubts(reply: Any, customer: Customer) -> bool:
    """Return whether the shop asks about an item that was named, and that it can serve."""
    wishes = [wish for wish in customer.intention.wishes if wish.is_said]
    is_vague = any(wish.is_vague for wish in wishes)
    is_unavailable = any(not customer.menu.items[wish.item].available for wish in wishes)
    expected = {"ambiguous": is_vague, "unavailable": is_unavailable, "check": False}
    return any(not expected.get(question["kind"], True) for question in reply["questions"])


def _reply(engine: DialogEngine, text: str, last: Any, played: Played, *, has_offers: bool) -> Any:
    """Return the reply to an utterance after the reply before; None if that is refused as a request."""
    sent = {name: last[name] for name in ("lines", "questions", "changes", "notes")} if last is not None else {}
    try:
        state = state_of(engine.menu, Conversation.model_validate(sent))
    except (ValueError, ApiError):
        played.is_refused = True
        return None
    items = [item for item, one in engine.menu.items.items() if one.available]

    def suggest(basket: Sequence[tuple[str, int]], excluded: Sequence[str]) -> str | None:
        taken = {*excluded, *[item for item, _ in basket]}
        return next((item for item in items if item not in taken), None)

    began_s = time.perf_counter()
    reply = engine.take_turn(text, state, suggest=suggest if has_offers else None)
    played.times_ms.append(1000 * (time.perf_counter() - began_s))
    return reply


def _asks_again(last: Any, reply: Any) -> bool:
    """Return whether the first question is the one before, about the same line."""
    if not reply["questions"]:
        return False
    before, now = last["questions"][0], reply["questions"][0]
    if (before["kind"], before["group"]) != (now["kind"], now["group"]):
        return False
    if before["line"] is None or now["line"] is None:
        return before["line"] is now["line"] and before["choices"] == now["choices"] and before.get("pending") == now.get("pending")
    return bool(before["line"] == now["line"] and last["lines"][before["line"]]["item"] == reply["lines"][now["line"]]["item"])


def conversations(count: int, seed: int, model: Model) -> Iterator[Played]:
    """Yield conversations over random menus; the same for the same seed."""
    for number in range(count):
        rng = random.Random(f"{seed} {number}")  # noqa: S311 - no cryptography
        if number % CONVERSATIONS_OF_A_MENU == 0:
            shop = random_shop(rng)
            engine = DialogEngine(shop.menu, model=model)
        yield play(shop, engine, rng)


@dataclass(slots=True)
class Figures:
    """The counts of many conversations."""

    n: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    first_wrong: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    kinds_right: Counter[str] = field(default_factory=Counter)
    excess_turns: int = -1000  # of the conversation that has most turns more than it may have
    longest: int = 0
    times_ms: list[float] = field(default_factory=list)

    def add(self, played: Played) -> None:
        """Count a conversation."""
        for name in ("all", played.language):
            self.n[name] += 1
            self.right[name] += played.is_right
        self.n["right at once"] += played.is_right_at_once
        self.n["refused"] += played.is_refused
        self.n["handoff"] += played.is_handoff
        self.n["asked again"] += played.n_asked_again
        self.n["too long"] += len(played.turns) > played.max_turns
        self.n["turns"] += len(played.turns)
        self.longest = max(self.longest, len(played.turns))
        self.excess_turns = max(self.excess_turns, len(played.turns) - played.max_turns)
        self.times_ms += played.times_ms
        wrong = False
        for said, _, is_right in played.turns:
            if not wrong:
                self.kinds[said.kind] += 1
                self.kinds_right[said.kind] += is_right
            wrong = not is_right
        if not played.is_right:
            self.first_wrong[next((said.kind for said, _, is_right in played.turns if not is_right), "none")] += 1

    def share(self, name: str = "all") -> float:
        """Return the share of conversations whose order is right."""
        return self.right[name] / max(1, self.n[name])

    def rows(self) -> Iterator[str]:
        """Yield one figure a row."""
        n = self.n["all"]
        times = sorted(self.times_ms)
        yield f"conversations   {n}"
        yield f"right           {self.share():.4f}  (en {self.share('en'):.4f}, vi {self.share('vi'):.4f})"
        yield f"right at once   {self.n['right at once'] / n:.4f}"
        yield f"turns           {self.n['turns'] / n:.1f} a conversation, at most {self.longest}"
        yield f"too long        {self.n['too long']}, at most {self.excess_turns} turns beyond 2 x slots + 3"
        yield f"asked again     {self.n['asked again']}"
        yield f"refused         {self.n['refused']}"
        yield f"handoffs        {self.n['handoff']}"
        yield f"ms a turn       median {times[len(times) // 2]:.2f}, p99 {times[int(0.99 * len(times))]:.1f}"
        for kind, number in self.kinds.most_common():
            lost = f"({self.first_wrong[kind]} conversations never right)" if self.first_wrong[kind] else ""
            yield f"turns right     {self.kinds_right[kind] / number:.3f} of {number:5} {kind} {lost}".rstrip()


def shown(played: Played) -> Iterator[str]:
    """Yield the lines of a transcript."""
    yield f"\n--- wanted: {played.wanted}; {len(played.turns)} turns, at most {played.max_turns}"
    for said, reply, is_right in played.turns:
        questions = [
            f"{one['kind']} {one.get('lines') or one['line']} {one['group']} {one['choices']} {_pending(one)}"
            for one in reply["questions"][:2]
        ]
        yield f"{' ' if is_right else '*'} {said.text}    [{said.kind}]"
        yield f"      {reply['act']} {reply['status']}: {'; '.join(_brief(line) for line in reply['lines'])}"
        yield f"      {' / '.join(questions)}"


def _pending(question: Mapping[str, Any]) -> str:
    return f"pending {question['pending']['op']} {_brief({'item': '', **question['pending']})}" if "pending" in question else ""


def _brief(line: Mapping[str, Any]) -> str:
    options = [f"{one['amount'] or ''} {one['choice'] or '|'.join(one['alternatives'])}".strip() for one in line["options"]]
    return f"{line['quantity']} {line['item']} [{', '.join(options)}]"


def _brief_order(order: Meaning) -> str:
    lines = [
        f"{number} {item} {[' '.join(filter(None, (one[2], one[1]))) for one in options]}" for (item, options), number in order.items()
    ]
    return "; ".join(lines)


def main() -> None:
    """Run the command line."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--count", type=int, default=10_000)
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--show", type=int, default=0, help="print the transcripts of so many conversations that went wrong")
    arguments = command.parse_args()
    figures, n_shown = Figures(), 0
    for played in conversations(arguments.count, arguments.seed, Model.load()):
        figures.add(played)
        has_failed = not played.is_right or len(played.turns) > played.max_turns or played.n_asked_again
        if has_failed and n_shown < arguments.show:
            n_shown += 1
            print("\n".join(shown(played)))
    print("\n".join(figures.rows()))


if __name__ == "__main__":
    main()
