import pytest

from tests.recommend.sample_orders import make_menu, make_orders, recommender_of, suggest
from voice.recommend.recommender import Recommender


def reason_for(item, recommender, *basket, **query):
    return next(suggestion["reason"] for suggestion in suggest(recommender, *basket, **query) if suggestion["item"] == item)


def test_an_item_without_orders_is_explained_by_the_menu():
    assert reason_for("tea", Recommender(make_menu("tea"))) == {"kind": "menu", "item": None, "share": None, "text": "On the menu"}


def test_an_item_is_explained_by_its_share_of_all_orders():
    recommender = recommender_of(make_menu("tea", "cake", "pho"), make_orders(*["pho"] * 15, *["cake"] * 10, *["tea"] * 5))
    assert reason_for("pho", recommender) == {"kind": "popular", "item": None, "share": 0.5, "text": "Ordered by many"}
    assert reason_for("tea", recommender) == {"kind": "popular", "item": None, "share": 0.1667, "text": "Ordered by others too"}


def test_an_item_is_explained_by_the_item_of_the_basket_it_is_ordered_with():
    orders = make_orders(*["tea cake"] * 7, *["tea"] * 3, *["pho bun"] * 20, *["pho"] * 30)
    recommender = recommender_of(make_menu("pho", "bun", "tea", "cake"), orders)
    expected = {"kind": "with", "item": "tea", "share": 0.7, "text": "7 of 10 orders with Tea have this too"}
    assert reason_for("cake", recommender, "tea") == expected


def test_the_reason_is_the_item_of_the_basket_with_the_greatest_share():
    orders = make_orders(*["tea cake"] * 9, *["tea"] * 1, *["pho cake"] * 2, *["pho"] * 8, *["cake bun"] * 9, *["cake"] * 9)
    recommender = recommender_of(make_menu("tea", "cake", "pho", "bun"), orders)
    for basket in (["tea", "pho"], ["pho", "tea"]):
        assert reason_for("cake", recommender, *basket)["item"] == "tea"
    # Cake is in 29 of 38 orders, but in 2 of 10 with pho.
    assert reason_for("cake", recommender, "pho")["kind"] == "popular"


WITH = {
    (7, 3): "7 of 10 orders with Tea have this too",
    (14, 6): "About 7 of 10 orders with Tea have this too",
    (2, 19): "About 1 of 10 orders with Tea have this too",
    (2, 48): "Ordered with Tea more often than otherwise",
}


@pytest.mark.parametrize(("counts", "text"), WITH.items())
def test_a_share_is_stated_as_precisely_as_it_is_known(counts, text):
    together, alone = counts
    orders = make_orders(*["tea cake"] * together, *["tea"] * alone, *["pho"] * 60)
    assert reason_for("cake", recommender_of(make_menu("pho", "tea", "cake"), orders), "tea")["text"] == text


USUAL = {
    "cake": (1.0, "You had this last time"),
    "cake cake": (1.0, "Your usual: in 2 of your last 2 orders"),
    "cake cake tea tea": (0.5, "Your usual: in 2 of your last 4 orders"),
    "cake cake tea tea tea tea tea": (0.2857, "You have had this: in 2 of your last 7 orders"),
}


@pytest.mark.parametrize(("own", "expected"), USUAL.items())
def test_a_customer_s_own_orders_are_stated_as_habit_by_their_share(own, expected):
    recommender = recommender_of(make_menu("tea", "cake", "pho"), [*make_orders(*["pho"] * 20), *make_orders(*own.split(), customer_id=7)])
    share, text = expected
    assert reason_for("cake", recommender, customer_id=7) == {"kind": "usual", "item": None, "share": share, "text": text}


def test_one_of_several_own_orders_is_no_habit():
    recommender = recommender_of(make_menu("tea", "cake"), make_orders("cake", "tea", customer_id=7))
    assert reason_for("cake", recommender, customer_id=7)["kind"] == "popular"


def test_a_reason_changes_with_the_counts():
    recommender = recommender_of(make_menu("tea", "cake"), make_orders("tea"))
    assert reason_for("tea", recommender)["share"] == 1
    recommender.add_orders(make_orders("cake"))
    assert reason_for("tea", recommender)["share"] == 0.5


def test_a_vietnamese_menu_gets_vietnamese_reasons():
    assert reason_for("tra", Recommender(make_menu("tra", "pho", languages=("vi", "en"))))["text"] == "Có trong thực đơn"
