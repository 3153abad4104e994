"""Recommenders of several processes on one store: orders, fits and snapshots that they share."""

import asyncio
import statistics
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bench import recommend as bench
from errors import MenuNotFound, Overloaded
from tests.recommend.sample_orders import MONDAY_NOON, ids, make_menu, make_orders, naan_menu, naan_orders, suggest
from voice.recommend.past_orders import CountsSnapshot, PastOrder
from voice.recommend.sync import RETRY_S, Recommenders
from voice.store.store import Store
from voice.store.stored_orders import NewOrder, build_order

pytestmark = pytest.mark.anyio


class OrdersOnly:
    """A store of orders whose first `failures` reads fail; it saves neither fits nor snapshots."""

    def __init__(self, orders=(), failures=0):
        self.orders, self.failures, self.reads = list(orders), failures, 0

    async def orders_after(self, sequence, *, limit):
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise Overloaded
        return [order for order in self.orders if order.sequence > sequence][:limit]

    async def claim_fit(self, client, menu, n_orders, *, outdated):  # noqa: ARG002
        return True

    async def save_fit(self, client, menu, n_orders, fitted):
        pass

    async def get_fit(self, client, menu, *, after):  # noqa: ARG002
        return None

    async def snapshot_sequences(self):
        return {}

    async def get_snapshot(self, client, menu):  # noqa: ARG002
        return None

    async def save_snapshots(self, snapshots, *, since):
        pass


@asynccontextmanager
async def following(recommenders, store):
    task = asyncio.create_task(recommenders.follow(store))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition, seconds=120):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.01)


async def test_each_stored_order_is_counted_once_also_after_the_store_failed():
    menu = make_menu("tea", "cake")
    recommenders, store = Recommenders(lambda *_: menu, retry_s=0.01), OrdersOnly(make_orders(*["tea"] * 450), failures=3)
    async with following(recommenders, store):
        await until(lambda: recommenders.get("demo", menu).n_orders == 450)
        store.failures = 2
        store.orders += [PastOrder(451, "demo", "m", MONDAY_NOON, None, (("cake", 1),))]
        recommenders.wake()
        await until(lambda: recommenders.get("demo", menu).n_orders == 451)
        await until(lambda: store.reads > 9)
    assert recommenders.get("demo", menu).n_orders == 451
    assert recommenders.get("other", menu).n_orders == 0


async def test_orders_that_another_process_stores_are_found_by_polling():
    menu = make_menu("tea")
    recommenders, store = Recommenders(lambda *_: menu, poll_s=0.01), OrdersOnly()
    async with following(recommenders, store):
        await until(lambda: store.reads)
        store.orders += make_orders("tea")
        await until(lambda: recommenders.get("demo", menu).n_orders == 1)


async def test_orders_of_a_menu_that_is_not_served_are_counted_for_when_it_is():
    def missing(*_):
        raise MenuNotFound

    recommenders = Recommenders(missing)
    async with following(recommenders, OrdersOnly(make_orders("tea", "cake", "cake"))):
        await until(lambda: recommenders._recommenders)  # noqa: SLF001 - nothing outside shows it
    assert ids(suggest(recommenders.get("demo", make_menu("tea", "cake")))) == ["cake", "tea"]


async def test_processes_that_read_the_same_orders_make_the_same_suggestions():
    menu, orders = naan_menu(), naan_orders(470)
    live, late = Recommenders(lambda *_: menu), Recommenders(lambda *_: menu)
    growing = OrdersOnly(orders[:403])
    async with following(live, growing):
        await until(lambda: live.get("demo", menu).fitted)
        growing.orders += orders[403:]
        live.wake()
        await until(lambda: live.get("demo", menu).n_orders == 470 and live.get("demo", menu).due is None)
    async with following(late, OrdersOnly(orders)):
        await until(lambda: late.get("demo", menu).fitted and late.get("demo", menu).due is None)
    for basket in ([], ["coffee"], ["keema-naan", "egg-curry"]):
        answers = [suggest(recommenders.get("demo", menu), *basket, limit=8) for recommenders in (live, late)]
        assert answers[0] == answers[1]
    assert [one.fitted and one.fitted.n_orders for one in (live.get("demo", menu), late.get("demo", menu))] == [450, 450]


FAILING = (sys.executable, "-c", "import sys; sys.stdin.read(9); sys.exit(3)")


async def test_after_a_fit_that_fails_the_counts_remain_in_use(caplog):
    menu = make_menu("tea", "cake")
    recommenders = Recommenders(lambda *_: menu, fit_command=FAILING)
    async with following(recommenders, OrdersOnly(make_orders(*["tea", "cake tea"] * 210))):
        await until(lambda: "the fit to 400 orders failed" in caplog.text)
    assert recommenders.get("demo", menu).due is None
    assert ids(suggest(recommenders.get("demo", menu))) == ["tea", "cake"]


async def test_after_a_fit_that_cannot_be_started_the_counts_remain_in_use(tmp_path, caplog):
    menu, store = make_menu("tea", "cake"), OrdersOnly(make_orders(*["tea", "cake tea"] * 210))
    recommenders = Recommenders(lambda *_: menu, fit_command=(str(tmp_path / "missing"),))
    async with following(recommenders, store):
        await until(lambda: "the fit to 400 orders failed" in caplog.text)
        store.orders += make_orders(*["cake"] * 430)[420:]
        recommenders.wake()
        await until(lambda: recommenders.get("demo", menu).n_orders == 430)
    assert ids(suggest(recommenders.get("demo", menu))) == ["tea", "cake"]


async def test_an_outdated_fit_is_abandoned_for_the_next(tmp_path):
    started = tmp_path / "started"
    program = f"import sys, time; open({str(started)!r}, 'a').write('x'); time.sleep(600)"
    menu, store = make_menu("tea"), OrdersOnly(make_orders(*["tea"] * 400))
    recommenders = Recommenders(lambda *_: menu, fit_command=(sys.executable, "-c", program), poll_s=0.05)
    async with following(recommenders, store):
        await until(started.exists)
        store.orders = make_orders(*["tea"] * 800)
        await until(lambda: started.read_text() == "xx")
        assert recommenders.get("demo", menu).due == 800


# Fits and snapshots that several processes share


class RecordingStore(Store):
    """A store that records from which sequences orders were read."""

    def __init__(self, url, **options):
        super().__init__(url, **options)
        self.read_after = []

    async def orders_after(self, sequence, *, limit):
        self.read_after.append(sequence)
        return await super().orders_after(sequence, limit=limit)


@asynccontextmanager
async def opened(url, **options):
    store = RecordingStore(url, **options)
    await store.open(migrate=True)
    try:
        yield store
    finally:
        await store.close()


async def put(store, orders):
    """Store orders as they were placed."""
    new = []
    for order in orders:
        lines: Any = [{"item": item, "name": item, "quantity": quantity, "options": []} for item, quantity in order.items]
        stored = build_order(
            uuid4(), menu=order.menu, lines=lines, total=0, currency="VND", customer_id=order.customer_id, placed_at=order.placed_at
        )
        new.append(NewOrder(order.client, stored, placed_at_given=True))
    await store.put_orders(new)


async def test_a_process_uses_the_fit_that_another_one_saved(database_url):
    menu = naan_menu()
    one, other = Recommenders(lambda *_: menu), Recommenders(lambda *_: menu, fit_command=FAILING)
    async with opened(database_url) as store:
        await put(store, naan_orders(410))
        async with following(one, store):
            await until(lambda: one.get("demo", menu).fitted and one.get("demo", menu).due is None)
        async with following(other, store):
            await until(lambda: other.get("demo", menu).n_orders == 410 and other.get("demo", menu).due is None)
    fits = [recommenders.get("demo", menu).fitted for recommenders in (one, other)]
    assert [fitted and fitted.n_orders for fitted in fits] == [400, 400]
    answers = [suggest(recommenders.get("demo", menu), "keema-naan", limit=8) for recommenders in (one, other)]
    assert answers[0] == answers[1]


RECORDING_FIT = """
import sys
from voice.recommend.fitting import run_task
from voice.recommend.packing import unpack
task = sys.stdin.buffer.read()
if not unpack(task)[0]["quick"]:
    open(sys.argv[1], "a").write("x")
sys.stdout.buffer.write(run_task(task))
"""


async def test_of_two_processes_one_makes_the_tuned_fit(database_url, tmp_path):
    log = tmp_path / "fits"
    menu = naan_menu()
    both = [Recommenders(lambda *_: menu, fit_command=(sys.executable, "-c", RECORDING_FIT, str(log))) for _ in range(2)]
    async with opened(database_url) as store, opened(database_url) as same:
        await put(store, naan_orders(410))
        async with following(both[0], store), following(both[1], same):
            await until(lambda: all(one.get("demo", menu).fitted and one.get("demo", menu).due is None for one in both))
    assert log.read_text() == "x"


async def test_a_start_from_snapshots_reads_few_orders_again(database_url):
    menu, orders = naan_menu(), naan_orders(460)
    others = [PastOrder(k, "other", "m", MONDAY_NOON, None, (("cake", 1),)) for k in range(30)]
    one, late, without = (Recommenders(lambda *_: menu, snapshot_orders=300, fit_command=FAILING) for _ in range(3))
    async with opened(database_url) as store:
        await put(store, [*others, *orders[:400]])
        async with following(one, store):
            await until(lambda: one.get("demo", menu).n_orders == 400)
            await put(store, orders[400:])
            one.wake()
            await until(lambda: one.get("demo", menu).n_orders == 460)
        store.read_after.clear()
        async with following(late, store):
            await until(lambda: late.get("demo", menu).n_orders == 460)
        assert min(store.read_after) >= 400
        async with opened(database_url) as again:
            newest = max((await store.snapshot_sequences()).values())
            await again.save_snapshots([CountsSnapshot("demo", "m", 10**6, b"unreadable")], since=newest)
            async with following(without, again):
                await until(lambda: without.get("demo", menu).n_orders == 460)
    for client, basket in (("demo", []), ("demo", ["coffee"]), ("other", [])):
        answers = [suggest(recommenders.get(client, menu), *basket, limit=8) for recommenders in (one, late, without)]
        assert answers[0] == answers[1] == answers[2]
    assert [recommenders.get("other", menu).n_orders for recommenders in (one, late, without)] == [30, 30, 30]


async def test_the_first_suggestions_wait_for_the_stored_orders_but_not_for_a_failing_store():
    menu = make_menu("tea", "cake")

    class Slow(OrdersOnly):
        async def orders_after(self, sequence, *, limit):
            await asyncio.sleep(0.2)
            return await super().orders_after(sequence, limit=limit)

    recommenders = Recommenders(lambda *_: menu)
    await recommenders.started()  # without a store there is nothing to wait for
    async with following(recommenders, Slow(make_orders("cake"))):
        await asyncio.sleep(0)
        await recommenders.started()
        assert recommenders.get("demo", menu).n_orders == 1
    recommenders = Recommenders(lambda *_: menu)
    async with following(recommenders, OrdersOnly(make_orders("cake"), failures=1)):
        await asyncio.sleep(0)
        await asyncio.wait_for(recommenders.started(), RETRY_S / 2)
        assert recommenders.get("demo", menu).n_orders == 0
    recommenders = Recommenders(lambda *_: menu, start_patience_s=0.05)
    async with following(recommenders, Slow(make_orders("cake"))):
        await asyncio.sleep(0)
        await recommenders.started()
        assert recommenders.get("demo", menu).n_orders == 0


# Real histories, where they are at hand


SHARED = Path(__file__).parents[3] / "shared" / "recommend"


@pytest.mark.parametrize("name", ["bread_basket", "delhi_aura_pizzas", "indian_takeaway_1"])
async def test_real_orders_are_predicted_better_than_by_popularity(name):
    if not (SHARED / name).is_dir():
        pytest.skip(f"no history {name} in ../shared/recommend")
    orders, queries = bench.read(SHARED / name)
    menu = bench.named_menu(sorted({item for order in orders for item, _ in order.items})).model_copy(update={"id": name})
    recommenders = Recommenders(lambda *_: menu)
    recommender = recommenders.get(orders[0].client, menu)
    rates = {"popularity": statistics.mean(bench.hits(bench.popularity(orders), queries))}
    async with following(recommenders, OrdersOnly(orders)):
        await until(lambda: recommender.n_orders == len(orders))
        rates["counts"] = statistics.mean(bench.hits(bench.by_service(recommender), queries))
        await until(lambda: recommender.fitted)
        rates["model"] = statistics.mean(bench.hits(bench.by_service(recommender), queries))
    assert rates["popularity"] < rates["counts"]
    assert rates["popularity"] + 0.04 < rates["model"]
