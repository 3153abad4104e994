"""Put the parses of an utterance into the sequence that the conversation suggests: what answers an open question comes first."""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final

from voice.dialog.acts import Heard
from voice.dialog.phrases import is_function_word
from voice.dialog.state import Question, QuestionKind
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import Draft, DraftLine
from voice.orders.parser.parser import Parse
from voice.orders.parser.roles import NAMING, Role
from voice.orders.words import Token

# Kinds of questions, if they are not about a group.
WHICH_ITEM: Final = frozenset({QuestionKind.AMBIGUOUS, QuestionKind.UNAVAILABLE})
DECLINABLE: Final = WHICH_ITEM | {QuestionKind.OFFER}
NAMING_LINES: Final = frozenset(
    {Role.ITEM, Role.ORDINAL, Role.REST, Role.ALL, Role.EACH, Role.ONES, Role.PART, Role.REFERENCE, Role.PERSON, Role.OWN}
)
# Log-odds of a parse with an item of which it was asked which is meant. Offered items and choices of groups are also named to decline them.
ANSWER: Final = 1.5
MIN_DECISION: Final = 0.25  # of a parse that leaves no asked choice open, as a share of the best parse's probability
MIN_ANSWER: Final = 0.5  # of a parse that only answers questions, as a share of the best parse's probability
COST_OF_IMPLIED: Final = 3.0  # of a choice that nobody named, above a nested option
COUNTING_UP: Final = frozenset({"increment", "repeat"})  # events of the parser
REPETITION: Final = frozenset({
    Role.MORE, Role.AGAIN, Role.NUMBER, Role.ARTICLE, Role.REQUEST, Role.ONES, Role.CLASSIFIER, Role.REFERENCE, Role.FILLER, Role.COMMA,
})  # fmt: skip
BESIDE_A_NAME: Final = frozenset({*NAMING, Role.FILLER, Role.COMMA, Role.STOP})
AskedChoice = tuple[int | None, str, str]  # a line, a group of the flat menu, and a choice


def certain_first(parses: list[Parse]) -> list[Parse]:
    """Return nested parses in the sequence of their probabilities, given that choices above nested options are rarely left open."""
    return _weighed(parses, [parse.probability * math.exp(-COST_OF_IMPLIED * _n_implied(parse.draft)) for parse in parses])


def _n_implied(draft: Draft) -> int:
    return sum([len(option.choices) > 1 for line in draft if line.quantity for option in line.options if option.options])


def in_light_of(asked: Question, said: Heard, parses: list[Parse]) -> list[Parse]:
    """Return the parses in a likelier sequence after a question about items: their names answer it, and a mere no edits nothing."""
    if asked.kind in DECLINABLE and said.leading() == "no" and not said.n_rest:
        return sorted(parses, key=lambda parse: bool(parse.n_edits))
    if asked.kind in WHICH_ITEM and not parses[0].n_edits and not said.leading():
        return answers_first(parses, asked)
    return parses


def answers_first(parses: Sequence[Parse], question: Question) -> list[Parse]:
    """Return the parses with their probabilities given that it was asked which of several items is meant, the likeliest first."""
    odds = [ANSWER if _adds_one_of(parse, question.choices) else 0.0 for parse in parses]
    return _weighed(parses, [parse.probability * math.exp(log_odds) for parse, log_odds in zip(parses, odds, strict=True)])


def _adds_one_of(parse: Parse, items: Sequence[str]) -> bool:
    return any(line.is_new and line.quantity > 0 and len(line.items) == 1 and line.items[0] in items for line in parse.draft)


def _weighed(parses: Sequence[Parse], masses: Sequence[float]) -> list[Parse]:
    """Return the parses with their shares of the sum of masses as probabilities, the likeliest first."""
    total = sum(masses)
    weighed = [parse.weighed(mass / total) for parse, mass in zip(parses, masses, strict=True)]
    return sorted(weighed, key=lambda parse: -parse.probability)


def on_asked_lines_first(asked: Question, group: str, parses: list[Parse], before: Sequence[DraftLine]) -> list[Parse]:
    """Return the parses in a likelier sequence after a question about a group: words that name no line answer for the asked ones alone."""
    if not _strays(asked, group, parses[0], before):
        return parses
    best = next((parse for parse in parses if parse.n_edits and not parse.unread and not _strays(asked, group, parse, before)), None)
    return parses if best is None else _with_first(best, parses)


def _strays(asked: Question, group: str, parse: Parse, before: Sequence[DraftLine]) -> bool:
    """Return whether a parse sets choices of the asked group on other lines, although its words name no line."""
    if any(isinstance(event, Arc) and event.role in NAMING_LINES for event in parse.events):
        return False
    lines = asked.lines or (asked.line,)
    return any(number not in lines and not _is_same(group, line, before[number]) for number, line in enumerate(parse.draft[: len(before)]))


def _is_same(group: str, line: DraftLine, old: DraftLine) -> bool:
    return [option for option in line.options if option.group == group] == [option for option in old.options if option.group == group]


def deciding_first(asked: Question, group: str, parses: list[Parse]) -> list[Parse]:
    """Return the parses in a likelier sequence: one that leaves no asked choice open, if it is not much less likely than the first."""
    if not _leaves_open(asked, group, parses[0]):
        return parses
    for parse in parses[1:]:
        if parse.probability < MIN_DECISION * parses[0].probability:
            break
        if parse.n_edits and not parse.unread and not _leaves_open(asked, group, parse):
            return _with_first(parse, parses)
    return parses


def _leaves_open(asked: Question, group: str, parse: Parse) -> bool:
    """Return whether an asked line, or a part of it, is open between choices of the asked group after a parse that changes it."""
    lines = asked.lines or (asked.line,)
    asked_about = [line for line in parse.draft if line.quantity > 0 and (line.origin in lines or line.beside in lines)]
    return bool(parse.n_edits) and any(option.group == group and len(option.choices) > 1 for line in asked_about for option in line.options)


def closing_first(parses: list[Parse]) -> list[Parse]:
    """Return the parses in a likelier sequence after words that only end the order: they choose nothing."""
    unchanged = next((parse for parse in parses if not parse.n_edits), None)
    return parses if unchanged is None else _with_first(unchanged, parses)


def answers_alone_first(parses: list[Parse], before: Sequence[DraftLine], asked: AbstractSet[AskedChoice]) -> list[Parse]:
    """Return the parses in a likelier sequence: one that only answers open questions, if it is not much less likely than the first."""
    if _answers_alone(parses[0], before, asked):
        return parses
    for parse in parses[1:]:
        if parse.probability < MIN_ANSWER * parses[0].probability:
            break
        if not parse.unread and _answers_alone(parse, before, asked):
            return _with_first(parse, parses)
    return parses


def _answers_alone(parse: Parse, before: Sequence[DraftLine], asked: AbstractSet[AskedChoice]) -> bool:
    """Return whether a parse only sets choices of open questions on the lines that they are about."""
    if len(parse.draft) != len(before) or not parse.n_edits or parse.unresolved:
        return False
    answered = False
    for number, (line, old) in enumerate(zip(parse.draft, before, strict=True)):
        if line._replace(options=()) != old._replace(options=()):
            return False
        new = [option for option in line.options if option not in old.options]
        if any((number, option.group, choice) not in asked for option in new for choice in option.choices):
            return False
        answered = answered or bool(new)
    return answered


def is_cancelling(parse: Parse) -> bool:
    """Return whether a parse cancels the whole order."""
    return any(not isinstance(event, Arc) and event[0] == "cancel" for event in parse.events)


def cancels_a_name(parse: Parse, tokens: Sequence[Token]) -> bool:
    """Return whether a parse cancels the order although the verb has an object that was not understood."""
    if not is_cancelling(parse):
        return False
    ends = [at + arc.length for at, arc in parse.placed(tokens) if arc.role is Role.CANCEL]
    return any(at in parse.unread and not is_function_word(tokens[at]) and tokens[at].surface not in _words_of_cancels() for at in ends)


@lru_cache(maxsize=1)
def _words_of_cancels() -> frozenset[str]:
    """Return the words of phrases that cancel the whole order: "cancel" and "order"."""
    phrases = [words.phrase(way) for pack in language_packs().values() for way in pack.cancels]
    return frozenset([spelt for phrase in phrases for word in phrase for spelt in (word, words.fold(word))])


def _with_first(best: Parse, parses: Sequence[Parse]) -> list[Parse]:
    """Return the parses with another one first, which gets the probability of the first one."""
    return [best.weighed(parses[0].probability), *[parse for parse in parses if parse is not best]]


def repeating_first(parses: list[Parse]) -> list[Parse]:
    """Return the parses in a likelier sequence after words that only ask for more of the line in focus: they order it again."""
    best = next((parse for parse in parses if _is_repetition(parse)), None)
    return parses if best is None else _with_first(best, parses)


def remark_first(parses: list[Parse]) -> list[Parse]:
    """Return the parses in a likelier sequence after a phrase that orders nothing, although its words count up: "one more thing"."""
    remark = next((parse for parse in parses if _is_remark(parse)), None)
    return _with_first(remark, parses) if remark is not None and _counts_up(parses[0]) else parses


def _is_remark(parse: Parse) -> bool:
    """Return whether a parse reads all words as phrases that order nothing."""
    roles = {event.role for event in parse.events[:-1] if isinstance(event, Arc)}
    return not parse.n_edits and not parse.unread and roles <= {Role.FILLER, Role.AND, Role.COMMA, Role.STOP}


def _is_repetition(parse: Parse) -> bool:
    """Return whether a parse adds units to a line, and its words have no other meaning."""
    arcs = [event for event in parse.events[:-1] if isinstance(event, Arc)]
    roles = {arc.role for arc in arcs}
    is_counted = Role.NUMBER in roles or any(arc.role is Role.MORE and arc.length > 1 for arc in arcs)
    return _counts_up(parse) and is_counted and Role.MORE in roles and not parse.unread and roles <= REPETITION


def _counts_up(parse: Parse) -> bool:
    return any(not isinstance(event, Arc) and event[0] in COUNTING_UP for event in parse.events)


def naming_first(parses: list[Parse]) -> list[Parse]:
    """Return the parses in a likelier sequence after words of one name and nothing else: they order it, if only a part of it.

    The parse keeps its low probability, so that it is asked about.
    """
    best = next((parse for parse in parses if _only_names(parse)), None)
    return parses if best is None else [best, *[parse for parse in parses if parse is not best]]


def addressing_first(parses: list[Parse]) -> list[Parse]:
    """Return the parses in a likelier sequence after a title with a name: if it is a part of a name of the menu, it is a person's."""
    unchanged = next((parse for parse in parses if not parse.n_edits), None)
    names = [arc for arc in parses[0].arcs() if arc.role in NAMING]
    is_person = bool(names) and all(arc.is_partial for arc in names)
    return _with_first(unchanged, parses) if unchanged is not None and is_person else parses


def _only_names(parse: Parse) -> bool:
    """Return whether a parse edits the order by an exactly spelt name, and has no other words."""
    arcs = [arc for arc in parse.arcs() if arc.length]
    names = [arc for arc in arcs if arc.role in NAMING]
    is_exact = not any(feature.startswith("spelt.") for arc in names for feature, _ in arc.features)
    return len(names) == 1 and is_exact and not parse.unread and bool(parse.n_edits) and all(arc.role in BESIDE_A_NAME for arc in arcs)
