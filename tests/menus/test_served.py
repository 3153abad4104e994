import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from errors import ItemNotFound, MenuConflict, MenuNotFound, Overloaded, PreconditionFailed, ValidationFailed
from tests.clock import Clock
from tests.menus.menu_bodies import menu_body
from tests.store.samples import opened
from voice.dialog.turn import DialogEngine
from voice.menus.availability import is_choice_available, is_item_available
from voice.menus.menu import Menu
from voice.menus.parts import Part
from voice.menus.served import MAX_WAITING, ServedMenus
from voice.menus.stored_menus import MenuLimits, NewMenu, Precondition
from voice.store.store import Store

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
Served = ServedMenus[DialogEngine]
LIMITS = MenuLimits(max_menus=9, max_words=999)


@contextlib.asynccontextmanager
async def replica(url: str, directory: Path, **options: Any) -> AsyncIterator[Served]:
    """A process that serves menus, up to date."""
    async with opened(url) as store:
        served = ServedMenus(directory, DialogEngine, store, **options)
        served.refresh()
        following = asyncio.create_task(served.follow())
        try:
            await until(lambda: served.is_synchronised)
            yield served
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def until(condition: Any, within_s: float = 10) -> float:
    """Wait for a condition; return the seconds."""
    began_s = time.monotonic()
    while not condition():
        assert time.monotonic() < began_s + within_s
        await asyncio.sleep(0.01)
    return time.monotonic() - began_s


def new(etag: str | None) -> None:
    if etag is not None:
        raise PreconditionFailed


def matching(expected: str) -> Precondition:
    def check(etag: str | None) -> None:
        if etag != expected:
            raise PreconditionFailed

    return check


def has(served: Served, client: str, menu: str) -> bool:
    with contextlib.suppress(MenuNotFound):
        return served.get(client, menu) is not None
    return False


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "menus").mkdir()
    (tmp_path / "menus/cafe.yaml").write_text(yaml.safe_dump(orjson.loads(menu_body("cafe"))), "utf-8")
    return tmp_path / "menus"


async def test_a_menu_is_served_to_its_client_alone_and_by_every_process_within_two_seconds(database_url, directory):
    async with replica(database_url, directory) as one, replica(database_url, directory) as other:
        served, is_new = await one.put("a", "stall", menu_body(), new)
        assert is_new
        assert one.get("a", "stall") is served.engine
        assert await until(lambda: has(other, "a", "stall")) < 2
        assert [menu.id for menu in other.menus_of("a")] == ["cafe", "stall"]
        for menus in (one, other):
            assert [menu.id for menu in menus.menus_of("b")] == ["cafe"]
            with pytest.raises(MenuNotFound):
                menus.get("b", "stall")

        replaced, is_new = await other.put("a", "stall", menu_body(price=1), matching(served.etag))
        assert not is_new
        assert await until(lambda: one.get("a", "stall").menu.items["pho"].price == 1) < 2
        assert one.served("a", "stall").etag == replaced.etag != served.etag

        await one.delete("a", "stall", matching(replaced.etag))
        assert not has(one, "a", "stall")
        assert await until(lambda: not has(other, "a", "stall")) < 2
        with pytest.raises(MenuNotFound):
            await one.delete("a", "stall", matching(replaced.etag))


async def test_two_clients_use_one_id_for_menus_of_their_own(sqlite_url, directory):
    async with replica(sqlite_url, directory) as menus:
        await menus.put("a", "stall", menu_body(price=1), new)
        await menus.put("b", "stall", menu_body(price=2), new)
        assert [menus.get(client, "stall").menu.items["pho"].price for client in "ab"] == [1, 2]


async def test_of_two_puts_at_once_one_is_refused_and_the_other_is_served_everywhere(database_url, directory):
    async with replica(database_url, directory, poll_s=0.1) as one, replica(database_url, directory, poll_s=0.1) as other:
        puts = [menus.put("a", "stall", menu_body(price=price), new) for price, menus in ((1, one), (2, other))]
        outcomes = await asyncio.gather(*puts, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["PreconditionFailed", "tuple"]
        (etag,) = [outcome[0].etag for outcome in outcomes if isinstance(outcome, tuple)]
        await until(lambda: all(has(menus, "a", "stall") and menus.served("a", "stall").etag == etag for menus in (one, other)))


async def test_what_is_sold_out_is_so_in_every_process_after_a_restart_and_after_a_put(database_url, directory):
    pho, soy = Part(None, "pho"), Part("dip", "soy")
    async with replica(database_url, directory) as one, replica(database_url, directory, poll_s=0.1) as other:
        served, _ = await one.put("a", "stall", menu_body(), new)
        await until(lambda: has(other, "a", "stall"))
        for client, menu in (("a", "stall"), ("b", "cafe")):
            await one.set_available(client, menu, pho, is_available=False)
            await one.set_available(client, menu, soy, is_available=True)
            assert not is_item_available(one.get(client, menu).menu, "pho", NOW)
            assert is_choice_available(one.get(client, menu).menu, "dip", "soy", NOW)
            assert await until(lambda: not is_item_available(other.get(client, menu).menu, "pho", NOW)) < 2  # noqa: B023 - called at once
        assert not is_item_available(one.get("somebody", "cafe").menu, "pho", NOW)  # those of the service are for all
        replaced, _ = await one.put("a", "stall", menu_body(price=1), matching(served.etag))
        assert not replaced.engine.menu.items["pho"].available
        assert replaced.file.items["pho"].available
    async with replica(database_url, directory) as later:
        for client, menu in (("a", "stall"), ("b", "cafe")):
            assert not is_item_available(later.get(client, menu).menu, "pho", NOW)
            await later.set_available(client, menu, pho, is_available=True)
            await later.set_available(client, menu, soy, is_available=False)
            assert is_item_available(later.get(client, menu).menu, "pho", NOW)
            assert not is_choice_available(later.get(client, menu).menu, "dip", "soy", NOW)


async def test_a_turn_knows_what_is_sold_out_and_the_engine_stays(sqlite_url, directory):
    async with replica(sqlite_url, directory) as menus:
        engine = menus.get("a", "cafe")
        before = engine.menu
        assert engine.take_turn("một phở bò")["lines"]
        await menus.set_available("a", "cafe", Part(None, "pho"), is_available=False)
        assert menus.get("a", "cafe") is engine
        assert engine.menu is not before
        order = engine.take_turn("một phở bò")
        assert (order["lines"], order["questions"][0]["kind"]) == ([], "unavailable")
        await menus.set_available("a", "cafe", Part(None, "pho"), is_available=True)
        await menus.set_available("a", "cafe", Part("size", "l"), is_available=False)
        (question, *_) = engine.take_turn("một phở bò lớn")["questions"]
        assert (question["kind"], question["group"], question["choices"]) == ("unavailable", "size", ["s"])


async def test_a_changed_file_of_the_service_keeps_what_was_sold_out(sqlite_url, directory):
    async with replica(sqlite_url, directory) as menus:
        await menus.set_available("a", "cafe", Part(None, "pho"), is_available=False)
        (directory / "cafe.yaml").write_text(yaml.safe_dump(orjson.loads(menu_body("cafe", price=7))), "utf-8")
        menus.refresh()
        menus.refresh()
        menu = menus.get("a", "cafe").menu
        assert (menu.items["pho"].price, menu.items["pho"].available) == (7, False)


async def test_the_only_menu_is_found_without_its_id(sqlite_url, directory):
    async with replica(sqlite_url, directory) as menus:
        assert menus.get("a", None).menu.id == "cafe"
        await menus.put("a", "stall", menu_body(), new)
        with pytest.raises(MenuNotFound, match="more than one"):
            menus.get("a", None)
        assert menus.get("b", None).menu.id == "cafe"
    async with replica(sqlite_url, directory.parent) as menus:
        assert menus.get("a", None).menu.id == "stall"


async def test_ids_of_the_service_and_what_a_menu_lacks_are_refused(sqlite_url, directory):
    async with replica(sqlite_url, directory) as menus:
        with pytest.raises(MenuConflict):
            await menus.put("a", "cafe", menu_body("cafe"), new)
        with pytest.raises(MenuConflict):
            await menus.delete("a", "cafe", new)
        with pytest.raises(ItemNotFound):
            await menus.set_available("a", "cafe", Part(None, "bun"), is_available=False)
        for part in (Part("size", "xl"), Part("sizes", "s")):
            with pytest.raises(ValidationFailed):
                await menus.set_available("a", "cafe", part, is_available=False)
        with pytest.raises(ValidationFailed) as refused:
            await menus.put("a", "stall", menu_body("other", price=-1), new)
        assert [error["loc"] for error in refused.value.errors] == [["items", "pho", "price"], ["id"]]


async def test_before_the_clients_menus_are_loaded_an_unknown_id_is_no_not_found(sqlite_url, directory):
    async with opened(sqlite_url) as store:
        menus = ServedMenus(directory, DialogEngine, store)
        menus.refresh()
        assert menus.get("a", "cafe").menu.id == "cafe"
        with pytest.raises(Overloaded):
            menus.get("a", "stall")


async def test_a_flood_of_menus_is_refused_beyond_those_that_wait(sqlite_url, directory):
    released = threading.Event()

    def compile_menu(menu: Menu) -> DialogEngine:
        assert released.wait(20)
        return DialogEngine(menu)

    async with opened(sqlite_url) as store:
        menus: Served = ServedMenus(directory, compile_menu, store)
        waiting = [asyncio.create_task(menus.put(f"c{number}", "stall", menu_body(), new)) for number in range(MAX_WAITING)]
        await until(lambda: menus._n_waiting == MAX_WAITING)  # noqa: SLF001 - nothing outside shows it
        with pytest.raises(Overloaded, match="Too many menus"):
            await menus.put("late", "stall", menu_body(), new)
        released.set()
        await asyncio.gather(*waiting)
        assert all(has(menus, f"c{number}", "stall") for number in range(MAX_WAITING))


class FlakyStore:
    """A store that does not answer while `fails`."""

    def __init__(self, store: Store) -> None:
        self.store, self.fails = store, False

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any) -> Any:
            if self.fails:
                raise Overloaded
            return await getattr(self.store, name)(*arguments)

        return call


async def test_a_store_that_failed_is_followed_again_and_forgotten_deletions_are_found(sqlite_url, directory):
    clock = Clock(NOW)
    async with opened(sqlite_url, clock=clock) as store:
        flaky = FlakyStore(store)
        menus: Served = ServedMenus(directory, DialogEngine, flaky, poll_s=0.01, retry_s=0.01)
        following = asyncio.create_task(menus.follow())
        await until(lambda: menus.is_synchronised)
        for name in ("gone", "stays"):
            await menus.put("a", name, menu_body(name), new)
        gone, stays = (menus.served("a", name) for name in ("gone", "stays"))
        await asyncio.sleep(0.05)
        flaky.fails = True
        await until(lambda: not menus.is_synchronised)
        assert menus.get("a", "gone") is gone.engine
        with pytest.raises(Overloaded):
            await menus.set_available("a", "gone", Part(None, "pho"), is_available=False)
        assert gone.engine.menu.items["pho"].available
        await store.delete_menu("a", "gone", matching(gone.etag))
        clock.now += timedelta(days=2)
        await store.delete_menu("a", "stays", matching(stays.etag))
        await store.put_menu(NewMenu("a", "stays", menu_body("stays"), stays.etag, 9), new, LIMITS)
        assert [change.menu for change in await store.menu_changes(0)] == ["stays"]
        flaky.fails = False
        await until(lambda: menus.is_synchronised)
        assert (has(menus, "a", "gone"), has(menus, "a", "stays")) == (False, True)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
