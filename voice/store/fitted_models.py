"""Share fitted ranking models and snapshots of counts between processes. Both are derived from the orders."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from voice.recommend.past_orders import CountsSnapshot
from voice.store.connection import RECOMMENDER_LOCK
from voice.store.database import Database
from voice.store.tables import counts, fits

# The longest fit takes half a minute of a core. An older claim probably belongs to a process that ended.
CLAIM_EXPIRES = timedelta(seconds=60)


class FittedModelStore(Database):
    """Fits and snapshots by client and menu."""

    async def claim_fit(self, client: str, menu: str, n_orders: int, *, outdated: float) -> bool:
        """Claim the fit to `n_orders` orders for this process; return False if the fit is not needed.

        It is not needed if a fit to at least as many orders is saved, or another process claimed one to more than `n_orders / outdated`.

        Raises:
            Overloaded: the database does not answer.

        """
        now = self._clock()
        async with self._writing(RECOMMENDER_LOCK) as connection:
            row = (await connection.execute(_select_claim(client, menu))).one_or_none()
            claim = {"claimed_n_orders": n_orders, "claimed_at": now}
            if row is None:
                first = {"client": client, "menu": menu, "n_orders": 0, "fitted": b"", **claim}
                await connection.execute(sa.insert(fits), first)
                return True
            is_claimed = row.n_orders < row.claimed_n_orders and now - row.claimed_at < CLAIM_EXPIRES
            if row.n_orders >= n_orders or (is_claimed and n_orders < row.claimed_n_orders * outdated):
                return False
            await connection.execute(sa.update(fits).where(_has_key(fits, client, menu)).values(claim))
        return True

    async def save_fit(self, client: str, menu: str, n_orders: int, fitted: bytes) -> None:
        """Save the fit to `n_orders` orders, unless a fit to more orders is saved.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._writing(RECOMMENDER_LOCK) as connection:
            row = (await connection.execute(_select_claim(client, menu))).one_or_none()
            if row is None:
                first = {"n_orders": n_orders, "fitted": fitted, "claimed_n_orders": n_orders, "claimed_at": self._clock()}
                await connection.execute(sa.insert(fits), {"client": client, "menu": menu, **first})
            elif row.n_orders < n_orders:
                await connection.execute(sa.update(fits).where(_has_key(fits, client, menu)).values(n_orders=n_orders, fitted=fitted))

    async def get_fit(self, client: str, menu: str, *, after: int) -> tuple[int, bytes] | None:
        """Return the saved fit and its number of orders, if that is greater than `after`.

        Raises:
            Overloaded: the database does not answer.

        """
        statement = sa.select(fits.c.n_orders, fits.c.fitted).where(_has_key(fits, client, menu), fits.c.n_orders > after)
        async with self._reading() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else (row.n_orders, row.fitted)

    async def snapshot_sequences(self) -> dict[tuple[str, str], int]:
        """Return the sequence of each saved snapshot, by client and menu.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._reading() as connection:
            rows = await connection.execute(sa.select(counts.c.client, counts.c.menu, counts.c.sequence))
        return {(row.client, row.menu): row.sequence for row in rows}

    async def get_snapshot(self, client: str, menu: str) -> tuple[int, bytes] | None:
        """Return a saved snapshot's sequence and counts.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._reading() as connection:
            row = (await connection.execute(sa.select(counts).where(_has_key(counts, client, menu)))).one_or_none()
        return None if row is None else (row.sequence, row.snapshot)

    async def save_snapshots(self, snapshots: Collection[CountsSnapshot], *, since: int) -> None:
        """Save snapshots, unless another process saved some meanwhile: then the greatest saved sequence is not `since`.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._writing(RECOMMENDER_LOCK) as connection:
            newest = (await connection.execute(sa.select(sa.func.max(counts.c.sequence)))).scalar() or 0
            if newest != since:
                return
            for client, menu, sequence, snapshot in snapshots:
                await connection.execute(sa.delete(counts).where(_has_key(counts, client, menu)))
                row = {"client": client, "menu": menu, "sequence": sequence, "snapshot": snapshot}
                await connection.execute(sa.insert(counts), row)


def _select_claim(client: str, menu: str) -> sa.Select[Any]:
    """Select the row of a fit, without the fit itself."""
    return sa.select(fits.c.n_orders, fits.c.claimed_n_orders, fits.c.claimed_at).where(_has_key(fits, client, menu))


def _has_key(table: sa.Table, client: str, menu: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.client == client, table.c.menu == menu)
