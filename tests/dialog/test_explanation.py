"""`data.explain`: how an utterance was read."""

import json

import pytest

from schemas import Explanation
from tests.dialog.shop import MENU, line, say
from voice.dialog.explanation import MAX_ENTRIES, MAX_FEATURES, MAX_NAMES, in_short
from voice.dialog.explanation_text import explanation_text
from voice.menus.menu import Menu
from voice.orders.corpus import lines_of
from voice.orders.parser.acts import ACTS
from voice.orders.parser.draft import DraftLine, DraftOption, MenuIndex

SIZE = {"kind": "missing", "line": 0, "group": "size", "choices": ["small", "large"], "times": 1}
UTTERANCES = ["Well, two large milk teas with black pearls. And a cola, please!", "hai trà sữa lớn, một ly không trân châu đen"]


def explain(text, state=None, **options) -> Explanation:
    return say(text, state, explain=True, **options)["explain"]


def test_a_turn_is_explained_only_on_demand():
    assert "explain" not in say("a cola")
    assert explanation_text(say("a cola")) == ""


@pytest.mark.parametrize("text", UTTERANCES)
def test_the_rest_of_the_reply_is_the_same(text):
    reply = say(text, explain=True)
    del reply["explain"]
    assert reply == say(text)


@pytest.mark.parametrize("text", UTTERANCES)
def test_the_arcs_cover_all_tokens_but_punctuation_in_order(text):
    explained = explain(text)
    spans = [arc["span"] for arc in explained["chosen"]["arcs"]]
    assert spans == sorted(spans)
    read = [arc["text"] for arc in explained["chosen"]["arcs"]]
    assert " ".join(read).lower() == " ".join(token["text"] for token in explained["tokens"] if token["text"] not in {",", ".", "!"})
    assert [text[slice(*arc["span"])] for arc in explained["chosen"]["arcs"]] == read


def test_an_arc_has_the_value_of_its_words_as_ids_and_names():
    arcs = {arc["text"]: arc for arc in explain("two milk teas no black pearls")["chosen"]["arcs"]}
    assert (arcs["two"]["role"], arcs["two"]["value"], arcs["two"]["fits"]) == ("number", 2, [])
    assert (arcs["no"]["role"], arcs["no"]["value"]) == ("amount", "no")
    assert (arcs["milk teas"]["role"], arcs["milk teas"]["value"]) == ("item", None)
    assert arcs["milk teas"]["fits"] == [{"id": "milk-tea", "name": "Milk tea"}]
    assert arcs["black pearls"]["fits"] == [{"group": "topping", "id": "black", "name": "Black pearls"}]


@pytest.mark.parametrize("text", UTTERANCES)
def test_the_costs_of_arcs_and_events_add_up_to_the_cost_of_the_parse(text):
    chosen = explain(text)["chosen"]
    assert sum(part["cost"] for part in (*chosen["arcs"], *chosen["events"])) == pytest.approx(chosen["cost"], abs=0.01)


@pytest.mark.parametrize("text", UTTERANCES)
def test_the_heaviest_features_come_first_and_add_up_to_the_cost(text):
    chosen = explain(text)["chosen"]
    for part in (*chosen["arcs"], *chosen["events"]):
        costs = [feature["cost"] for feature in part["features"]]
        assert costs == sorted(costs, key=lambda cost: -abs(cost))
        assert len(costs) <= MAX_FEATURES
        if len(costs) < MAX_FEATURES:
            assert sum(costs) == pytest.approx(part["cost"], abs=0.002)
        for feature in part["features"]:
            assert feature["cost"] == pytest.approx(feature["value"] * feature["weight"], abs=0.001)


def test_an_event_has_its_attributes_and_its_place_between_the_arcs():
    events = explain("two milk teas and a cola")["chosen"]["events"]
    added = [event for event in events if event["event"] == "add"]
    assert [(event["attributes"]["link"], event["attributes"]["number"], event["n_arcs"]) for event in added] == [
        ("", "many", 3),
        ("and", "article", 5),
    ]


def test_an_edit_has_its_words_and_the_lines_before_and_after_it():
    state = {"lines": [line("milk-tea", size="small"), line("cola", 2)]}
    assert explain("make the colas three and a lemonade", state)["chosen"]["edits"] == [
        {"span": (0, 20), "text": "make the colas three", "lines": [{"line": 1, "before": "2 x cola", "after": "3 x cola"}]},
        {"span": (25, 35), "text": "a lemonade", "lines": [{"line": 2, "before": None, "after": "1 x lemonade"}]},
    ]
    removal = explain("take off the cola", state)["chosen"]
    assert removal["edits"][0]["lines"] == [{"line": 1, "before": "2 x cola", "after": None}]
    assert removal["order"] == ["1 x milk-tea [small]"]


def test_a_line_that_several_items_fit_is_unresolved():
    chosen = explain("a cola and two sandwiches no chilli")["chosen"]
    assert (chosen["order"], chosen["unresolved"]) == (["1 x cola"], ["2 x chicken-sandwich|tofu-sandwich [no chilli]"])


def test_words_that_were_left_unread_are_named():
    chosen = explain("two colas zzyzx")["chosen"]
    assert chosen["unread"] == ["zzyzx"]
    assert [arc["role"] for arc in chosen["arcs"]][-1] == "unread"


def test_the_acts_have_probabilities_that_add_up_to_one():
    explained = explain("two colas")
    assert (explained["act"], next(iter(explained["acts"]))) == ("order", "edit")
    assert set(explained["acts"]) == set(ACTS)
    assert sum(explained["acts"].values()) == pytest.approx(1, abs=0.001)
    assert list(explained["acts"].values()) == sorted(explained["acts"].values(), reverse=True)
    assert next(iter(explain("what do you have")["acts"])) == "question"


def test_the_probabilities_of_the_acts_depend_on_the_asked_question():
    assert explain("no")["acts"] != explain("no", {"lines": [line("milk-tea")], "questions": [SIZE]})["acts"]


def test_the_question_that_the_utterance_was_read_to_answer_is_named():
    pending = {"op": "add", "quantity": 2}
    sandwiches = {"kind": "ambiguous", "choices": ["chicken-sandwich", "tofu-sandwich"], "pending": pending}
    state = {"lines": [line("milk-tea")], "questions": [SIZE, sandwiches]}
    assert explain("large", state)["asked"] == {"kind": "missing", "line": 0, "group": "size", "choices": ["small", "large"]}
    assert explain("the tofu one", state)["asked"] == {
        "kind": "ambiguous",
        "line": None,
        "group": None,
        "choices": ["chicken-sandwich", "tofu-sandwich"],
    }
    assert explain("large")["asked"] is None


def test_the_runner_up_has_another_order_and_what_it_differs_in():
    state = {"lines": [line("milk-tea", 3)], "questions": [SIZE]}
    explained = explain("the small one", state)
    chosen, other = explained["chosen"], explained["runner_up"]
    assert other is not None
    assert (other["order"], other["unresolved"]) != (chosen["order"], chosen["unresolved"])
    assert other["probability"] <= chosen["probability"]
    assert all(arc not in chosen["arcs"] for arc in other["arcs"])
    assert 0 < len(other["differences"]) <= MAX_FEATURES
    for one in other["differences"]:
        assert one["chosen"] != one["runner_up"]
        assert one["cost"] == pytest.approx(one["weight"] * (one["runner_up"] - one["chosen"]), abs=0.001)
    costs = [abs(one["cost"]) for one in other["differences"]]
    assert costs == sorted(costs, reverse=True)


def test_there_is_no_runner_up_where_all_parses_mean_the_same():
    assert explain("")["runner_up"] is None


def test_the_parsed_utterance_lacks_what_is_no_part_of_the_order():
    text = "a milk tea, I'm allergic to nuts"
    explained = explain(text)
    assert explained["utterance"].startswith("a milk tea")
    assert "nuts" not in explained["utterance"]
    assert len(explained["utterance"]) == len(text)


def test_a_long_utterance_has_a_bounded_explanation():
    lines = [line("milk-tea")] * 200
    explained = explain("a cola, all large, all small, " * 12, {"lines": lines})
    chosen = explained["chosen"]
    assert len(explained["tokens"]) == len(chosen["order"]) == MAX_ENTRIES
    assert max(len(chosen["arcs"]), len(chosen["events"])) <= MAX_ENTRIES
    assert max(len(edit["lines"]) for edit in chosen["edits"]) <= MAX_NAMES
    assert len(json.dumps(explained)) < 300_000


def test_a_line_in_short_is_in_the_notation_of_the_corpus():
    menu = Menu.model_validate(MENU)
    text = "2 x milk-tea [large, no oat, 2*black, extra jelly]"
    (parsed,) = MenuIndex.draft(lines_of(menu, text))
    assert in_short(parsed) == text
    assert in_short(DraftLine(("a", "b"), 1, (DraftOption("g", ("c", "d")),))) == "1 x a|b [c|d]"
    many = DraftLine(("a",), 1, tuple([DraftOption("g", (str(number),)) for number in range(MAX_NAMES + 1)]))
    assert in_short(many) == "1 x a [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]"


def test_the_text_has_the_derivation_the_edits_the_runner_up_and_the_reply():
    text = explanation_text(say("the small one", {"lines": [line("milk-tea", 3)], "questions": [SIZE]}, explain=True))
    reading, _, rest = text.partition("Chosen: probability ")
    chosen, _, rest = rest.partition("Runner-up: probability ")
    other, _, reply = rest.partition("Reply: ")
    assert "missing, line 0, group size: small, large" in reading
    assert "    3 x milk-tea [small]\n" in chosen
    assert any(row.split()[1:4] == ["option", "«small»", "size.small"] for row in chosen.splitlines())
    assert any(row.split()[1:3] == [">", "set_options"] for row in chosen.splitlines())
    assert "line 0: 3 x milk-tea -> 3 x milk-tea [small]" in chosen
    assert "Differences" in other
    assert "3 x Milk tea {Small} 1200" in reply
