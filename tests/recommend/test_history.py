from datetime import timedelta

import numpy as np

from tests.recommend.sample_orders import MONDAY_NOON, make_menu, recommender_of
from voice.recommend.history import leave_one_out, make_history, restrict
from voice.recommend.past_orders import PastOrder


def history_of_three_orders():
    """Return a history of tea with i1, i2 and i0, stored in the order i0, i1, i2."""
    times = [MONDAY_NOON + timedelta(days=days, hours=hours) for days, hours in ((2, 1), (0, 0), (1, -13))]
    orders = [PastOrder(k, "demo", "m", at, 7, (("tea", 1), (f"i{k}", 1))) for k, at in enumerate(times)]
    arrays, descriptions = recommender_of(make_menu("tea", "i0", "i1", "i2"), orders).fit_input(3)
    return make_history(arrays, np.arange(len(descriptions)))


def test_orders_are_sorted_by_time():
    history = history_of_three_orders()
    assert history.items.tolist() == [0, 2, 0, 3, 0, 1]
    assert history.hours.tolist() == [12, 23, 13]
    assert history.weekdays.tolist() == [0, 0, 2]
    assert history.previous.tolist() == [-1, 0, 1]


def test_a_history_is_restricted_to_some_items_with_their_positions_as_numbers():
    history = restrict(history_of_three_orders(), np.array([0, 3]))
    assert history.items.tolist() == [0, 0, 1, 0]
    assert history.starts.tolist() == [0, 1, 3, 4]


def test_one_item_is_left_out_of_an_order_and_the_customer_s_known_orders_are_counted():
    examples = leave_one_out(history_of_three_orders(), np.array([2]), np.array([0.9]), known=1)
    assert examples.hidden.tolist() == [1]
    assert examples.basket.tolist() == [[1, 0, 0, 0]]
    assert examples.past.tolist() == [[1, 0, 1, 0]]
    assert examples.n_past.tolist() == [1]
