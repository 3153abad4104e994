"""Store families of refresh tokens and the revocations of clients."""

import hashlib
import logging
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from errors import RefreshTokenNotValid
from voice.store.connection import TOKENS_LOCK
from voice.store.database import Database
from voice.store.tables import refresh_tokens, revocations

log = logging.getLogger(__name__)

# A second use within this time counts as a lost reply or a double click, a later one as a theft.
REPLAY = timedelta(seconds=5)
# Used tokens are stored longer, because the clocks of processes differ.
USED_STORED = timedelta(seconds=60)


class TokenFamilyStore(Database):
    """Refresh tokens of all clients; only their digests are stored."""

    async def begin_family(self, client: str, family: UUID, token_id: str, expires_at: datetime) -> int:
        """Store the first token of a new family; return the number of the client's revocations.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._writing(TOKENS_LOCK) as connection:
            await self._purge_tokens(connection)
            row = {"digest": _digest(token_id), "family": family, "client": client, "expires_at": expires_at}
            await connection.execute(sa.insert(refresh_tokens), row)
            number = await connection.scalar(sa.select(revocations.c.number).where(revocations.c.client == client))
        return number or 0

    async def _purge_tokens(self, connection: AsyncConnection) -> None:
        """Delete expired tokens, and tokens used so long ago that a second use is a theft: `rotate` detects it by the family."""
        now = self._clock()
        await connection.execute(sa.delete(refresh_tokens).where(refresh_tokens.c.expires_at <= now))
        await connection.execute(sa.delete(refresh_tokens).where(refresh_tokens.c.used_at <= now - USED_STORED))

    async def rotate(self, family: UUID, token_id: str, new_token_id: str, expires_at: datetime) -> None:
        """Mark a refresh token as used and store its successor.

        Rotations are serialised: of several with one token exactly one succeeds. The others fail: within REPLAY without consequences,
        later as a theft of the token or its successor, and the family is deleted. If the family exists but the token does not, the token
        was used and purged.

        Source: RFC 9700 section 4.14.2 (refresh token rotation).

        Raises:
            RefreshTokenNotValid: the token is unknown, expired or used.
            Overloaded: the database does not answer.

        """
        now = self._clock()
        of_family = refresh_tokens.c.family == family
        async with self._writing(TOKENS_LOCK) as connection:
            await self._purge_tokens(connection)
            stored = {row.digest: row for row in await connection.execute(sa.select(refresh_tokens).where(of_family))}
            token = stored.get(_digest(token_id))
            is_valid = token is not None and token.used_at is None
            if token is not None and is_valid:
                await connection.execute(sa.update(refresh_tokens).where(refresh_tokens.c.digest == token.digest).values(used_at=now))
                row = {"digest": _digest(new_token_id), "family": family, "client": token.client, "expires_at": expires_at}
                await connection.execute(sa.insert(refresh_tokens), row)
            elif stored and (token is None or now - token.used_at > REPLAY):
                await connection.execute(sa.delete(refresh_tokens).where(of_family))
                client = next(iter(stored.values())).client
                log.warning("a refresh token was used twice: its family was deleted", extra={"client": client})
        if not is_valid:
            raise RefreshTokenNotValid

    async def revoke(self, client: str) -> int:
        """Delete all of a client's token families and invalidate its access tokens; return the number of families.

        Raises:
            Overloaded: the database does not answer.

        """
        of_client = refresh_tokens.c.client == client
        async with self._writing(TOKENS_LOCK) as connection:
            await self._purge_tokens(connection)
            families = sa.select(sa.func.count(sa.distinct(refresh_tokens.c.family))).where(of_client)
            n_families: int = await connection.scalar(families) or 0
            await connection.execute(sa.delete(refresh_tokens).where(of_client))
            updated = sa.update(revocations).where(revocations.c.client == client).values(number=revocations.c.number + 1)
            if not (await connection.execute(updated)).rowcount:
                await connection.execute(sa.insert(revocations), {"client": client, "number": 1})
        return n_families

    async def revocations(self) -> dict[str, int]:
        """Return the number of revocations of each client that has any.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._reading() as connection:
            rows = await connection.execute(sa.select(revocations))
        return {row.client: row.number for row in rows}


def _digest(token_id: str) -> bytes:
    """Digest a token's id: the database contains nothing that works as a token."""
    return hashlib.sha256(token_id.encode()).digest()
