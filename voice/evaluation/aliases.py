"""Look for aliases that would mend wrong turns: add one, play again, and keep what mends and breaks nothing."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from voice.dialog.turn import DialogEngine
from voice.evaluation.cases import Case
from voice.evaluation.scoring import Outcome, Score, Verdict, content, play_turn, score
from voice.menus.menu import Menu
from voice.menus.parts import Part, with_own_parts
from voice.orders.parser.model import Model

MAX_TRIED: Final = 40  # candidates; each compiles the menu
MAX_PHRASE_WORDS: Final = 3


class Remedy(NamedTuple):
    """An alias, the rows that it mends, and the number of turns that it breaks."""

    part: Part
    alias: str
    mended: Sequence[int]
    n_broken: int


def remedies(menu: Menu, cases: Sequence[Case], scored: Score) -> list[Remedy]:
    """Return the aliases that mend a turn and break fewer than they mend, the best first."""
    candidates: dict[tuple[Part, str], list[Outcome]] = {}
    for outcome in scored.worst:
        for candidate in _candidates(menu, outcome):
            candidates.setdefault(candidate, []).append(outcome)
    model = Model.load()
    found = []
    for (part, alias), outcomes in sorted(candidates.items(), key=lambda one: -len(one[1]))[:MAX_TRIED]:
        engine = DialogEngine(_with_alias(menu, part, alias), model=model)
        mended = [outcome for outcome in outcomes if _is_mended(engine, outcome)]
        if mended:
            again = score(engine, cases)
            n_mended = again.count(Verdict.EXACT) - scored.count(Verdict.EXACT)
            before = {(outcome.row, outcome.turn) for outcome in scored.outcomes if outcome.verdict is Verdict.EXACT}
            broken = {(outcome.row, outcome.turn) for outcome in again.worst} & before
            if n_mended > 0:
                found.append(Remedy(part, alias, sorted({outcome.row for outcome in mended}), len(broken)))
    found.sort(key=lambda remedy: (remedy.n_broken - len(remedy.mended), -len(remedy.alias), remedy.alias))
    best: dict[tuple[Part, tuple[int, ...]], Remedy] = {}
    for remedy in found:  # of aliases that mend the same, the longest is the safest
        best.setdefault((remedy.part, tuple(remedy.mended)), remedy)
    return list(best.values())


def _is_mended(engine: DialogEngine, outcome: Outcome) -> bool:
    return play_turn(engine, outcome.row, outcome.turn, outcome.expected, outcome.state).verdict is Verdict.EXACT


def _candidates(menu: Menu, outcome: Outcome) -> Iterator[tuple[Part, str]]:
    """Yield phrases that were not used or misread, for each item and choice that the right order has and the reply lacks."""
    phrases = list(dict.fromkeys(_phrases(outcome)))
    for part in _missing(menu, outcome):
        yield from [(part, phrase) for phrase in phrases]


def _phrases(outcome: Outcome) -> Iterator[str]:
    explained = outcome.reply.get("explain")
    if explained is None:
        return
    unread, words = set(explained["chosen"]["unread"]), [token["text"] for token in explained["tokens"]]
    misread = {word for arc in explained["chosen"]["arcs"] if arc["role"] in {"item", "option"} for word in arc["text"].lower().split()}
    used = [word in unread or word in misread for word in words]
    for length in range(MAX_PHRASE_WORDS, 0, -1):
        for start in range(len(words) - length + 1):
            if all(used[start : start + length]) and any(word in unread for word in words[start : start + length]):
                yield " ".join(words[start : start + length])
    for arc in explained["chosen"]["arcs"]:
        if arc["role"] in {"item", "option"}:
            yield arc["text"].lower()


def _missing(menu: Menu, outcome: Outcome) -> list[Part]:
    """Return the items and choices of the right order that the reply lacks."""
    got = {part for key in content(menu, outcome.reply["lines"]) for part in _parts(key)}
    right = {part for key in content(menu, [line.model_dump() for line in outcome.expected.right[0]]) for part in _parts(key)}
    return sorted(right - got, key=lambda part: (part.group or "", part.id))


def _parts(key: tuple[str, frozenset[tuple[str, str | None, frozenset[str]]]]) -> Iterator[Part]:
    item, options = key
    yield Part(None, item)
    for group, choice, *_ in options:
        if choice is not None:
            yield Part(group, choice)


def _with_alias(menu: Menu, part: Part, alias: str) -> Menu:
    changed = with_own_parts(menu)
    if part.group is None:
        item = changed.items[part.id]
        changed.items[part.id] = item.model_copy(update={"aliases": (*item.aliases, alias)})
    else:
        choices = changed.option_groups[part.group].choices
        choices[part.id] = choices[part.id].model_copy(update={"aliases": (*choices[part.id].aliases, alias)})
    return changed
