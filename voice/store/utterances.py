"""Store utterances and what was made of them, until they expire."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from voice.review.kept import Kept
from voice.store.connection import UTTERANCES_LOCK
from voice.store.database import Database
from voice.store.tables import utterances

MAX_READ = 100_000  # of a review, the latest


class UtteranceStore(Database):
    """The kept utterances of all clients."""

    async def keep_utterances(self, kept: Sequence[Kept]) -> None:
        """Store utterances.

        Raises:
            Overloaded: they are not stored, or that is unknown.

        """
        async with self._writing(UTTERANCES_LOCK) as connection:
            await connection.execute(sa.insert(utterances), [one._asdict() for one in kept])

    async def forget_utterances(self, before: datetime) -> int:
        """Delete the utterances that were said before a time; return their number.

        Raises:
            Overloaded: they are not deleted, or that is unknown.

        """
        async with self._writing(UTTERANCES_LOCK) as connection:
            deleted = await connection.execute(sa.delete(utterances).where(utterances.c.said_at < before))
        return int(deleted.rowcount)

    async def kept_utterances(self, client: str, menu: str) -> list[Kept]:
        """Return the utterances about a menu, oldest first, at most the latest MAX_READ.

        Raises:
            Overloaded: the database does not answer.

        """
        table = utterances
        is_asked = sa.and_(table.c.client == client, table.c.menu == menu)
        statement = sa.select(table).where(is_asked).order_by(table.c.sequence.desc()).limit(MAX_READ)
        async with self._reading() as connection:
            rows = (await connection.execute(statement)).all()
        return [Kept(row.client, row.menu, row.said_at, row.before, row.after, row.document) for row in reversed(rows)]
