"""Fit the weights of the parser, of the act model and of the ranker: `python -m voice.orders.parser.train`.

An example tells the order after an utterance, not the parse that leads there. Each round parses all examples with the present weights,
adds the parses to those of earlier rounds, and fits the weights to all of them (`voice.orders.parser.fitting`). Then the ranker is fitted
to the parses with the last weights (`voice.orders.parser.ranker_fitting`). The parser sees act probabilities from act models that were
fitted without the example's menu.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from voice.orders import words
from voice.orders.corpus import DEVELOPMENT_CONVERSATIONS, TRAINING_SENTENCES, Example, conversations, sentences
from voice.orders.parser.acts import ACT_WEIGHTS_FILE, ActModel, act_features, fit_acts, masked
from voice.orders.parser.draft import MenuIndex, denotation
from voice.orders.parser.fitting import PRIOR, Candidate, Pool, fit
from voice.orders.parser.generation import generated
from voice.orders.parser.generation_talk import Rewriter
from voice.orders.parser.lexicon import Lexicon
from voice.orders.parser.model import WEIGHTS_FILE, Model, features_of
from voice.orders.parser.parser import Parse, Parser, Unresolved
from voice.orders.parser.person_arcs import Mention
from voice.orders.parser.ranker import RANKER_FILE
from voice.orders.parser.ranker_fitting import fit_ranker
from voice.orders.parser.state import OpenQuestion

N_ROUNDS: Final = 4
N_GENERATED: Final = 80  # examples on each menu
# Weights of generated and rewritten examples, for the parser and for the ranker: plain ones count less, as few of them are missed
# (docs/decisions.md, "The ranker compares orders with utterances").
GENERATED_WEIGHT: Final = 0.2
GENERATED_WEIGHT_OF_RANKER: Final = 0.25
REWRITTEN_SHARE: Final = 0.25  # of all examples: added in other words
N_FOLDS: Final = 6  # of the menus, for the act models
MAX_CANDIDATES: Final = 30  # parses of an example in a round
MIN_WEIGHT: Final = 2e-3  # smaller ones are not written
MIN_ACT_WEIGHT: Final = 0.1  # features whose weights are all smaller are not written
MIN_WORD_COUNT: Final = 4  # rarer words have no features
ACT_OF: Final = dict.fromkeys(("order", "answer", "change", "remove"), "edit") | dict.fromkeys(("smalltalk", "none"), "other")

Parsed = list[tuple[int, Candidate]]  # ranks and parses of an example, the likeliest first


class Prepared(NamedTuple):
    """An example with what the act model sees."""

    example: Example
    masked_words: tuple[str, ...]
    features: Sequence[str]
    act: str  # of ACTS, "" if the example is not annotated and changes nothing


def prepare(examples: Sequence[Example]) -> list[Prepared]:
    """Mask the names in the examples of one menu."""
    menu = examples[0].menu
    lexicon, index = Lexicon(menu, Model(PRIOR)), MenuIndex(menu)
    prepared = []
    for example in examples:
        tokens = lexicon.tokens(words.nfc(example.utterance))
        spoken = masked([token.surface for token in tokens], lexicon.lattice(tokens))
        before = denotation(index.draft(example.lines))
        is_edit = all(denotation(index.draft(lines)) != before for lines in example.right)
        act = ACT_OF.get(example.act, example.act) or ("edit" if is_edit else "")
        kind = example.question.kind if example.question is not None else ""
        prepared.append(Prepared(example, spoken, act_features(spoken, kind), act))
    return prepared


def fold_models(menus: Sequence[Sequence[Prepared]]) -> list[ActModel]:
    """Return an act model for each fold of the menus, fitted to the other folds."""
    models = []
    for fold in range(N_FOLDS):
        others = [one for number, menu in enumerate(menus) if number % N_FOLDS != fold for one in menu if one.act]
        models.append(ActModel(fit_acts([(one.features, one.act) for one in others])))
    return models


def candidates(parser: Parser, examples: Sequence[Example], *, for_ranker: bool = False) -> Iterator[Parsed]:
    """Parse the examples of one menu; in a conversation, what a turn leaves waiting is pending in the next one.

    `for_ranker`: with the features that only the ranker has.
    """
    waiting: Sequence[Unresolved] = ()
    for example in examples:
        right = {denotation(parser.index.draft(lines)) for lines in example.right}
        parses = parser.parse(
            parser.analyse(example.utterance, persons=list(mentions_of(example))),
            example.lines,
            question=with_pending(example.question, waiting if example.follows else ()),
            focus=example.focus,
            max_parses=MAX_CANDIDATES,
        )
        found = [
            (rank, Candidate(parse.features(), _is_right(parse, right, example.awaits), _agreement(parse) if for_ranker else {}))
            for rank, parse in enumerate(parses)
        ]
        waiting = next((parses[rank].unresolved for rank, candidate in found if candidate.is_right), ())
        yield found


def _agreement(parse: Parse) -> dict[str, float]:
    """Return the values of the features that only the ranker has."""
    found: Counter[str] = Counter()
    for event in parse.agreement():
        found.update([feature for feature, _ in features_of(event)])
    return {feature: float(count) for feature, count in found.items()}


def mentions_of(example: Example) -> Iterator[Mention]:
    """Yield the tokens of an example that mention persons, where they do so first."""
    surfaces = [token.surface for token in words.tokenize(words.nfc(example.utterance))]
    for said, lines in example.persons:
        phrase = [*words.phrase(said)]
        start = next((at for at in range(len(surfaces)) if surfaces[at : at + len(phrase)] == phrase), None)
        if start is not None:
            yield Mention(start, start + len(phrase), lines)


def with_pending(question: OpenQuestion | None, waiting: Sequence[Unresolved]) -> OpenQuestion | None:
    """Return a question about items with the line that waits for one of them, as the turn before left it."""
    if question is None or question.line is not None or question.group is not None:
        return question
    is_available = question.kind == "ambiguous"
    lines = [one.line for one in waiting if one.is_available is is_available]
    return question._replace(pending=lines[0]) if lines and question.kind in {"ambiguous", "unavailable"} else question


def _is_right(parse: Parse, right: Collection[Any], awaits: frozenset[str] | None) -> bool:
    """Return whether a parse has a right order, and the items that are asked about next."""
    if denotation(parse.draft) not in right:
        return False
    waiting = [one.line.items for one in parse.unresolved]
    return awaits is None or (any(not awaits.isdisjoint(items) for items in waiting) if awaits else not waiting)


def examples_by_menu(left_out: Collection[str] = ()) -> list[list[Example]]:
    """Return the examples that the weights are fitted to, without some sets."""
    found = [example for name in TRAINING_SENTENCES for example in sentences(name)]
    found += [example for name in DEVELOPMENT_CONVERSATIONS if name not in left_out for example in conversations(name)]
    found.sort(key=lambda example: example.menu.id)
    menus = [list(examples) for _, examples in groupby(found, key=lambda example: id(example.menu))]
    return [with_generated(examples, _language_of(examples)) for examples in menus]


def with_generated(examples: Sequence[Example], language: str) -> list[Example]:
    """Return the examples of one menu, generated ones, and a share of all of them in other words."""
    found = [*examples, *generated(examples[0].menu, language, N_GENERATED)]
    found += Rewriter(language, examples[0].menu.id).rewritten(found, REWRITTEN_SHARE)
    return [*found[: len(examples)], *[example._replace(weight=GENERATED_WEIGHT) for example in found[len(examples) :]]]


def _language_of(examples: Sequence[Example]) -> str:
    """Return the language of most utterances: Vietnamese if half of them have its diacritics."""
    n_marked = sum(words.has_diacritics(words.tokenize(words.nfc(example.utterance))) for example in examples)
    return "vi" if n_marked * 2 > len(examples) else "en"


class Task(NamedTuple):
    """The examples of one menu, to be parsed with some weights."""

    weights: Mapping[str, float]
    vocabulary: Collection[str]
    examples: Sequence[Example]
    fold: int  # of the act model
    for_ranker: bool


_act_models: list[ActModel] = []  # of each fold, in the processes that parse


def inherit(models: Sequence[ActModel]) -> None:
    """Keep the act models in a process that parses: it is forked with them, so that no task carries them."""
    _act_models[:] = models


def parse_examples(task: Task) -> list[Parsed]:
    """Parse the examples of one menu with some weights."""
    parser = Parser(task.examples[0].menu, Model(task.weights, task.vocabulary), _act_models[task.fold])
    return list(candidates(parser, task.examples, for_ranker=task.for_ranker))


class Trainer:
    """The examples of all menus, with what is the same in each round."""

    def __init__(self, menus: Sequence[Sequence[Prepared]]) -> None:
        self._menus = [[one.example for one in menu] for menu in menus]
        self.weights = [one.example.weight for menu in menus for one in menu]
        count = Counter(word for menu in menus for one in menu for word in one.masked_words)
        self._vocabulary = frozenset(word for word, n in count.items() if n >= MIN_WORD_COUNT)
        self._act_models = fold_models(menus)

    def parse(self, weights: Mapping[str, float], *, for_ranker: bool = False) -> list[Parsed]:
        """Parse all examples with some weights."""
        tasks = [Task(weights, self._vocabulary, menu, place % N_FOLDS, for_ranker) for place, menu in enumerate(self._menus)]
        with multiprocessing.get_context("fork").Pool(os.cpu_count(), inherit, (self._act_models,)) as processes:
            return [parsed for menu in processes.map(parse_examples, tasks, 1) for parsed in menu]

    def rounds(self, weights: dict[str, float], count: int) -> Iterator[tuple[dict[str, float], str]]:
        """Yield the weights after each round, and a line about it; `weights`: those of the first round."""
        pools: list[Pool] = [{} for menu in self._menus for _ in menu]
        for number in range(count):
            found = self.parse(weights)
            for pool, parsed in zip(pools, found, strict=True):
                pool.update({(number, rank): candidate for rank, candidate in parsed})
            n_right = sum(bool(parsed) and parsed[0][1].is_right for parsed in found)
            n_found = sum(any(candidate.is_right for _, candidate in parsed) for parsed in found)
            weights, loss = fit(zip(pools, self.weights, strict=True), weights)
            counts = f"{n_right} right, {n_found} found, of {len(pools)}"
            yield weights, f"round {number + 1}: {counts}; loss {loss:.4f}, {len(weights)} features"


def write(path: Path, weights: Mapping[str, Any]) -> None:
    """Write weights as JSON, one line for each feature."""
    path.write_text(_by_line(weights) + "\n", encoding="utf-8")


def _by_line(weights: Mapping[str, Any]) -> str:
    rows = [f"{json.dumps(feature, ensure_ascii=False)}: {_rows(weight)}" for feature, weight in sorted(weights.items())]
    return "{\n" + ",\n".join(rows) + "\n}"


def _rows(weight: Any) -> str:
    """Return a value as JSON, the rows of a matrix one below another."""
    is_matrix = isinstance(weight, list) and isinstance(weight[0], list)
    return "[\n" + ",\n".join(map(json.dumps, weight)) + "\n]" if is_matrix else json.dumps(weight)


def write_ranker(path: Path, fitted: Mapping[str, Any]) -> None:
    """Write the networks as JSON, one line for each feature."""
    networks = ",\n".join([_by_line(network) for network in fitted["networks"]])
    path.write_text(f'{{"embeddings": {_by_line(fitted["embeddings"])},\n"networks": [{networks}]}}\n', encoding="utf-8")


def main() -> None:
    """Fit the weights and write them; ten minutes on two cores."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--leave-out", nargs="*", default=(), metavar="SET", help="sets of conversations, for validation")
    command.add_argument("--start", type=Path, metavar="FILE", help="weights to begin with instead of the prior ones")
    command.add_argument("--rounds", type=int, default=N_ROUNDS)
    command.add_argument("--output", type=Path, default=WEIGHTS_FILE.parent, metavar="DIRECTORY")
    arguments = command.parse_args()
    menus = [prepare(examples) for examples in examples_by_menu(arguments.leave_out)]
    annotated = [one for menu in menus for one in menu if one.act]
    act_weights = fit_acts([(one.features, one.act) for one in annotated])
    write(
        arguments.output / ACT_WEIGHTS_FILE.name,
        {feature: row for feature, row in act_weights.items() if max(map(abs, row)) >= MIN_ACT_WEIGHT},
    )
    trainer = Trainer(menus)
    start = dict(PRIOR)  # also of features that the weights to begin with lack
    if arguments.start is not None:
        start.update(Model.load(arguments.start).weights)
    for weights, line in trainer.rounds(start, arguments.rounds):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        written = {feature: round(weight, 4) for feature, weight in weights.items() if abs(weight) >= MIN_WEIGHT}
        write(arguments.output / WEIGHTS_FILE.name, written)
    pools = map(dict, trainer.parse(written, for_ranker=True))
    shares = [GENERATED_WEIGHT_OF_RANKER if weight == GENERATED_WEIGHT else weight for weight in trainer.weights]
    write_ranker(arguments.output / RANKER_FILE.name, fit_ranker(zip(pools, shares, strict=True), written))


if __name__ == "__main__":
    main()
