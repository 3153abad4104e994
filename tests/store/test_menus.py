import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from errors import MenuNotFound, PreconditionFailed, TooManyMenus
from tests.store.samples import NOON, opened
from voice.menus.parts import Overrides, Part
from voice.menus.stored_menus import MenuLimits, NewMenu

pytestmark = pytest.mark.anyio

LIMITS = MenuLimits(max_menus=3, max_words=100)
PHO = Part(None, "pho")


def new(menu: str = "stall", etag: str = "one", *, client: str = "a", n_words: int = 5) -> NewMenu:
    return NewMenu(client, menu, b'{"id": "%s"}' % menu.encode(), etag, n_words)


def expects(expected: str | None) -> Callable[[str | None], None]:
    """Return the precondition that a menu has an ETag, None: that there is none."""

    def check(etag: str | None) -> None:
        if etag != expected:
            raise PreconditionFailed

    return check


async def test_a_menu_is_followed_and_returned_as_it_was_stored(store):
    first, is_new = await store.put_menu(new(), expects(None), LIMITS)
    second, is_new_again = await store.put_menu(new(etag="two"), expects("one"), LIMITS)
    assert (is_new, is_new_again) == (True, False)
    assert second.sequence > first.sequence
    assert await store.menu_changes(0) == [second]
    assert await store.menu_changes(second.sequence) == []
    assert await store.menu_etag("a", "stall") == "two"
    assert await store.menu_etag("b", "stall") is None
    assert await store.kept_menus() == {("a", "stall")}


async def test_of_two_puts_at_once_through_two_processes_one_is_refused(database_url):
    async with opened(database_url) as one, opened(database_url) as other:
        await one.put_menu(new(), expects(None), LIMITS)
        puts = [store.put_menu(new(etag=etag), expects("one"), LIMITS) for store, etag in ((one, "x"), (other, "y"), (one, "z"))]
        outcomes = await asyncio.gather(*puts, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["PreconditionFailed", "PreconditionFailed", "tuple"]
        (change,) = [outcome[0] for outcome in outcomes if isinstance(outcome, tuple)]
        assert await other.menu_etag("a", "stall") == change.etag


async def test_a_deleted_menu_is_followed_and_its_id_is_free_again(store):
    stored, _ = await store.put_menu(new(), expects(None), LIMITS)
    await store.change_availability("a", "stall", lambda _: Overrides({PHO: False}))
    with pytest.raises(PreconditionFailed):
        await store.delete_menu("a", "stall", expects("other"))
    deleted = await store.delete_menu("a", "stall", expects("one"))
    assert (deleted.document, deleted.sequence > stored.sequence) == (None, True)
    assert await store.menu_changes(stored.sequence) == [deleted]
    assert await store.availability_changes(0) == []
    with pytest.raises(MenuNotFound):
        await store.delete_menu("a", "stall", expects(None))
    again, is_new = await store.put_menu(new(), expects(None), LIMITS)
    assert is_new
    assert again.sequence > deleted.sequence


async def test_deletions_are_forgotten_after_a_day_and_their_sequences_not_used_again(store, clock):
    await store.put_menu(new(), expects(None), LIMITS)
    deleted = await store.delete_menu("a", "stall", expects("one"))
    clock.now = NOON + timedelta(days=2)
    stored, _ = await store.put_menu(new("other"), expects(None), LIMITS)
    assert await store.menu_changes(0) == [stored]
    assert stored.sequence > deleted.sequence


async def test_a_client_keeps_so_many_menus_and_words(store):
    for name in ("one", "two", "three"):
        await store.put_menu(new(name, n_words=30), expects(None), LIMITS)
    with pytest.raises(TooManyMenus, match="keeps 3 menus"):
        await store.put_menu(new("four"), expects(None), LIMITS)
    with pytest.raises(TooManyMenus, match="101 words"):
        await store.put_menu(new("one", n_words=41), expects("one"), LIMITS)
    await store.put_menu(new("one", "more", n_words=40), expects("one"), LIMITS)
    await store.put_menu(new("four", client="b"), expects(None), LIMITS)


async def test_changes_of_availability_at_once_through_two_processes_are_all_kept(database_url):
    async with opened(database_url) as one, opened(database_url) as other:

        def selling_out(part: Part) -> Callable[[Overrides], Overrides]:
            return lambda overrides: Overrides({**overrides, part: False})

        parts = [Part("dip" if number % 2 else None, f"part-{number}") for number in range(12)]
        stores = [one, other] * 6
        changes = [store.change_availability("", "cafe", selling_out(part)) for store, part in zip(stores, parts, strict=True)]
        await asyncio.gather(*changes)
        (change,) = await one.availability_changes(0)
        assert change.overrides == dict.fromkeys(parts, False)
        assert (change.client, change.menu) == ("", "cafe")
