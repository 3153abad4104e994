import itertools
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recommend.sample_orders import ITEMS, baskets, histories, make_menu, naan_menu, naan_orders, recommender_of, suggest
from voice.recommend.fitting import pack_task
from voice.recommend.packing import pack
from voice.recommend.recommender import Recommender


@given(histories(), histories(), baskets, st.sampled_from([None, 1, 3]))
@settings(max_examples=30, deadline=None)
def test_a_restored_recommender_behaves_as_the_original_also_after_more_orders(orders, later, basket, customer_id):
    menu = make_menu(*ITEMS)
    original, restored = recommender_of(menu, orders), Recommender(make_menu(*reversed(ITEMS[2:]), "new"))
    restored.restore(original.snapshot())
    restored.set_menu(menu)
    for _ in range(2):
        assert suggest(restored, *basket, customer_id=customer_id) == suggest(original, *basket, customer_id=customer_id)
        assert window_of(restored) == window_of(original)
        original.add_orders(later)
        restored.add_orders(later)


def window_of(recommender):
    orders, descriptions = recommender.fit_input(recommender.n_orders)
    items = [descriptions[item].item_id for item in orders.items]
    return [sorted(items[a:b]) for a, b in itertools.pairwise(orders.starts)], orders.placed_at_s.tolist(), orders.customers.tolist()


def test_a_restored_recommender_is_due_for_the_same_fit():
    original, restored = recommender_of(naan_menu(), naan_orders(460)), Recommender(naan_menu())
    restored.restore(original.snapshot())
    assert restored.due == original.due == 450
    tasks = [pack_task(*recommender.fit_input(450), quick=False) for recommender in (original, restored)]
    assert tasks[0] == tasks[1]


def test_a_restored_recommender_knows_which_orders_left_the_window():
    original, restored = (Recommender(naan_menu(), max_window_orders=100) for _ in range(2))
    original.add_orders(naan_orders(460))
    restored.restore(original.snapshot())
    assert restored.fit_input(450)[0].placed_at_s.tolist() == original.fit_input(450)[0].placed_at_s.tolist()
    assert len(restored.fit_input(450)[0].placed_at_s) == 100


@pytest.mark.parametrize("snapshot", [b"", b"nothing", zlib.compress(b"nothing"), zlib.compress(pack({"format": -1}, {}))])
def test_a_snapshot_in_another_format_is_rejected(snapshot):
    with pytest.raises(ValueError, match=r"known|pickle"):
        Recommender(make_menu("tea")).restore(snapshot)
