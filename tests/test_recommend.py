from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from errors import ItemNotFound
from schemas import Menu
from voice.recommend import Recommender
from voice.store import PastOrder

MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def make_menu(*item_ids, languages=("en",), unavailable=()):
    items = {item: {"name": item.title(), "price": 100, "available": item not in unavailable} for item in item_ids}
    return Menu.model_validate({"id": "m", "name": "M", "currency": "VND", "languages": list(languages), "items": items})


def make_orders(*baskets, customer_id=None, start=MONDAY_NOON):
    return [
        PastOrder(sequence, "demo", "m", start + timedelta(days=sequence), customer_id, tuple((item, 1) for item in basket.split()))
        for sequence, basket in enumerate(baskets, 1)
    ]


def taught(menu, orders):
    recommender = Recommender(menu)
    recommender.learn_all(orders)
    return recommender


def suggest(recommender, *basket, customer_id=None, at=MONDAY_NOON, limit=5, exclude=()):
    return recommender.recommend([(item, 1) for item in basket], customer_id=customer_id, at=at, limit=limit, exclude=exclude)


def ids(suggestions):
    return [suggestion["item"] for suggestion in suggestions]


def test_without_orders_the_menu_s_order_decides():
    suggestions = suggest(Recommender(make_menu("tea", "cake", "pho", "bun")), "cake", limit=3)
    assert ids(suggestions) == ["tea", "pho", "bun"]
    assert {suggestion["reason"]["kind"] for suggestion in suggestions} == {"menu"}
    assert suggestions[0]["reason"]["share"] is None


def test_popularity_decides_where_nothing_else_is_known():
    recommender = taught(make_menu("tea", "cake", "pho"), make_orders("pho", "pho", "pho", "cake", "cake", "tea"))
    assert ids(suggest(recommender)) == ["pho", "cake", "tea"]
    assert suggest(recommender)[0]["reason"] == {"kind": "popular", "item": None, "share": 0.5, "text": "Ordered by many"}


def test_what_is_ordered_together_comes_first_and_says_so():
    orders = make_orders(*["tea cake"] * 7, *["tea"] * 3, *["pho bun"] * 20, *["pho"] * 30)
    first = suggest(taught(make_menu("pho", "bun", "tea", "cake"), orders), "tea")[0]
    assert first["item"] == "cake"
    assert first["reason"] == {"kind": "with", "item": "tea", "share": 0.7, "text": "7 of 10 orders with Tea have this too"}


def test_a_customer_s_own_orders_come_first_and_say_so():
    orders = [*make_orders(*["pho", "bun"] * 20), *make_orders("cake tea", "cake", "cake", customer_id=7)]
    recommender = taught(make_menu("pho", "bun", "tea", "cake"), orders)
    first = suggest(recommender, customer_id=7)[0]
    assert first["item"] == "cake"
    assert first["reason"] == {"kind": "usual", "item": None, "share": 1.0, "text": "Your usual: in 3 of your last 3 orders"}
    assert ids(suggest(recommender, customer_id=8))[0] in {"pho", "bun"}


def test_the_hour_counts():
    morning, evening = MONDAY_NOON.replace(hour=7), MONDAY_NOON.replace(hour=19)
    recommender = taught(
        make_menu("cake", "coffee", "wine"),
        [*make_orders(*["wine"] * 20, start=evening), *make_orders(*["coffee"] * 20, start=morning)],
    )
    assert ids(suggest(recommender, at=morning))[0] == "coffee"
    assert ids(suggest(recommender, at=evening))[0] == "wine"


def test_every_order_changes_the_next_answer():
    recommender = taught(make_menu("tea", "cake"), make_orders("tea"))
    assert ids(suggest(recommender)) == ["tea", "cake"]
    for order in make_orders("cake", "cake"):
        recommender.learn(order)
    assert ids(suggest(recommender)) == ["cake", "tea"]


def test_nothing_in_the_basket_excluded_or_unavailable_is_suggested():
    menu = make_menu("tea", "cake", "pho", "bun", unavailable=("bun",))
    recommender = taught(menu, make_orders(*["tea cake pho bun"] * 5))
    assert ids(suggest(recommender, "tea", "tea", exclude=["cake", "unheard-of"])) == ["pho"]
    assert suggest(recommender, "tea", "cake", "pho") == []


def test_an_unknown_item_in_the_basket_is_refused():
    with pytest.raises(ItemNotFound):
        suggest(Recommender(make_menu("tea")), "coffee")


def test_a_changed_menu_keeps_what_was_learned():
    recommender = taught(make_menu("tea", "cake", "pho"), make_orders("cake", "cake", "pho"))
    recommender.serve(make_menu("bun", "pho", "tea"))
    assert ids(suggest(recommender)) == ["pho", "bun", "tea"]
    recommender.serve(make_menu("bun", "pho", "tea", "cake"))
    assert ids(suggest(recommender))[0] == "cake"


def test_an_unknown_item_in_an_order_is_learned_for_when_it_is_served():
    recommender = taught(make_menu("tea"), make_orders("cake", "cake tea"))
    assert ids(suggest(recommender)) == ["tea"]
    recommender.serve(make_menu("tea", "cake"))
    assert ids(suggest(recommender)) == ["cake", "tea"]


def test_a_vietnamese_menu_gets_vietnamese_reasons():
    menu = make_menu("tra", "pho", languages=("vi", "en"))
    assert suggest(Recommender(menu))[0]["reason"]["text"] == "Có trong thực đơn"


def test_scores_are_probabilities_that_do_not_rise():
    recommender = taught(make_menu("a", "b", "c", "d"), make_orders("a b", "a c", "b c d", "a"))
    scores = [suggestion["score"] for suggestion in suggest(recommender, "a")]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-4)
    assert Counter(0 <= score <= 1 for score in scores) == {True: 3}
