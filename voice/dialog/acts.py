"""The dialogue act of a turn."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from voice.dialog.answers import Outcome
from voice.dialog.state import Act, Question, QuestionKind
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.words import Token

MAX_REST: Final = 2  # words of substance beside a yes or a no in the middle of an utterance


class HeardPhrase(NamedTuple):
    """A phrase with a function in a conversation."""

    function: str  # human, repeat, cancel, smalltalk, yes, no, done
    start: int  # tokens
    end: int


class Heard(NamedTuple):
    """The phrases of an utterance that have a function in a conversation, and the number of other words of substance."""

    phrases: tuple[HeardPhrase, ...]
    n_rest: int

    def has(self, function: str) -> bool:
        """Return whether a phrase with this function was said."""
        return any(phrase.function == function for phrase in self.phrases)

    def leading(self) -> str:
        """Return the function of the first yes or no, if the utterance begins with it or is little else; "" without one."""
        for phrase in self.phrases:
            if phrase.function in {"yes", "no"}:
                return phrase.function if phrase.start <= 1 or self.n_rest <= MAX_REST else ""
        return ""


def heard(tokens: Sequence[Token]) -> Heard:
    """Find the phrases of an utterance that have a function in a conversation, the longest first."""
    phrases, fillers = _phrases(is_folded=not words.has_diacritics(tokens))
    surfaces = [token.surface for token in tokens]
    found = []
    at = n_rest = 0
    while at < len(surfaces):
        for phrase, function in phrases.get(surfaces[at], ()):
            if tuple(surfaces[at : at + len(phrase)]) == phrase:
                found.append(HeardPhrase(function, at, at + len(phrase)))
                at += len(phrase)
                break
        else:
            n_rest += surfaces[at] not in fillers and not words.is_punctuation(surfaces[at])
            at += 1
    return Heard(tuple(found), n_rest)


Phrases = Mapping[str, Sequence[tuple[tuple[str, ...], str]]]


@lru_cache(maxsize=2)
def _phrases(*, is_folded: bool) -> tuple[Phrases, frozenset[str]]:
    """Return the phrases of all language packs by their first word, the longest first, and the words without a function."""
    by_first: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    fillers: set[str] = set()
    for pack in language_packs().values():
        functions: dict[str, list[str]] = {**pack.acts, **{name: pack.answers.get(name, []) for name in ("yes", "no", "done")}}
        for function, spelt in functions.items():
            for way in spelt:
                phrase = words.phrase(words.fold(way) if is_folded else way)
                by_first.setdefault(phrase[0], []).append((phrase, function))
        for way in pack.fillers:
            fillers.update(words.phrase(words.fold(way) if is_folded else way))
    for entries in by_first.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return by_first, frozenset(fillers)


def act_of_words(said: Heard, asked: Question | None, *, is_inquiry: bool) -> Act:  # noqa: PLR0911 - the order of precedence
    """Return the act of an utterance that edits nothing, from its words and the question before it."""
    kind = asked.kind if asked is not None else None
    answer = said.leading()
    if said.has("human"):
        return Act.HUMAN
    if said.has("done") and not is_inquiry:
        return Act.CONFIRM if kind is QuestionKind.CONFIRM else Act.DONE
    if answer == "no" and kind is QuestionKind.MORE and not is_inquiry:
        return Act.DONE
    if said.has("repeat"):
        return Act.REPEAT
    if is_inquiry:
        return Act.QUESTION
    if answer:
        return Act.DENY if answer == "no" else Act.CONFIRM
    return Act.SMALLTALK if said.has("smalltalk") else Act.NONE


class TurnFacts(NamedTuple):
    """What a turn did, as far as its act depends on it."""

    words_act: Act
    asked: Question | None
    outcome: Outcome
    is_cancelled: bool
    is_edited: bool  # an edit was made, or raised a question
    adds: bool
    only_removes: bool
    has_note: bool


def act_of(facts: TurnFacts) -> Act:
    """Return the first act that applies."""
    if facts.words_act is Act.HUMAN:
        return Act.HUMAN
    if facts.is_cancelled:
        return Act.CANCEL
    if facts.is_edited:
        return _act_of_edit(facts)
    if facts.outcome is Outcome.DECLINED:
        return Act.DONE if facts.words_act is Act.DONE else Act.DENY
    if facts.outcome in ACTS_OF_OUTCOMES:
        return ACTS_OF_OUTCOMES[facts.outcome]
    return Act.SMALLTALK if facts.words_act is Act.NONE and facts.has_note else facts.words_act


ACTS_OF_OUTCOMES: Final = {Outcome.ACCEPTED: Act.CONFIRM, Outcome.ANSWERED: Act.ANSWER}


def _act_of_edit(facts: TurnFacts) -> Act:
    if _is_confirmation(facts):
        return Act.CONFIRM
    if facts.outcome is not Outcome.OPEN:
        return Act.ANSWER
    if facts.adds:
        return Act.ORDER
    return Act.REMOVE if facts.only_removes else Act.CHANGE


def _is_confirmation(facts: TurnFacts) -> bool:
    """Return whether the edit is a yes to an offer of one choice, or to a question about one thing of a line."""
    asked = facts.asked
    if asked is None or facts.outcome not in {Outcome.ACCEPTED, Outcome.ANSWERED}:
        return False
    if asked.kind is QuestionKind.OFFER:
        return len(asked.choices) == 1
    return asked.kind is QuestionKind.CONFIRM and asked.line is not None and facts.outcome is Outcome.ACCEPTED
