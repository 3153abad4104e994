from tests.recommend.sample_orders import ITEMS, make_menu, make_orders, recommender_of, suggest
from voice.recommend.history import MAX_CUSTOMER_ORDERS


def test_only_a_customer_s_newest_orders_count():
    orders = make_orders(*["pho"] * 30, *["tea"] * MAX_CUSTOMER_ORDERS, customer_id=1)
    recommender = recommender_of(make_menu("tea", "cake", "pho"), orders)
    assert suggest(recommender, customer_id=1)[0]["reason"]["text"] == "Your usual: in 20 of your last 20 orders"


def test_beyond_the_limit_the_customer_with_the_oldest_last_order_is_dropped():
    recommender = recommender_of(make_menu("tea", "cake"), make_orders("tea", "tea", customer_id=1), max_customers=2)
    recommender.add_orders([*make_orders("cake", customer_id=2), *make_orders("cake", customer_id=3)])
    assert suggest(recommender, customer_id=3)[0]["reason"]["kind"] == "usual"
    assert suggest(recommender, customer_id=1)[0]["reason"]["kind"] == "popular"


def test_beyond_the_limit_the_rarest_pairs_are_dropped():
    recommender = recommender_of(make_menu("tea", "cake", *ITEMS), make_orders(*["tea cake"] * 9, " ".join(ITEMS)), max_pairs=40)
    recommender.add_orders(make_orders(" ".join(ITEMS)))
    assert suggest(recommender, "tea")[0]["reason"]["item"] == "tea"
    assert suggest(recommender, "i1", exclude=["tea", "cake"])[0]["reason"]["kind"] == "popular"
