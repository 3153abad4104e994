"""The dialogue act of a turn."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from voice.dialog.answers import Outcome
from voice.dialog.phrases import Phrases, phrases_of
from voice.dialog.state import Act, Question, QuestionKind
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.words import Token

MAX_REST_OF_PHRASES: Final = 0  # words of substance beside phrases that decide the act
MAX_ACT_COST: Final = 1.6  # -log P; an act of less than 20 % is none
MAX_COST_OF_INQUIRY: Final = 1.5  # more than the likeliest act's; the patterns that found what is asked are the better evidence
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

    def only(self, function: str) -> bool:
        """Return whether nothing but phrases with this function was said."""
        return bool(self.phrases) and not self.n_rest and all(phrase.function == function for phrase in self.phrases)

    def leads(self, function: str) -> bool:
        """Return whether the utterance begins with a phrase of this function, or is little else."""
        return any(phrase.function == function and self._leads(phrase) for phrase in self.phrases)

    def leading(self) -> str:
        """Return the function of the first yes or no, if the utterance begins with it or is little else; "" without one."""
        first = next((phrase for phrase in self.phrases if phrase.function in {"yes", "no"}), None)
        return first.function if first is not None and self._leads(first) else ""

    def _leads(self, phrase: HeardPhrase) -> bool:
        return phrase.start <= 1 or self.n_rest <= MAX_REST


def heard(tokens: Sequence[Token], noted: Sequence[tuple[int, int]] = ()) -> Heard:
    """Find the phrases of an utterance that have a function in a conversation, the longest first.

    `noted`: the places of notes, in code points; their words are not counted.
    """
    is_folded = not words.has_diacritics(tokens)
    fillers = _fillers(is_folded=is_folded)
    surfaces = [token.surface for token in tokens]
    found = [HeardPhrase(*one) for one in _phrases(is_folded=is_folded).find(surfaces)]
    covered = {at for phrase in found for at in range(phrase.start, phrase.end)}
    covered.update([at for at, token in enumerate(tokens) if any(start <= token.start < end for start, end in noted)])
    rest = [at for at, surface in enumerate(surfaces) if at not in covered and surface not in fillers and not words.is_punctuation(surface)]
    return Heard(tuple(found), len(rest))


@lru_cache(maxsize=2)
def _phrases(*, is_folded: bool) -> Phrases[str]:
    return phrases_of(
        lambda pack: [*pack.acts.items(), *[(name, pack.answers[name]) for name in ("yes", "no", "done")]], is_folded=is_folded
    )


@lru_cache(maxsize=2)
def _fillers(*, is_folded: bool) -> frozenset[str]:
    """Return the words without a function."""
    phrases = [words.phrase(words.fold(way) if is_folded else way) for pack in language_packs().values() for way in pack.fillers]
    return frozenset([word for phrase in phrases for word in phrase])


ACTS_AFTER: Final[Mapping[tuple[str, QuestionKind | None], Act]] = {
    ("deny", QuestionKind.MORE): Act.DONE,
    ("done", QuestionKind.CONFIRM): Act.CONFIRM,
}
ACTS_OF_ANSWERS: Final = {"yes": Act.CONFIRM, "no": Act.DENY}


def act_of_words(said: Heard, asked: Question | None, act_costs: Mapping[str, float], *, is_inquiry: bool) -> Act:
    """Return the act of an utterance that edits nothing.

    Phrases with a function decide if little else was said, else the n-grams of all words: `act_costs` is -log P of each act.
    """
    if said.has("human"):
        return Act.HUMAN
    if said.phrases and said.n_rest <= MAX_REST_OF_PHRASES:
        return _act_of_phrases(said, asked, is_inquiry=is_inquiry)
    kind = asked.kind if asked is not None else None
    act = min([act for act in act_costs if act != "edit"], key=act_costs.__getitem__)
    if is_inquiry and not said.leading() and act_costs["question"] < act_costs[act] + MAX_COST_OF_INQUIRY:
        return Act.QUESTION
    if (act, kind) in ACTS_AFTER:
        return ACTS_AFTER[act, kind]
    if act == "other" or not said.n_rest or act_costs[act] > MAX_ACT_COST:
        return Act.SMALLTALK if said.has("smalltalk") else Act.NONE
    return Act(act)


def _act_of_phrases(said: Heard, asked: Question | None, *, is_inquiry: bool) -> Act:
    kind = asked.kind if asked is not None else None
    if said.leads("done") if is_inquiry else said.has("done"):
        return Act.CONFIRM if kind is QuestionKind.CONFIRM else Act.DONE
    answer = said.leading()
    if answer == "no" and kind is QuestionKind.MORE:
        return Act.DONE
    if answer == "yes" and kind is QuestionKind.CONFIRM:
        return Act.CONFIRM
    if said.has("repeat") or is_inquiry:
        return Act.REPEAT if said.has("repeat") else Act.QUESTION
    return ACTS_OF_ANSWERS.get(answer, Act.SMALLTALK if said.has("smalltalk") else Act.NONE)


class EditFacts(NamedTuple):
    """What a turn did, as far as its act depends on it."""

    is_cancelled: bool
    is_edit: bool  # the order changed, or an edit raised a question
    adds: bool
    only_removes: bool
    has_note: bool
    answers_another: bool = False  # an open question that was not asked now


def act_of(words_act: Act, asked: Question | None, outcome: Outcome, facts: EditFacts) -> Act:
    """Return the first act that applies."""
    if words_act is Act.HUMAN:
        return Act.HUMAN
    if facts.is_cancelled:
        return Act.CANCEL
    if facts.is_edit:
        return _act_of_edit(asked, outcome, facts)
    if outcome is Outcome.DECLINED:
        return Act.DONE if words_act is Act.DONE else Act.DENY
    if outcome in ACTS_OF_OUTCOMES:
        return ACTS_OF_OUTCOMES[outcome]
    return Act.SMALLTALK if words_act is Act.NONE and facts.has_note else words_act


ACTS_OF_OUTCOMES: Final = {Outcome.ACCEPTED: Act.CONFIRM, Outcome.ANSWERED: Act.ANSWER}


def _act_of_edit(asked: Question | None, outcome: Outcome, facts: EditFacts) -> Act:
    if _is_confirmation(asked, outcome):
        return Act.CONFIRM
    if outcome is not Outcome.OPEN:
        return Act.ANSWER
    if facts.adds:
        return Act.ORDER
    if facts.answers_another:
        return Act.ANSWER
    return Act.REMOVE if facts.only_removes else Act.CHANGE


def _is_confirmation(asked: Question | None, outcome: Outcome) -> bool:
    """Return whether an edit accepts an offer of one choice, or is a yes to a question about one thing of a line."""
    if asked is None:
        return False
    if asked.kind is QuestionKind.OFFER:
        return len(asked.choices) == 1 and outcome in {Outcome.ACCEPTED, Outcome.ANSWERED}
    is_sole_answer = outcome is Outcome.ANSWERED and len(asked.choices) == 1
    return asked.kind is QuestionKind.CONFIRM and asked.line is not None and (outcome is Outcome.ACCEPTED or is_sole_answer)
