from datetime import timedelta

import pytest

from tests.store.samples import opened
from voice.recommend.past_orders import CountsSnapshot

pytestmark = pytest.mark.anyio


async def test_snapshots_that_another_process_saved_meanwhile_remain(database_url):
    async with opened(database_url) as store:
        await store.save_snapshots([CountsSnapshot("a", "m", 10, b"ten"), CountsSnapshot("b", "m", 9, b"nine")], since=0)
        await store.save_snapshots([CountsSnapshot("a", "m", 12, b"twelve")], since=10)
        await store.save_snapshots([CountsSnapshot("a", "m", 11, b"eleven")], since=10)
        assert await store.snapshot_sequences() == {("a", "m"): 12, ("b", "m"): 9}
        assert await store.get_snapshot("a", "m") == (12, b"twelve")


async def test_a_saved_fit_is_replaced_only_by_one_to_more_orders(database_url):
    async with opened(database_url) as store:
        assert await store.get_fit("a", "m", after=0) is None
        for n_orders, fitted in ((400, b"400"), (500, b"500"), (450, b"450")):
            await store.save_fit("a", "m", n_orders, fitted)
        assert await store.get_fit("a", "m", after=499) == (500, b"500")
        assert await store.get_fit("a", "m", after=500) is None
        assert await store.get_fit("b", "m", after=0) is None


async def test_a_fit_is_claimed_by_one_process_until_it_is_saved_outdated_or_expired(database_url, clock):
    async with opened(database_url, clock=clock) as store:

        async def claimed(n_orders):
            return await store.claim_fit("a", "m", n_orders, outdated=1.5)

        assert [await claimed(n_orders) for n_orders in (400, 400, 450, 599)] == [True, False, False, False]
        assert [await claimed(n_orders) for n_orders in (600, 650)] == [True, False]
        clock.now += timedelta(seconds=61)
        assert [await claimed(n_orders) for n_orders in (650, 650)] == [True, False]
        await store.save_fit("a", "m", 650, b"fitted")
        assert [await claimed(n_orders) for n_orders in (650, 660, 670)] == [False, True, False]
        assert await store.claim_fit("b", "m", 400, outdated=1.5)
