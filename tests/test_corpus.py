"""The conversations of the corpus fit their menus; what the engine makes of them is measured, not tested."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from schemas import Amount
from settings import ROOT

MENUS = sorted((ROOT / "corpus/conversations").glob("*/*.menu.yaml"))
LINE = re.compile(r"(?:\d+ x )?([\w.-]+)(?: \[(.*)\])?")
OPTION = re.compile(rf"(?:({'|'.join(get_args(Amount))}) )?(?:\d+\*)?([\w|-]+)")
KINDS = {"ambiguous", "missing", "unavailable", "check", "offer", "more", "confirm"}
ACTS = {"order", "answer", "change", "remove", "done", "deny", "confirm", "cancel", "question", "repeat", "human", "smalltalk", "none"}


def read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)


def faults_of(menu: Any, order: str) -> Iterator[str]:
    """Name the lines and options that the menu does not have, or not available."""
    for part in filter(None, map(str.strip, order.split(";"))):
        line = LINE.fullmatch(part)
        item = menu["items"].get(line[1]) if line else None
        if line is None or item is None or item.get("available") is False:
            yield part
            continue
        choices = [set(menu["option_groups"][group]["choices"]) for group in item.get("options", ())]
        for said in filter(None, map(str.strip, (line[2] or "").split(","))):
            option = OPTION.fullmatch(said)
            if option is None or not any(offered.issuperset(option[2].split("|")) for offered in choices):
                yield f"{line[1]}: {said}"


@pytest.mark.parametrize("path", MENUS, ids=lambda path: path.name.partition(".")[0])
def test_the_orders_of_a_conversation_fit_its_menu(path):
    menu, written = read(path), read(path.with_name(path.name.replace(".menu.", ".conversations.")))
    turns = [turn for conversation in written["conversations"] for turn in conversation["turns"]]
    assert written["menu"] == menu["id"]
    assert [fault for turn in turns for order in (turn["order"], *turn.get("or", ())) for fault in faults_of(menu, order or "")] == []
    assert {turn["act"] for turn in turns} <= ACTS
    assert {turn["asked"]["kind"] for turn in turns if turn["asked"]} <= KINDS
    assert all(turn["say"].strip() for turn in turns)


def test_the_corpus_is_as_large_as_it_says():
    written = [read(path.with_name(path.name.replace(".menu.", ".conversations.")))["conversations"] for path in MENUS]
    conversations = [conversation for part in written for conversation in part]
    said = re.sub(r"\s+", " ", (ROOT / "corpus/README.md").read_text(encoding="utf-8"))
    counted = (
        f"{len(conversations)} conversations, {sum(len(one['turns']) for one in conversations):,} customer turns, on {len(MENUS)} menus"
    )
    assert counted in said
