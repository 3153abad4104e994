"""Judge from the words and the turn of an utterance whether the customer has finished it."""

from collections.abc import Sequence
from enum import Enum, auto
from functools import lru_cache

from schemas import Order
from voice.dialog.state import Act, QuestionKind, State
from voice.orders import words
from voice.orders.language_packs import language_packs

FINAL_ACTS = frozenset({Act.DONE, Act.HUMAN})
YES_OR_NO = frozenset({QuestionKind.CHECK, QuestionKind.OFFER, QuestionKind.CONFIRM})
EDITS = frozenset({Act.ORDER, Act.CHANGE, Act.REMOVE})


class Completeness(Enum):
    """How complete an utterance is."""

    COMPLETE = auto()  # it answers the question that was asked, or says that this is all
    CLOSED = auto()  # it edits the order, and the edited lines need nothing more
    UNDECIDED = auto()
    MEANINGLESS = auto()  # nothing that was said means anything yet
    UNFINISHED = auto()  # it ends with a word that needs another one


def completeness(utterance: str, state: State, order: Order) -> Completeness:
    """Return how complete an utterance is; `state`: before it, `order`: the reply to it."""
    spoken, act = words.phrase(utterance), Act(order["act"])
    asked = state.questions[0].kind if state.questions else None
    is_answer = act is Act.ANSWER and _is_answered(state, order)
    if act in FINAL_ACTS or (act is Act.CONFIRM and asked in YES_OR_NO):
        return Completeness.COMPLETE
    if _ends_with(spoken, _unfinished()) or (not is_answer and not _numbers().isdisjoint(spoken[-1:])):
        return Completeness.UNFINISHED
    if is_answer:
        return Completeness.COMPLETE
    if act is Act.NONE:
        return Completeness.MEANINGLESS
    return Completeness.CLOSED if act in EDITS and _is_closed(order) else Completeness.UNDECIDED


def _is_closed(order: Order) -> bool:
    """Return whether the edits left no word over and nothing to ask."""
    return bool(order["changes"]) and not order["unmatched"] and not any(question["blocks"] for question in order["questions"])


def _is_answered(state: State, order: Order) -> bool:
    """Return whether the first question is closed, and no word is left over; to order is no answer to whether there is more."""
    asked = state.questions[0] if state.questions and state.questions[0].kind is not QuestionKind.MORE else None
    open_questions = [(question["kind"], question["line"], question["group"]) for question in order["questions"]]
    return asked is not None and not order["unmatched"] and (asked.kind.value, asked.line, asked.group) not in open_questions


def _ends_with(spoken: Sequence[str], phrases: frozenset[tuple[str, ...]]) -> bool:
    return any(tuple(spoken[start:]) in phrases for start in range(len(spoken)))


@lru_cache(maxsize=1)
def _unfinished() -> frozenset[tuple[str, ...]]:
    return frozenset([words.phrase(phrase) for pack in language_packs().values() for phrase in pack.unfinished])


@lru_cache(maxsize=1)
def _numbers() -> frozenset[str]:
    return frozenset(
        [
            word
            for pack in language_packs().values()
            for table in (pack.numbers.units, pack.numbers.tens, pack.numbers.articles)
            for word in table
        ]
    )
