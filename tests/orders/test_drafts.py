"""Draft lines: requests as drafts, and what an utterance does to them."""

import pytest

from errors import ItemNotFound, ValidationFailed
from schemas import LineRequest
from tests.orders.test_pricing import PRICING
from voice.orders.drafts import Draft, drafts_of


def request_of(**fields):
    return LineRequest.model_validate({"item": "latte", **fields})


def test_the_lines_of_a_request_become_drafts_in_their_order():
    drafts = drafts_of(PRICING, [request_of(quantity=2), LineRequest(item="muffin")])
    assert [(draft.item, draft.quantity, draft.index, draft.cost) for draft in drafts] == [("latte", 2, 0, None), ("muffin", 1, 1, None)]


def test_options_of_a_request_are_priced_from_the_menu():
    (draft,) = drafts_of(PRICING, [request_of(options=[{"group": "extras", "choice": "shot", "quantity": 2, "price": 1}])])
    assert [option["price"] for option in draft.options] == [150]


@pytest.mark.parametrize(
    ("line", "failure", "location"),
    [
        ({"item": "mocha"}, ItemNotFound, ["lines", 0, "item"]),
        ({"item": "muffin", "options": [{"group": "size", "choice": "l"}]}, ValidationFailed, ["lines", 0, "options", 0, "group"]),
        ({"options": [{"group": "size", "choice": "xl"}]}, ValidationFailed, ["lines", 0, "options", 0, "choice"]),
        ({"options": [{"group": "size", "alternatives": ["l", "xl"]}]}, ValidationFailed, ["lines", 0, "options", 0, "choice"]),
        ({"options": [{"group": "size"}]}, ValidationFailed, ["lines", 0, "options", 0, "choice"]),
    ],
)
def test_a_name_that_the_menu_lacks_is_reported_with_its_place(line, failure, location):
    with pytest.raises(failure) as caught:
        drafts_of(PRICING, [request_of(**line)])
    assert [error["loc"] for error in caught.value.errors] == [location]


def test_lines_with_the_same_item_and_options_have_the_same_meaning_whatever_their_order():
    size, shot = PRICING.option("size", ["l"], None, 1), PRICING.option("extras", ["shot"], None, 1)
    assert Draft("latte", 1, [size, shot]).meaning == Draft("latte", 5, [shot, size]).meaning
    assert Draft("latte", 1, [size]).meaning != Draft("latte", 1, [shot]).meaning


def test_equal_drafts_are_still_two_lines():
    assert Draft("latte", 1) != Draft("latte", 1)


def test_a_draft_that_no_utterance_touched_has_no_span():
    line = Draft("muffin", 2).priced(PRICING, (), None)
    assert (line["total"], line["span"], line["confidence"]) == (500, None, None)
