"""What the recommenders of several processes learn from one store, and what they leave there for one another."""

import asyncio
import statistics
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bench import recommend as bench
from errors import MenuNotFound, Overloaded
from tests.recommend.test_recommender import MONDAY_NOON, ids, make_menu, make_orders, naan_menu, naan_orders, suggest
from voice.recommend import sync
from voice.recommend.sync import Recommenders
from voice.store.orders import Counted, NewOrder, PastOrder, Store, on_the_wire

pytestmark = pytest.mark.anyio


class OrderLog:
    """Stored orders; `failures` reads fail first. What is learned is not kept."""

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

    async def keep_fit(self, client, menu, n_orders, fitted):
        pass

    async def get_fit(self, client, menu, *, after):  # noqa: ARG002
        return None

    async def counted_sequences(self):
        return {}

    async def get_counts(self, client, menu):  # noqa: ARG002
        return None

    async def keep_counts(self, counted, *, since):
        pass


@asynccontextmanager
async def following(recommenders, order_log):
    task = asyncio.create_task(recommenders.follow(order_log))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def test_each_stored_order_is_learned_once_also_after_the_store_failed(monkeypatch):
    monkeypatch.setattr(sync, "RETRY_S", 0.01)
    menu = make_menu("tea", "cake")
    recommenders, order_log = Recommenders(lambda _: menu), OrderLog(make_orders(*["tea"] * 450), failures=3)
    async with following(recommenders, order_log):
        await until(lambda: recommenders.get("demo", menu).n_orders == 450)
        order_log.failures = 2
        order_log.orders += [PastOrder(451, "demo", "m", MONDAY_NOON, None, (("cake", 1),))]
        recommenders.wake()
        await until(lambda: recommenders.get("demo", menu).n_orders == 451)
        await until(lambda: order_log.reads > 9)
    assert recommenders.get("demo", menu).n_orders == 451
    assert recommenders.get("other", menu).n_orders == 0


async def test_orders_are_noticed_without_being_woken_as_another_process_stores_them(monkeypatch):
    monkeypatch.setattr(sync, "POLL_S", 0.01)
    menu = make_menu("tea")
    recommenders, order_log = Recommenders(lambda _: menu), OrderLog()
    async with following(recommenders, order_log):
        await until(lambda: order_log.reads)
        order_log.orders += make_orders("tea")
        await until(lambda: recommenders.get("demo", menu).n_orders == 1)


async def test_orders_of_a_menu_that_is_not_served_are_known_when_it_is():
    def missing(_):
        raise MenuNotFound

    recommenders = Recommenders(missing)
    async with following(recommenders, OrderLog(make_orders("tea", "cake", "cake"))):
        await until(lambda: recommenders._recommenders)  # noqa: SLF001 - nothing outside shows it
    assert ids(suggest(recommenders.get("demo", make_menu("tea", "cake")))) == ["cake", "tea"]


async def test_processes_that_read_the_same_orders_come_to_the_same_answers():
    menu, orders = naan_menu(), naan_orders(470)
    live, late = Recommenders(lambda _: menu), Recommenders(lambda _: menu)
    growing = OrderLog(orders[:403])
    async with following(live, growing):
        await until(lambda: live.get("demo", menu).fitted)
        growing.orders += orders[403:]
        live.wake()
        await until(lambda: live.get("demo", menu).n_orders == 470 and live.get("demo", menu).due is None)
    async with following(late, OrderLog(orders)):
        await until(lambda: late.get("demo", menu).fitted and late.get("demo", menu).due is None)
    for basket in ([], ["coffee"], ["keema-naan", "egg-curry"]):
        answers = [suggest(recommenders.get("demo", menu), *basket, limit=8) for recommenders in (live, late)]
        assert answers[0] == answers[1]
    assert [one.fitted and one.fitted.n_orders for one in (live.get("demo", menu), late.get("demo", menu))] == [450, 450]


async def test_a_fit_that_fails_leaves_counting_as_it_is(monkeypatch, caplog):
    monkeypatch.setattr(sync, "FIT_COMMAND", (sys.executable, "-c", "import sys; sys.stdin.read(9); sys.exit(3)"))
    menu = make_menu("tea", "cake")
    recommenders = Recommenders(lambda _: menu)
    async with following(recommenders, OrderLog(make_orders(*["tea", "cake tea"] * 210))):
        await until(lambda: "the fit from 400 orders failed" in caplog.text)
    assert recommenders.get("demo", menu).due is None
    assert ids(suggest(recommenders.get("demo", menu))) == ["tea", "cake"]


async def test_a_fit_that_cannot_be_started_leaves_counting_as_it_is(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(sync, "FIT_COMMAND", (str(tmp_path / "missing"),))
    menu, order_log = make_menu("tea", "cake"), OrderLog(make_orders(*["tea", "cake tea"] * 210))
    recommenders = Recommenders(lambda _: menu)
    async with following(recommenders, order_log):
        await until(lambda: "the fit from 400 orders failed" in caplog.text)
        order_log.orders += make_orders(*["cake"] * 430)[420:]
        recommenders.wake()
        await until(lambda: recommenders.get("demo", menu).n_orders == 430)
    assert ids(suggest(recommenders.get("demo", menu))) == ["tea", "cake"]


async def test_a_fit_that_became_outdated_is_given_up_for_the_next(monkeypatch, tmp_path):
    started = tmp_path / "started"
    program = f"import sys, time; open({str(started)!r}, 'a').write('x'); time.sleep(600)"
    monkeypatch.setattr(sync, "FIT_COMMAND", (sys.executable, "-c", program))
    monkeypatch.setattr(sync, "POLL_S", 0.05)
    menu, order_log = make_menu("tea"), OrderLog(make_orders(*["tea"] * 400))
    recommenders = Recommenders(lambda _: menu)
    async with following(recommenders, order_log):
        await until(started.exists)
        order_log.orders = make_orders(*["tea"] * 800)
        await until(lambda: started.read_text() == "xx")
        assert recommenders.get("demo", menu).due == 800


# What one leaves in the store for the others


BROKEN = (sys.executable, "-c", "import sys; sys.stdin.read(9); sys.exit(3)")


class Watched(Store):
    """A store that tells what it was asked."""

    def __init__(self, url, **options):
        super().__init__(url, **options)
        self.asked_after = []

    async def orders_after(self, sequence, *, limit):
        self.asked_after.append(sequence)
        return await super().orders_after(sequence, limit=limit)


@asynccontextmanager
async def opened(url, **options):
    store = Watched(url, **options)
    await store.open(migrate=True)
    try:
        yield store
    finally:
        await store.close()


async def put(store, orders):
    """Store orders as they were placed."""
    new = []
    for order in orders:
        lines = [{"item": item, "name": item, "quantity": quantity, "options": []} for item, quantity in order.items]
        order_id, placed_at = str(uuid4()), on_the_wire(order.placed_at)
        stored: Any = {
            "order_id": order_id,
            "menu": order.menu,
            "lines": lines,
            "total": 0,
            "currency": "VND",
            "customer_id": order.customer_id,
            "placed_at": placed_at,
        }
        new.append(NewOrder(order.client, stored, placed_at_given=True))
    await store.put_orders(new)


async def test_what_one_process_fits_the_others_take_from_the_store(database_url, monkeypatch):
    menu = naan_menu()
    one, other = Recommenders(lambda _: menu), Recommenders(lambda _: menu)
    async with opened(database_url) as store:
        await put(store, naan_orders(410))
        async with following(one, store):
            await until(lambda: one.get("demo", menu).fitted and one.get("demo", menu).due is None)
        monkeypatch.setattr(sync, "FIT_COMMAND", BROKEN)
        async with following(other, store):
            await until(lambda: other.get("demo", menu).n_orders == 410 and other.get("demo", menu).due is None)
    fits = [recommenders.get("demo", menu).fitted for recommenders in (one, other)]
    assert [fitted and fitted.n_orders for fitted in fits] == [400, 400]
    answers = [suggest(recommenders.get("demo", menu), "keema-naan", limit=8) for recommenders in (one, other)]
    assert answers[0] == answers[1]


async def test_of_two_processes_one_fits(database_url, monkeypatch, tmp_path):
    log = tmp_path / "fits"
    program = f"import os, sys; open({str(log)!r}, 'a').write(f'{{os.getpid()}} '); from voice.recommend.ranking_model import main; main()"
    monkeypatch.setattr(sync, "FIT_COMMAND", (sys.executable, "-c", program))
    monkeypatch.setattr("voice.recommend.recommender.Recommender.lags_behind", False)
    menu = naan_menu()
    both = [Recommenders(lambda _: menu) for _ in range(2)]
    async with opened(database_url) as store, opened(database_url) as same:
        await put(store, naan_orders(410))
        async with following(both[0], store), following(both[1], same):
            await until(lambda: all(one.get("demo", menu).fitted for one in both))
    assert len(log.read_text().split()) == 1


async def test_a_start_reads_few_orders_again(database_url, monkeypatch):
    monkeypatch.setattr(sync, "KEPT_ORDERS", 300)
    monkeypatch.setattr(sync, "FIT_COMMAND", BROKEN)
    menu, orders = naan_menu(), naan_orders(460)
    others = [PastOrder(k, "other", "m", MONDAY_NOON, None, (("cake", 1),)) for k in range(30)]
    one, late, without = Recommenders(lambda _: menu), Recommenders(lambda _: menu), Recommenders(lambda _: menu)
    async with opened(database_url) as store:
        await put(store, [*others, *orders[:400]])
        async with following(one, store):
            await until(lambda: one.get("demo", menu).n_orders == 400)
            await put(store, orders[400:])
            one.wake()
            await until(lambda: one.get("demo", menu).n_orders == 460)
        store.asked_after.clear()
        async with following(late, store):
            await until(lambda: late.get("demo", menu).n_orders == 460)
        assert min(store.asked_after) >= 400
        async with opened(database_url) as again:
            await again.keep_counts([Counted("demo", "m", 10**6, b"unreadable")], since=max((await store.counted_sequences()).values()))
            async with following(without, again):
                await until(lambda: without.get("demo", menu).n_orders == 460)
    for client, basket in (("demo", []), ("demo", ["coffee"]), ("other", [])):
        answers = [suggest(recommenders.get(client, menu), *basket, limit=8) for recommenders in (one, late, without)]
        assert answers[0] == answers[1] == answers[2]
    assert [recommenders.get("other", menu).n_orders for recommenders in (one, late, without)] == [30, 30, 30]


async def test_counts_that_another_process_kept_meanwhile_stay(database_url):
    async with opened(database_url) as store:
        await store.keep_counts([Counted("a", "m", 10, b"ten"), Counted("b", "m", 9, b"nine")], since=0)
        await store.keep_counts([Counted("a", "m", 12, b"twelve")], since=10)
        await store.keep_counts([Counted("a", "m", 11, b"eleven")], since=10)
        assert await store.counted_sequences() == {("a", "m"): 12, ("b", "m"): 9}
        assert await store.get_counts("a", "m") == (12, b"twelve")


async def test_a_fit_is_kept_until_there_is_one_to_more_orders(database_url):
    async with opened(database_url) as store:
        assert await store.get_fit("a", "m", after=0) is None
        for n_orders, fitted in ((400, b"400"), (500, b"500"), (450, b"450")):
            await store.keep_fit("a", "m", n_orders, fitted)
        assert await store.get_fit("a", "m", after=499) == (500, b"500")
        assert await store.get_fit("a", "m", after=500) is None
        assert await store.get_fit("b", "m", after=0) is None


async def test_a_fit_is_claimed_by_one_process_until_it_is_kept_or_outdated_or_late(database_url):
    now = [MONDAY_NOON]
    async with opened(database_url, clock=lambda: now[0]) as store:

        async def claimed(n_orders):
            return await store.claim_fit("a", "m", n_orders, outdated=1.5)

        assert [await claimed(n_orders) for n_orders in (400, 400, 450, 599)] == [True, False, False, False]
        assert [await claimed(n_orders) for n_orders in (600, 650)] == [True, False]
        now[0] += timedelta(seconds=61)
        assert [await claimed(n_orders) for n_orders in (650, 650)] == [True, False]
        await store.keep_fit("a", "m", 650, b"fitted")
        assert [await claimed(n_orders) for n_orders in (650, 660, 670)] == [False, True, False]
        assert await store.claim_fit("b", "m", 400, outdated=1.5)


async def test_the_first_suggestions_wait_for_what_is_stored_but_not_for_a_store_that_is_away(monkeypatch):
    menu = make_menu("tea", "cake")

    class Slow(OrderLog):
        async def orders_after(self, sequence, *, limit):
            await asyncio.sleep(0.2)
            return await super().orders_after(sequence, limit=limit)

    recommenders = Recommenders(lambda _: menu)
    await recommenders.started()  # nobody follows: there is nothing to wait for
    async with following(recommenders, Slow(make_orders("cake"))):
        await asyncio.sleep(0)
        await recommenders.started()
        assert recommenders.get("demo", menu).n_orders == 1
    recommenders = Recommenders(lambda _: menu)
    async with following(recommenders, OrderLog(make_orders("cake"), failures=1)):
        await asyncio.sleep(0)
        await asyncio.wait_for(recommenders.started(), sync.RETRY_S / 2)
        assert recommenders.get("demo", menu).n_orders == 0
    monkeypatch.setattr(sync, "START_PATIENCE_S", 0.05)
    recommenders = Recommenders(lambda _: menu)
    async with following(recommenders, Slow(make_orders("cake"))):
        await asyncio.sleep(0)
        await recommenders.started()
        assert recommenders.get("demo", menu).n_orders == 0


# Real histories, where they are at hand


SHARED = Path(__file__).parents[3] / "shared" / "recommend"


@pytest.mark.parametrize("name", ["bread_basket", "delhi_aura_pizzas", "indian_takeaway_1"])
async def test_real_baskets_are_completed_better_than_by_popularity(name):
    if not (SHARED / name).is_dir():
        pytest.skip(f"no history {name} in ../shared/recommend")
    orders, queries = bench.read(SHARED / name)
    menu = bench.named_menu(sorted({item for order in orders for item, _ in order.items})).model_copy(update={"id": name})
    recommenders = Recommenders(lambda _: menu)
    recommender = recommenders.get(orders[0].client, menu)
    rates = {"popularity": statistics.mean(bench.hits(bench.popularity(orders), queries))}
    async with following(recommenders, OrderLog(orders)):
        await until(lambda: recommender.n_orders == len(orders))
        rates["counts"] = statistics.mean(bench.hits(bench.ours(recommender), queries))
        await until(lambda: recommender.fitted)
        rates["model"] = statistics.mean(bench.hits(bench.ours(recommender), queries))
    assert rates["popularity"] < rates["counts"]
    assert rates["popularity"] + 0.04 < rates["model"]
