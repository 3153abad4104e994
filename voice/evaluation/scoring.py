"""Play sentences and conversations, and judge the order after each turn."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from schemas import Conversation, LineRequest, Order
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.evaluation.cases import Case, ExpectedTurn
from voice.menus.menu import Menu

STATE = ("lines", "questions", "changes", "notes")
Content = Counter[tuple[Any, ...]]  # quantities by item and options


class Verdict(StrEnum):
    """What a turn did to the order."""

    EXACT = "exact"
    FALSE_CHANGE = "false change"  # it ordered what nobody asked for, or lost what was to stay
    MISSED = "missed"  # it did less than it was asked for


class Outcome(NamedTuple):
    """A turn that was played."""

    row: int
    turn: int  # of a conversation, 0 the first
    expected: ExpectedTurn
    state: Conversation  # before the turn
    reply: Order
    verdict: Verdict
    n_wrong: int  # units by which the order differs from the nearest right one


class Score(NamedTuple):
    """The outcomes of all turns."""

    outcomes: Sequence[Outcome]

    def count(self, verdict: Verdict) -> int:
        """Return how many turns have a verdict."""
        return sum(outcome.verdict is verdict for outcome in self.outcomes)

    @property
    def exact_share(self) -> float:
        """The share of turns with a right order after them, 0..1."""
        return self.count(Verdict.EXACT) / max(1, len(self.outcomes))

    @property
    def worst(self) -> list[Outcome]:
        """The turns with a wrong order: false changes first, and those that are wrong by most units."""
        wrong = [outcome for outcome in self.outcomes if outcome.verdict is not Verdict.EXACT]
        return sorted(wrong, key=lambda outcome: (outcome.verdict is not Verdict.FALSE_CHANGE, -outcome.n_wrong, outcome.row, outcome.turn))


def score(engine: DialogEngine, cases: Iterable[Case]) -> Score:
    """Play all cases. After a wrong turn the conversation goes on from the right order, without questions."""
    return Score([outcome for case in cases for outcome in play(engine, case)])


def play(engine: DialogEngine, case: Case) -> Iterator[Outcome]:
    """Yield the outcome of each turn of a case."""
    state = Conversation(lines=case.before)
    for number, expected in enumerate(case.turns):
        outcome = play_turn(engine, case.row, number, expected, state)
        yield outcome
        if outcome.verdict is Verdict.EXACT:
            state = Conversation.model_validate({name: outcome.reply[name] for name in STATE})  # type: ignore[literal-required]
        else:
            state = Conversation(lines=list(expected.right[0]))


def play_turn(engine: DialogEngine, row: int, number: int, expected: ExpectedTurn, state: Conversation) -> Outcome:
    """Return the outcome of a turn."""
    reply = engine.take_turn(expected.said, state_of(engine.menu, state, expected.at), explain=True)
    after = content(engine.menu, reply["lines"])
    rights = [content(engine.menu, _dumped(right)) for right in expected.right]
    nearest = min(rights, key=lambda right: _difference(after, right))
    before = content(engine.menu, _dumped(state.lines))
    n_wrong = _difference(after, nearest)
    is_false = bool(after - nearest - before or (before & nearest) - after)
    verdict = Verdict.EXACT if not n_wrong else Verdict.FALSE_CHANGE if is_false else Verdict.MISSED
    return Outcome(row, number, expected, state, reply, verdict, n_wrong)


def content(menu: Menu, lines: Iterable[Mapping[str, Any]]) -> Content:
    """Return what is ordered, regardless of the order of lines and options; a spoken default is as good as an unspoken one."""
    found: Content = Counter()
    for line in lines:
        found[line["item"], frozenset(_options(menu, line["options"]))] += line["quantity"]
    return found


def _options(menu: Menu, options: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for option in options:
        group = menu.option_groups[option["group"]]
        nested = frozenset(_options(menu, option.get("options") or ()))
        if option["choice"] == group.default and option["amount"] is None and option["quantity"] == 1 and not nested:
            continue
        alternatives = frozenset(option.get("alternatives") or ())
        yield option["group"], option["choice"], alternatives, option["amount"], option["quantity"], nested


def _difference(one: Content, other: Content) -> int:
    return max(sum((one - other).values()), sum((other - one).values()))


def _dumped(lines: Sequence[LineRequest]) -> list[dict[str, Any]]:
    return [line.model_dump() for line in lines]
