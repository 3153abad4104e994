"""Small menus and orders for the tests of the recommender."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from voice.menus.menu import Menu
from voice.recommend.past_orders import PastOrder
from voice.recommend.recommender import Recommender

MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ITEMS = [f"i{number}" for number in range(7)]


def make_menu(*item_ids, languages=("en",), unavailable=()):
    items = {item: {"name": item.title(), "price": 100, "available": item not in unavailable} for item in item_ids}
    return Menu.model_validate({"id": "m", "name": "M", "currency": "VND", "languages": list(languages), "items": items})


def make_orders(*baskets, customer_id=None, start=MONDAY_NOON):
    return [
        PastOrder(sequence, "demo", "m", start + timedelta(days=sequence), customer_id, tuple((item, 1) for item in basket.split()))
        for sequence, basket in enumerate(baskets, 1)
    ]


def recommender_of(menu, orders, **limits):
    recommender = Recommender(menu, **limits)
    recommender.add_orders(orders)
    return recommender


def suggest(recommender, *basket, customer_id=None, at=MONDAY_NOON, limit=5, exclude=()):
    return recommender.recommend([(item, 1) for item in basket], customer_id=customer_id, at=at, limit=limit, exclude=exclude)


def ids(suggestions):
    return [suggestion["item"] for suggestion in suggestions]


def naan_orders(n_orders=420):
    """Half have a naan and a curry, half, the more popular, coffee and cake; one naan is ordered once, alone."""
    naans, curries = ["plain-naan", "cheese-naan", "garlic-naan"], ["lamb-curry", "egg-curry"]
    rows = [f"{naans[n % 3]} {curries[n % 2]}" if n % 5 < 2 else "coffee cake" if n % 5 < 4 else "coffee" for n in range(n_orders - 1)]
    return make_orders(*rows, "keema-naan", start=MONDAY_NOON - timedelta(days=n_orders))


def naan_menu():
    items = ["coffee", "cake", "plain-naan", "cheese-naan", "garlic-naan", "keema-naan", "lamb-curry", "egg-curry"]
    menu = {item: {"name": item.replace("-", " ").title(), "price": 1} for item in items}
    return Menu.model_validate({"id": "m", "name": "M", "currency": "VND", "languages": ["en"], "items": menu})


def count_share(orders, suggestion, basket, customer_id):
    """Count the share of orders that a suggestion's reason claims."""
    item, kind, other = suggestion["item"], suggestion["reason"]["kind"], suggestion["reason"]["item"]
    if kind == "menu":
        assert not any(item in dict(order.items) for order in orders)
        return None
    if kind == "with":
        assert other in basket
        orders = [order for order in orders if other in dict(order.items)]
    if kind == "usual":
        orders = [order for order in orders if order.customer_id == customer_id][-20:]
    return sum(item in dict(order.items) for order in orders) / len(orders)


baskets = st.lists(st.sampled_from(ITEMS), max_size=4)


@st.composite
def histories(draw):
    rows = draw(
        st.lists(st.tuples(st.sets(st.sampled_from(ITEMS), min_size=1), st.sampled_from([None, 1, 2]), st.integers(0, 400)), max_size=30)
    )
    return [
        PastOrder(sequence, "demo", "m", MONDAY_NOON + timedelta(hours=hours), customer_id, tuple((item, 2) for item in sorted(items)))
        for sequence, (items, customer_id, hours) in enumerate(rows, 1)
    ]
