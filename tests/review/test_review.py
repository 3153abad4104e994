"""Utterances are kept only on request and for a time; a review finds in them what would have helped."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tests.clock import Clock
from tests.conftest import client_of
from tests.evaluation.test_evaluate import SHOP
from tests.store.samples import NOON, opened
from voice.__main__ import commands
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import conversation_of, state_of
from voice.evaluation.cases import read_cases
from voice.evaluation.review import Review, review
from voice.evaluation.review_report import finding_lines, help_lines, write_cases
from voice.evaluation.scoring import score
from voice.live.session_order import SessionOrder
from voice.menus.menu import Menu
from voice.menus.served import ServedMenus
from voice.review.kept import Kept
from voice.review.recorder import Recorder

pytestmark = pytest.mark.anyio
ENGINE = DialogEngine(Menu.model_validate(SHOP))
CONVERSATIONS = [
    ["a sticky snail please", "a cinnamon bun"],
    ["one sticky snail", "one cinnamon bun then", "that's all"],
    ["two lattes", "no, make it three lattes", "that's all", "yes"],
    ["a latte with a grande size", "large"],
    ["mocha, oat milk"],
]


class Kepts(list[Kept]):
    """Keeps records in memory."""

    async def keep_utterances(self, kept: Any) -> None:
        self.extend(kept)

    async def forget_utterances(self, before: Any) -> int:
        self[:] = [one for one in self if one.said_at >= before]
        return 0


async def talked(*conversations: list[str]) -> Kepts:
    """Return the records of conversations, 20 seconds between two turns and an hour between two conversations."""
    clock, kepts = Clock(NOON), Kepts()
    recorder = Recorder(kepts, 7, clock=clock)
    for conversation in conversations:
        order: Any = {"lines": [], "questions": [], "changes": [], "notes": []}
        for text in conversation:
            before = state_of(ENGINE.menu, conversation_of(order))
            order = ENGINE.take_turn(text, before)
            recorder.record("demo", text, before, order)
            clock.now += timedelta(seconds=20)
        clock.now += timedelta(hours=1)
    await recorder.write()
    return kepts


def reviewed(kepts: Kepts) -> Review:
    return review(ENGINE.menu, kepts, ENGINE.ask_below)


async def test_a_review_tells_what_went_wrong_what_was_right_and_the_aliases_that_help(tmp_path):
    found = reviewed(await talked(*CONVERSATIONS))
    assert [" | ".join(" ".join(line.split()) for line in finding_lines(number, one)) for number, one in enumerate(found.findings, 1)] == [
        "1. below confidence, left unmatched, 2 times: 'one sticky snail' | got: nothing | right: bun | unmatched: 'sticky snail'",
        "2. corrected at once: 'two lattes' | got: 2 x latte | right: 3 x latte",
        "3. corrected at once, left unmatched: 'a latte with a grande size' | got: latte | right: latte [l] | unmatched: 'grande'",
        "4. left unmatched: 'mocha, oat milk' | got: mocha | unmatched: 'oat milk' - is an item, an option of mocha or an alias missing?",
    ]
    assert [*help_lines(found)] == [
        "items.bun.aliases: 'sticky snail' would have helped in 1",
        "option_groups.size.choices.l.aliases: 'grande' would have helped in 3",
    ]
    write_cases(tmp_path / "cases.jsonl", [found.findings[0], found.findings[2]])
    mended = yaml.safe_load(yaml.safe_dump(SHOP))
    mended["items"]["bun"]["aliases"] = ["sticky snail"]
    mended["option_groups"]["size"]["choices"]["l"]["aliases"] = ["grande"]
    menu = Menu.model_validate(mended)
    assert score(DialogEngine(menu), read_cases(tmp_path / "cases.jsonl", menu)).exact_share == 1


async def test_an_answer_that_was_asked_for_again_has_the_order_of_the_answer_that_was_understood(tmp_path):
    menu = json.loads(json.dumps(SHOP))
    menu["option_groups"]["size"] |= {"required": True, "default": None}
    engine = DialogEngine(Menu.model_validate(menu))
    kepts = Kepts()
    recorder = Recorder(kepts, 1)
    live = SessionOrder(lambda: engine, record=lambda *turn: recorder.record("demo", *turn))
    for text in ("a latte", "the purple whopper", "large"):
        live.accept(live.parse([{"start_s": 0.0, "end_s": 1.0, "text": text, "confidence": 0.9}]))
    await recorder.write()
    (finding,) = review(engine.menu, kepts, engine.ask_below).findings
    assert "asked again" in finding.kinds
    assert finding.case is not None
    assert [turn.said for turn in finding.case.turns] == ["a latte", "the purple whopper"]
    write_cases(tmp_path / "cases.jsonl", [finding])
    assert json.loads((tmp_path / "cases.jsonl").read_text())["turns"][1]["order"] == [
        {"item": "latte", "options": [{"group": "size", "choice": "l"}]}
    ]


async def test_a_change_of_mind_later_is_no_correction():
    assert reviewed(await talked(["two lattes", "a bun", "that's all"], ["three lattes"])).findings == []


async def test_long_numbers_and_notes_are_not_kept():
    (kept,) = await talked(["call me on 0901 234 567, one latte for Sarah Connor"])
    assert "0901" not in str(kept)
    assert "234" not in str(kept)
    assert not any(name in kept.document for name in ("notes", "customer_id"))
    assert kept.document["lines"] == [{"item": "latte", "quantity": 1, "options": []}]


async def test_nothing_is_kept_unless_it_is_asked_for():
    kepts = await talked(["two lattes"])
    recorder = Recorder(kepts, 0)
    recorder.record("demo", "a bun", state_of(ENGINE.menu, conversation_of(ENGINE.take_turn("a bun"))), ENGINE.take_turn("a bun"))
    await recorder.write()
    assert len(kepts) == 1


async def test_the_command_lists_what_the_service_kept_and_writes_what_is_confirmed(state, tmp_path, monkeypatch):
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(SHOP), "utf-8")
    url = f"sqlite+aiosqlite:///{tmp_path}/voice.db"
    async with opened(url) as store:
        menus = ServedMenus(tmp_path, DialogEngine, store)
        menus.refresh()
        recorder = Recorder(store, 7)
        async with client_of(state, menus=menus, recorder=recorder) as client:
            reply: Any = {}
            for text in ("a latte with a grande size", "large"):
                sent = {name: reply.get(name, []) for name in ("lines", "questions", "changes", "notes")}
                reply = (await client.post("/api/v1/voice/order", json={"text": text, "customer_id": 77, **sent})).json()["data"]
        await recorder.close()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("MENU_DIR", str(tmp_path))
    cases = tmp_path / "cases.jsonl"
    done = await asyncio.to_thread(CliRunner().invoke, commands, ["review", "--menu", "shop", "--output", str(cases)], input="y\n")
    assert done.exit_code == 0, done.output
    assert "size.choices.l.aliases: 'grande' would have helped in 1" in done.output
    assert "2 utterances, 1 finding" in done.output
    assert [turn.said for turn in read_cases(cases, ENGINE.menu)[0].turns] == ["a latte with a grande size"]
    assert (await asyncio.to_thread(CliRunner().invoke, commands, ["review", "--menu", "none"])).exit_code == 2
