from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import ItemNotFound
from tests.recommend.sample_orders import (
    ITEMS,
    MONDAY_NOON,
    baskets,
    count_share,
    histories,
    ids,
    make_menu,
    make_orders,
    naan_orders,
    recommender_of,
    suggest,
)
from voice.menus.menu import Menu
from voice.recommend.recommender import Recommender


def test_without_orders_suggestions_are_in_the_order_of_the_menu():
    suggestions = suggest(Recommender(make_menu("tea", "cake", "pho", "bun")), "cake", limit=3)
    assert ids(suggestions) == ["tea", "pho", "bun"]
    assert {suggestion["reason"]["kind"] for suggestion in suggestions} == {"menu"}


def test_without_other_evidence_suggestions_are_ranked_by_popularity():
    recommender = recommender_of(make_menu("tea", "cake", "pho"), make_orders(*["pho"] * 15, *["cake"] * 10, *["tea"] * 5))
    assert ids(suggest(recommender)) == ["pho", "cake", "tea"]


def test_items_that_are_ordered_together_are_suggested_first():
    orders = make_orders(*["tea cake"] * 7, *["tea"] * 3, *["pho bun"] * 20, *["pho"] * 30)
    assert suggest(recommender_of(make_menu("pho", "bun", "tea", "cake"), orders), "tea")[0]["item"] == "cake"


def test_a_customer_s_own_items_are_suggested_first_to_that_customer_only():
    orders = [*make_orders(*["pho", "bun"] * 20), *make_orders("cake tea", "cake", "cake", customer_id=7)]
    recommender = recommender_of(make_menu("pho", "bun", "tea", "cake"), orders)
    assert ids(suggest(recommender, customer_id=7))[0] == "cake"
    assert ids(suggest(recommender, customer_id=8))[0] in {"pho", "bun"}


def test_suggestions_depend_on_the_hour():
    morning, evening = MONDAY_NOON.replace(hour=7), MONDAY_NOON.replace(hour=19)
    recommender = recommender_of(
        make_menu("cake", "coffee", "wine"),
        [*make_orders(*["wine"] * 20, start=evening), *make_orders(*["coffee"] * 20, start=morning)],
    )
    assert ids(suggest(recommender, at=morning))[0] == "coffee"
    assert ids(suggest(recommender, at=evening))[0] == "wine"


def test_an_order_changes_the_next_suggestions():
    recommender = recommender_of(make_menu("tea", "cake"), make_orders("tea"))
    assert ids(suggest(recommender)) == ["tea", "cake"]
    for order in make_orders("cake", "cake"):
        recommender.add_orders([order])
    assert ids(suggest(recommender)) == ["cake", "tea"]


def test_items_in_the_basket_excluded_or_unavailable_are_not_suggested():
    menu = make_menu("tea", "cake", "pho", "bun", unavailable=("bun",))
    recommender = recommender_of(menu, make_orders(*["tea cake pho bun"] * 5))
    assert ids(suggest(recommender, "tea", "tea", exclude=["cake", "not-on-the-menu"])) == ["pho"]
    assert suggest(recommender, "tea", "cake", "pho") == []


def test_an_unknown_item_in_the_basket_is_rejected():
    with pytest.raises(ItemNotFound, match="coffee"):
        suggest(Recommender(make_menu("tea")), "coffee")


def test_counts_survive_a_change_of_the_menu():
    recommender = recommender_of(make_menu("tea", "cake", "pho"), make_orders("cake", "cake", "pho"))
    recommender.set_menu(make_menu("bun", "pho", "tea"))
    assert ids(suggest(recommender)) == ["pho", "bun", "tea"]
    recommender.set_menu(make_menu("bun", "pho", "tea", "cake"))
    assert ids(suggest(recommender))[0] == "cake"


def test_an_ordered_item_that_the_menu_lacks_is_suggested_once_the_menu_has_it():
    recommender = recommender_of(make_menu("tea"), make_orders("cake", "cake tea"))
    assert ids(suggest(recommender)) == ["tea"]
    recommender.set_menu(make_menu("tea", "cake"))
    assert ids(suggest(recommender)) == ["cake", "tea"]


def test_scores_are_descending_probabilities():
    recommender = recommender_of(make_menu("a", "b", "c", "d"), make_orders("a b", "a c", "b c d", "a"))
    scores = [suggestion["score"] for suggestion in suggest(recommender, "a")]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-4)
    assert Counter(0 <= score <= 1 for score in scores) == {True: 3}


@pytest.mark.parametrize("basket", [[], ["cola-0"], ["pho"]])
def test_one_category_does_not_take_all_places_even_where_it_has_nearly_all_orders(basket):
    colas, others = [f"cola-{number}" for number in range(8)], ["pho", "bun"]
    menu = Menu.model_validate(
        {
            "id": "m",
            "name": "M",
            "currency": "VND",
            "items": {item: {"name": item, "price": 1, "category": "drinks" if item in colas else "food"} for item in [*colas, *others]},
        }
    )
    recommender = recommender_of(menu, make_orders(*colas * 10, *["cola-1 cola-2"] * 9, *["pho"] * 3, *["bun"] * 3))
    suggestions = suggest(recommender, *basket)
    assert {*others} - {*basket} < set(ids(suggestions))
    scores = [suggestion["score"] for suggestion in suggestions]
    assert scores == sorted(scores, reverse=True)


some_items = st.sets(st.sampled_from(ITEMS))


@given(histories(), baskets, st.tuples(some_items, some_items), st.integers(1, 8), st.sampled_from([None, 1, 3]))
@settings(max_examples=150, deadline=None)
def test_for_any_orders_all_possible_items_are_suggested_with_true_reasons(orders, basket, impossible, limit, customer_id):
    exclude, unavailable = impossible
    recommender = recommender_of(make_menu(*ITEMS, unavailable=unavailable), orders)
    suggestions = suggest(recommender, *basket, customer_id=customer_id, limit=limit, exclude=exclude)
    possible = [item for item in ITEMS if item not in {*basket, *exclude, *unavailable}]
    assert len(suggestions) == min(limit, len(possible))
    assert set(ids(suggestions)) <= set(possible)
    assert len(set(ids(suggestions))) == len(suggestions)
    scores = [suggestion["score"] for suggestion in suggestions]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    for suggestion in suggestions:
        assert suggestion["reason"]["share"] == pytest.approx(count_share(orders, suggestion, basket, customer_id), abs=5e-5)


@given(histories(), baskets, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_suggestions_do_not_depend_on_the_order_of_the_basket_or_the_batches_of_orders(orders, basket, random):
    recommender, other = recommender_of(make_menu(*ITEMS), orders), Recommender(make_menu(*ITEMS))
    for order in orders:
        other.add_orders([order])
    shuffled = random.sample(basket, len(basket))
    assert suggest(recommender, *basket) == suggest(recommender, *shuffled) == suggest(other, *basket, *basket)


def test_cached_suggestions_are_those_of_a_new_recommender_and_cannot_be_changed():
    menu = make_menu(*ITEMS)
    orders = [*make_orders("i0 i1", "i1 i2", "i0 i3", customer_id=1), *make_orders("i4", "i4 i1", start=MONDAY_NOON.replace(hour=20))]
    queries = [
        ((item,), {"customer_id": customer_id, "at": at, "limit": limit, "exclude": exclude})
        for item in ITEMS[:5]
        for customer_id in (None, 1, 7)
        for at in (MONDAY_NOON, MONDAY_NOON.replace(hour=20), MONDAY_NOON + timedelta(days=1))
        for limit in (1, 4)
        for exclude in ((), ("i1",))
    ]
    caching = recommender_of(menu, orders, max_cached_suggestions=20)
    for _ in range(2):
        for basket, query in queries:
            suggestions = suggest(caching, *basket, **query)
            assert suggestions == suggest(recommender_of(menu, orders), *basket, **query)
            suggestions.clear()
    assert len(caching._suggestions) <= 21  # noqa: SLF001 - the bound of the cache has no other effect


def test_fits_are_due_as_the_orders_grow():
    dues = []
    recommender = Recommender(make_menu("tea"))
    for order in make_orders(*["tea"] * 260):
        recommender.add_orders([order])
        dues.append(recommender.due)
    assert list(dict.fromkeys(dues)) == [None, 100, 150, 200, 250]


def test_the_oldest_orders_leave_the_window_of_a_fit():
    orders = naan_orders(440)
    recommender = recommender_of(make_menu("tea"), orders, max_window_orders=300)
    assert recommender.due == 400
    fit_orders, _ = recommender.fit_input(400)
    assert fit_orders.placed_at_s.tolist() == [order.placed_at.timestamp() for order in orders[100:400]]


def test_an_item_is_suggested_only_at_its_times():
    times = {"noon": [{"days": ["mon"], "from": "12:00", "to": "13:00"}]}
    items = {"tea": {"name": "Tea", "price": 1}, "pho": {"name": "Pho", "price": 1, "when": ["noon"]}}
    menu = Menu.model_validate({"id": "m", "name": "M", "currency": "VND", "times": times, "items": items})
    recommender = recommender_of(menu, make_orders("pho", "pho", "tea"))
    assert ids(suggest(recommender, at=MONDAY_NOON)) == ["pho", "tea"]
    assert ids(suggest(recommender, at=MONDAY_NOON.replace(minute=59))) == ["pho", "tea"]
    assert ids(suggest(recommender, at=MONDAY_NOON + timedelta(hours=1))) == ["tea"]
    assert ids(suggest(recommender, at=MONDAY_NOON + timedelta(days=1))) == ["tea"]
