import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from click.testing import CliRunner

from settings import ROOT
from voice.__main__ import commands
from voice.dialog.turn import DialogEngine
from voice.evaluation.aliases import remedies
from voice.evaluation.cases import Case, CasesBroken, ExpectedTurn, read_cases
from voice.evaluation.report import notation, reasons
from voice.evaluation.scoring import Verdict, score
from voice.menus.menu import Menu
from voice.menus.parts import Part
from voice.orders.corpus import lines_of

SHOP: dict[str, Any] = {
    "id": "shop",
    "name": "Shop",
    "currency": "USD",
    "languages": ["en"],
    "option_groups": {"size": {"name": "Size", "default": "m", "choices": {"m": {"name": "medium"}, "l": {"name": "large", "price": 50}}}},
    "items": {
        "latte": {"name": "Latte", "price": 400, "options": ["size"]},
        "mocha": {"name": "Mocha", "price": 450, "options": ["size"]},
        "bun": {"name": "Cinnamon bun", "price": 300},
    },
}


@pytest.fixture(scope="module")
def menu():
    return Menu.model_validate(SHOP)


@pytest.fixture(scope="module")
def engine(menu):
    return DialogEngine(menu)


@pytest.fixture
def cases(tmp_path, menu):
    """Return a call that reads cases of a text."""

    def read(text: str):
        path = tmp_path / "cases.txt"
        path.write_text(text, "utf-8")
        return read_cases(path, menu)

    return read


def verdicts(engine, cases):
    return [str(outcome.verdict) for outcome in score(engine, cases).outcomes]


def test_a_sheet_of_two_columns_is_read_with_or_without_a_header(cases):
    for header in ("", "said,order\n"):
        (first, second) = cases(f'{header}"two lattes, large",2 x latte [l]\na bun,"[{{""item"": ""bun""}}]"\n')
        assert first.turns[0].said == "two lattes, large"
        assert (first.turns[0].right[0][0].item, first.turns[0].right[0][0].quantity) == ("latte", 2)
        assert second.turns[0].right[0][0].item == "bun"
        assert second.row == first.row + 1


def test_options_below_choices_are_read_compared_and_written():
    drinks = {"latte": {"item": "latte"}, "mocha": {"item": "mocha"}}
    groups = {**SHOP["option_groups"], "drink": {"name": "Drink", "choices": drinks}}
    items = {**SHOP["items"], "deal": {"name": "Morning deal", "price": 600, "options": ["drink"]}}
    menu = Menu.model_validate({**SHOP, "option_groups": groups, "items": items})
    orders = ["2 x deal [mocha [l]]; bun", "deal [latte|mocha [l], no latte]", "deal [latte [m]]"]
    for order in orders[:2]:
        assert notation([line.model_dump() for line in lines_of(menu, order)]) == order
    said = "a morning deal with a large mocha"
    rows = [Case(1, [], [ExpectedTurn(said, [lines_of(menu, f"deal [mocha [{size}]]")], None)]) for size in "lm"]
    assert verdicts(DialogEngine(menu), rows) == ["exact", "false change"]
    for wrong in ("deal [mocha [l]", "deal [mocha [tall]]", "deal [l]"):
        with pytest.raises(ValueError, match="not an option"):
            lines_of(menu, wrong)


def test_exact_missed_and_false_changes_are_told_apart(cases, engine):
    rows = [
        {"said": "two lattes", "order": "2 x latte"},
        {"said": "a medium mocha and a latte", "order": "latte; mocha"},  # a spoken default, other order of lines
        {"said": "a latte", "order": "mocha"},
        {"said": "a latte and a sticky roll", "order": "latte; bun"},
        {"said": "hello there", "before": "latte", "order": "latte"},
        {"said": "remove the latte", "before": "latte; bun", "order": "latte; bun"},
        {"said": "a mocha", "order": "2 x mocha", "or": ["mocha"]},
    ]
    found = verdicts(engine, cases("\n".join(map(json.dumps, rows))))
    assert found == ["exact", "exact", "false change", "missed", "exact", "false change", "exact"]


def test_a_conversation_goes_on_with_its_questions_and_after_a_wrong_turn_from_the_right_order(cases, engine):
    turns = [
        {"said": "a latte", "order": "latte"},
        {"said": "large", "order": "latte [l]"},
        {"said": "zzz", "order": "latte [l]; bun"},
        {"said": "and a mocha", "order": "latte [l]; bun; mocha"},
    ]
    assert verdicts(engine, cases(json.dumps({"turns": turns}))) == ["exact", "exact", "missed", "exact"]


def test_the_worst_come_first_with_the_reason(cases, engine):
    scored = score(engine, cases("a latte and a sticky roll,latte; bun\nfive lattes,mocha\n"))
    assert [outcome.verdict for outcome in scored.worst] == [Verdict.FALSE_CHANGE, Verdict.MISSED]
    assert notation(scored.worst[0].reply["lines"]) == "5 x latte"
    text = "\n".join(reasons(scored.worst[1].reply))
    assert "«latte» as latte" in text
    assert "unread: sticky roll" in text


def test_an_alias_that_mends_and_breaks_nothing_is_found(cases, engine, menu):
    read = cases("a latte and a sticky roll,latte; bun\na sticky roll,bun\na latte,latte\n")
    (best, *_) = remedies(menu, read, score(engine, read))
    assert (best.part, best.alias, list(best.mended), best.n_broken) == (Part(None, "bun"), "sticky roll", [1, 2], 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["there are no sentences"]),
        ("a,b,c\n", ["line 1: 3 cells in place of two"]),
        ("a latte,tea\nx,latte [xl]\n", ["line 1: not a line of the menu shop: 'tea'", "line 2: not an option on the menu shop: 'xl'"]),
        ('{"said": "a"}\n{"said"\n', ["line 1: order: Field required", "line 2: not JSON"]),
        ('{"turns": []}', ["line 1: turns: List should have at least 1 item"]),
        ('{"said": "a", "order": [{"item": "tea"}]}', ["line 1: lines.0.item: The menu has no such item"]),
        ('{"said": "a", "order": "", "orders": ""}', ["line 1: orders: Extra inputs are not permitted"]),
    ],
)
def test_every_fault_of_the_file_is_named_with_its_line(cases, text, expected):
    with pytest.raises(CasesBroken) as broken:
        cases(text)
    found = str(broken.value).splitlines()
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True)), found


def test_the_command_reports_writes_junit_and_fails_below_the_wanted_share(tmp_path):
    menu, sentences, junit = tmp_path / "shop.yaml", tmp_path / "own.csv", tmp_path / "junit.xml"
    menu.write_text(yaml.safe_dump(SHOP), "utf-8")
    sentences.write_text("said,order\na latte,latte\na sticky roll & <b>,bun\n", "utf-8")
    run = CliRunner()
    arguments = ["evaluate", str(sentences), "--menu", str(menu), "--junit", str(junit)]
    done = run.invoke(commands, arguments)
    assert done.exit_code == 0, done.output
    assert "2 turns: 1 exact (50.0%), 0 false changes (0.0%), 1 missed" in done.output
    suite = ET.parse(junit).getroot()  # noqa: S314 - ours
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert suite[1].get("name") == "line 3: a sticky roll & <b>"
    assert suite[1][0].get("message") == "right: bun; got: nothing"
    assert run.invoke(commands, [*arguments, "--no-aliases", "--min-exact", "0.9"]).exit_code == 1
    for wrong in (["evaluate", "/nowhere", "--menu", str(menu)], ["evaluate", str(sentences), "--menu", "/nowhere.yaml"]):
        failed = run.invoke(commands, wrong)
        assert failed.exit_code == 2
        assert "cannot be read" in failed.output


def test_the_example_sentences_are_of_the_example_menu():
    menu = Menu.model_validate(yaml.safe_load((ROOT / "menus/quan-nha.yaml").read_text("utf-8")))
    assert len(read_cases(ROOT / "examples/sentences.csv", menu)) == 5
