"""Fit the weights of the model: `python -m voice.orders.parser.train`.

An example tells the order after an utterance, not the parse that leads there. Each round parses all examples with the present weights,
adds the parses to those of earlier rounds, and fits the weights to all of them (`voice.orders.parser.fitting`).
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from voice.orders.corpus import DEVELOPMENT_CONVERSATIONS, TRAINING_SENTENCES, Example, conversations, sentences
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import denotation
from voice.orders.parser.fitting import PRIOR, Candidate, Pool, fit
from voice.orders.parser.model import WEIGHTS_FILE, Model, features_of
from voice.orders.parser.parser import Parse, Parser

N_ROUNDS: Final = 5
MAX_CANDIDATES: Final = 30  # parses of an example in a round
MIN_WEIGHT: Final = 1e-3  # smaller ones are not written

Parsed = list[tuple[Any, Candidate]]  # denotations and parses of an example, the likeliest first


def candidates(parser: Parser, example: Example) -> Parsed:
    """Parse an example."""
    right = {denotation(parser.index.draft(lines)) for lines in example.right}
    parses = parser.parse(example.utterance, example.lines, question=example.question, max_parses=MAX_CANDIDATES)
    meanings = [denotation(parse.draft) for parse in parses]
    return [(meaning, Candidate(features_of_parse(parse), meaning in right)) for meaning, parse in zip(meanings, parses, strict=True)]


def features_of_parse(parse: Parse) -> dict[str, float]:
    """Sum the features of the arcs and events of a parse."""
    found: dict[str, float] = {}
    for event in parse.events:
        for feature, value in event.features if isinstance(event, Arc) else features_of(event):
            found[feature] = found.get(feature, 0.0) + value
    return found


def examples_by_menu() -> list[list[Example]]:
    """Return the examples that the weights are fitted to."""
    found = [example for name in TRAINING_SENTENCES for example in sentences(name)]
    found += [example for name in DEVELOPMENT_CONVERSATIONS for example in conversations(name)]
    found.sort(key=lambda example: example.menu.id)
    return [list(examples) for _, examples in groupby(found, key=lambda example: id(example.menu))]


def parse_examples(task: tuple[Mapping[str, float], Sequence[Example]]) -> list[Parsed]:
    """Parse the examples of one menu with some weights."""
    weights, examples = task
    parser = Parser(examples[0].menu, Model(weights))
    return [candidates(parser, example) for example in examples]


def main() -> None:
    """Fit the weights and write them; ten minutes on two cores."""
    menus = examples_by_menu()
    pools: list[Pool] = [{} for examples in menus for _ in examples]
    weights: dict[str, float] = dict(PRIOR)
    for number in range(N_ROUNDS):
        with multiprocessing.get_context("fork").Pool(os.cpu_count()) as processes:
            found = [parsed for menu in processes.map(parse_examples, [(weights, examples) for examples in menus], 1) for parsed in menu]
        for pool, parsed in zip(pools, found, strict=True):
            pool.update({(number, meaning): candidate for meaning, candidate in parsed})
        n_right = sum(bool(parsed) and parsed[0][1].is_right for parsed in found)
        weights, loss = fit(pools, weights)
        sys.stdout.write(f"round {number + 1}: {n_right} of {len(pools)} right, loss {loss:.4f}, {len(weights)} features\n")
        sys.stdout.flush()
    written = {feature: round(weight, 4) for feature, weight in weights.items() if abs(weight) >= MIN_WEIGHT}
    WEIGHTS_FILE.write_text(json.dumps(written, indent=0, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
