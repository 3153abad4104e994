"""New lines of spoken utterances that may be talk are asked about."""

import pytest

from settings import ROOT
from tests.dialog.shop import MENU, asked, model, order_of, say
from voice.dialog.turn import DialogEngine
from voice.menus.loading import read_menu
from voice.menus.menu import Menu

ENGINE = DialogEngine(Menu.model_validate(MENU), model=model())


@pytest.mark.parametrize(
    "text",
    [
        "a colo behind the village gate",  # an inexact name
        "the chicken ran over the old bridge",  # a part of a name
        "seven eight chicken nine ten two one",  # numbers that count nothing
    ],
)
def test_words_of_spoken_talk_that_resemble_an_item_are_at_most_asked_about(text):
    reply = say(text, engine=ENGINE, is_spoken=True)
    assert order_of(reply) == []
    assert asked(reply) in ([], [("check", None, None)])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("could I get a cola please", ["1 cola"]),
        ("a cola behind you", ["1 cola"]),  # the whole name
        ("a chicken on rye over there", ["1 chicken-sandwich rye"]),  # an option
        ("two colo", ["2 cola"]),  # nothing else is said
        ("seven chicken", ["7 chicken-sandwich"]),
    ],
)
def test_spoken_orders_are_made(text, lines):
    assert order_of(say(text, engine=ENGINE, is_spoken=True)) == lines


def test_more_talk_lowers_the_confidence_of_a_spoken_line():
    texts = "a cola", "a cola behind you", "a cola behind the gate"
    replies = [say(text, engine=ENGINE, is_spoken=True) for text in texts]
    confidences = [max([line["confidence"] or 0.0 for line in reply["lines"]], default=0.0) for reply in replies]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[-1] < (say(texts[-1], engine=ENGINE)["lines"][0]["confidence"] or 0.0)


@pytest.mark.parametrize(
    "talk",
    [
        "xoài này ngọt",
        pytest.param("xoài chín rồi", marks=pytest.mark.xfail(strict=True, reason='weights: "chín" (ripe) is read as the number nine')),
    ],
)
def test_a_modifier_of_a_name_alone_is_asked_about_unless_it_is_counted(talk):
    engine = DialogEngine(read_menu(ROOT / "menus" / "quan-nha.yaml"))
    alone, counted = (say(text, engine=engine, is_spoken=True) for text in (talk, "một sinh tố xoài"))
    assert (alone["lines"], alone["questions"][0]["kind"]) == ([], "check")
    assert [line["item"] for line in counted["lines"]] == ["sinh-to-xoai"]
