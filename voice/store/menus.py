"""Store clients' menus, and what is sold out; other processes follow the changes by their sequence."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from errors import MenuNotFound, TooManyMenus
from voice.menus.parts import Overrides
from voice.menus.stored_menus import AvailabilityChange, MenuChange, MenuLimits, NewMenu, Precondition
from voice.store.connection import MENUS_LOCK
from voice.store.database import Database
from voice.store.tables import menu_availability, menus

# Changes read at once: a document has up to a megabyte.
MAX_CHANGES = 10
# A process that the database did not answer for longer compares all menus (`kept_menus`).
FORGET_DELETED_AFTER = timedelta(days=1)


class MenuStore(Database):
    """Menus of all clients. The write lock makes each change see the ones before it, and sequences become visible in ascending order."""

    async def menu_changes(self, after: int) -> list[MenuChange]:
        """Return up to MAX_CHANGES changes with greater sequences, in ascending order.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._reading() as connection:
            rows = await connection.execute(sa.select(menus).where(menus.c.sequence > after).order_by(menus.c.sequence).limit(MAX_CHANGES))
        return [MenuChange(row.sequence, row.client, row.menu, row.document, row.etag) for row in rows]

    async def kept_menus(self) -> Collection[tuple[str, str]]:
        """Return the client and the id of each menu that is stored.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._reading() as connection:
            rows = await connection.execute(sa.select(menus.c.client, menus.c.menu).where(menus.c.document.is_not(None)))
        return {(row.client, row.menu) for row in rows}

    async def menu_etag(self, client: str, menu: str) -> str | None:
        """Return the ETag of a menu, None if it is not stored.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._reading() as connection:
            return await _etag(connection, client, menu)

    async def menu_document(self, client: str, menu: str) -> bytes | None:
        """Return a menu as JSON, None if it is not stored.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._reading() as connection:
            document: bytes | None = (await connection.execute(sa.select(menus.c.document).where(_has_key(menus, client, menu)))).scalar()
        return document

    async def put_menu(self, new: NewMenu, precondition: Precondition, limits: MenuLimits) -> tuple[MenuChange, bool]:
        """Store a menu in place of the one with its id; return the change, and whether the client had none with the id.

        Raises:
            TooManyMenus: the client would exceed a limit. Overloaded: the menu is not stored, or that is unknown.
            PreconditionFailed, PreconditionRequired: by the precondition; the menu is not stored.

        """
        async with self._writing(MENUS_LOCK) as connection:
            etag = await _etag(connection, new.client, new.menu)
            precondition(etag)
            await _check_limits(connection, new, limits)
            sequence = await self._replace(connection, new)
        return MenuChange(sequence, new.client, new.menu, new.document, new.etag), etag is None

    async def delete_menu(self, client: str, menu: str, precondition: Precondition) -> MenuChange:
        """Delete a menu and what was sold out of it.

        Raises:
            MenuNotFound: it is not stored. Others: as `put_menu`.

        """
        async with self._writing(MENUS_LOCK) as connection:
            etag = await _etag(connection, client, menu)
            if etag is None:
                raise MenuNotFound
            precondition(etag)
            await connection.execute(sa.delete(menu_availability).where(_has_key(menu_availability, client, menu)))
            sequence = await self._replace(connection, NewMenu(client, menu, None, "", 0))
        return MenuChange(sequence, client, menu, None, "")

    async def availability_changes(self, after: int) -> list[AvailabilityChange]:
        """Return all changes with greater sequences, in ascending order.

        Raises:
            Overloaded: the database does not answer.

        """
        table = menu_availability
        async with self._reading() as connection:
            rows = await connection.execute(sa.select(table).where(table.c.sequence > after).order_by(table.c.sequence))
        return [AvailabilityChange(row.sequence, row.client, row.menu, Overrides.from_document(row.overrides)) for row in rows]

    async def change_availability(self, client: str, menu: str, change: Callable[[Overrides], Overrides]) -> AvailabilityChange:
        """Change the overrides of a menu and return them.

        Raises:
            Overloaded: nothing is changed, or that is unknown.

        """
        key = _has_key(menu_availability, client, menu)
        async with self._writing(MENUS_LOCK) as connection:
            document = (await connection.execute(sa.select(menu_availability.c.overrides).where(key))).scalar()
            overrides = change(Overrides.from_document(document or {}))
            await connection.execute(sa.delete(menu_availability).where(key))
            row = {"client": client, "menu": menu, "overrides": overrides.document()}
            sequence = await _insert(connection, menu_availability, row)
        return AvailabilityChange(sequence, client, menu, overrides)

    async def _replace(self, connection: AsyncConnection, new: NewMenu) -> int:
        """Replace the row of a menu, and forget old deletions; return the sequence."""
        now = self._clock()
        is_forgotten = sa.and_(menus.c.document.is_(None), menus.c.changed_at < now - FORGET_DELETED_AFTER)
        await connection.execute(sa.delete(menus).where(sa.or_(_has_key(menus, new.client, new.menu), is_forgotten)))
        return await _insert(connection, menus, {**new._asdict(), "changed_at": now})


async def _insert(connection: AsyncConnection, table: sa.Table, row: dict[str, Any]) -> int:
    """Insert a row and return its sequence."""
    sequence: int = (await connection.execute(sa.insert(table).returning(table.c.sequence), row)).scalar_one()
    return sequence


async def _etag(connection: AsyncConnection, client: str, menu: str) -> str | None:
    statement = sa.select(menus.c.etag).where(_has_key(menus, client, menu), menus.c.document.is_not(None))
    return (await connection.execute(statement)).scalar()


async def _check_limits(connection: AsyncConnection, new: NewMenu, limits: MenuLimits) -> None:
    others = sa.and_(menus.c.client == new.client, menus.c.menu != new.menu, menus.c.document.is_not(None))
    statement = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(menus.c.n_words), 0)).where(others)
    n_menus, n_words = (await connection.execute(statement)).one()
    if n_menus >= limits.max_menus:
        message = f"This client keeps {n_menus} menus; the maximum is {limits.max_menus}. Delete one first."
        raise TooManyMenus(message)
    if n_words + new.n_words > limits.max_words:
        message = f"The names of this client's menus would have {n_words + new.n_words} words; the maximum is {limits.max_words}."
        raise TooManyMenus(message)


def _has_key(table: sa.Table, client: str, menu: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.client == client, table.c.menu == menu)
