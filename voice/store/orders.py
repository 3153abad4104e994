"""Keep what was acknowledged, once: orders, and the families of refresh tokens; and what was learned from the orders.

Any number of processes may use one database; `voice.store.database` tells what holds in SQLite and in PostgreSQL.

- An order is acknowledged after its transaction was flushed to the disk. A flush costs the same for one order as for many: while one
  transaction is being flushed, the orders that come in wait, and share the next one (group commit).
- One writer at a time: so an order's sequence grows in the order in which orders become visible, and who follows by "sequence greater
  than the last I saw" never misses one; a bare PostgreSQL sequence hands out 7 and 8 and may show 8 first. Group commit makes the lock
  cheap: it is taken once a transaction, not once an order.
- When the database is away nothing is half-written, and the first call after it is back works. Where it cannot be known whether a commit
  got through, the answer is `Overloaded` too: the caller tries again, and storing is idempotent.

`python -m voice.store.orders import FILE.csv --menu ID` brings in the orders that a merchant already has.
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from errors import OrderConflict, OrderNotFound, Overloaded, RefreshTokenNotValid
from schemas import Line, StoredOrder
from voice.store.database import (
    AWAY,
    LEARNED_LOCK,
    ORDERS_LOCK,
    RETRY_S,
    TOKENS_LOCK,
    connect,
    counts,
    fits,
    is_behind,
    lock,
    migrate,
    orders,
    overloaded_when_away,
    refresh_tokens,
    revocations,
)

log = logging.getLogger(__name__)

# What an order waits at most to be stored. A flush takes milliseconds and a failover seconds: then trying again is better than waiting.
PATIENCE_S = 4.0
# At the measured 1,000 and more orders a second, a full queue would take longer than anybody's patience.
MAX_WAITING = 5_000
# Enough for the flush to cost little beside the orders themselves, and few enough that the lock is let go within tens of milliseconds.
MAX_BATCH = 200
# A reply that was lost, or a double click: the same refresh token comes again at once. Later, somebody else has it.
REPLAY = timedelta(seconds=5)
# Used tokens are kept for that, and for processes whose clocks differ.
USED_KEPT = timedelta(seconds=60)
# The longest fit takes half a minute of a core. Who is at it for longer than this was probably ended.
FIT_PATIENCE = timedelta(seconds=60)

# --- Orders -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PastOrder:
    """What an order teaches: who had what, and when (UTC). Sequences grow; none becomes visible after a higher one."""

    sequence: int
    client: str
    menu: str
    placed_at: datetime
    customer_id: int | None
    items: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be stored; where no time was given, `placed_at` is now."""

    client: str
    order: StoredOrder
    placed_at_given: bool

    @property
    def key(self) -> tuple[str, UUID]:
        """What it is known by."""
        return self.client, UUID(self.order["order_id"])


@dataclass(frozen=True, slots=True)
class Kept:
    """An order as it is stored."""

    order: StoredOrder
    placed_at_given: bool
    meaning: bytes

    def is_meant_by(self, new: NewOrder) -> bool:
        """Whether storing the other means this one: no time means now, so it is the same again only where none was given before."""
        same_time = self.order["placed_at"] == new.order["placed_at"] if new.placed_at_given else not self.placed_at_given
        return same_time and self.meaning == meaning(new.order)


class Counted(NamedTuple):
    """The counts of a client's orders from a menu, and the last order in them."""

    client: str
    menu: str
    sequence: int
    counted: bytes


@dataclass(slots=True)
class Waiting:
    """A caller that waits for its order to be stored."""

    new: NewOrder
    outcome: "asyncio.Future[tuple[Kept, bool]]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


def meaning(order: StoredOrder) -> bytes:
    """Digest what an order asks for: neither prices and names, nor the order of lines and options, nor how equal lines are split."""
    quantities: Counter[bytes] = Counter()
    for line in order["lines"]:
        options = sorted(
            orjson.dumps(
                [option["group"], option["choice"] or sorted(option.get("alternatives", ())), option["amount"], option["quantity"]]
            )
            for option in line["options"]
        )
        quantities[orjson.dumps([line["item"], [option.decode() for option in options]])] += line["quantity"]
    lines = [[line.decode(), quantity] for line, quantity in sorted(quantities.items())]
    return hashlib.sha256(orjson.dumps([order["menu"], order["customer_id"], lines])).digest()


def on_the_wire(moment: datetime) -> str:
    """Write a moment as the contract does: UTC, whole seconds, `2026-11-22T10:00:00Z`."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _now() -> datetime:
    return datetime.now(UTC)


def _kept(row: sa.Row[Any]) -> Kept:
    """Read an order from its row."""
    order: StoredOrder = {
        "order_id": str(row.order_id),
        "menu": row.menu,
        "lines": row.lines,
        "total": row.total,
        "currency": row.currency,
        "customer_id": row.customer_id,
        "placed_at": on_the_wire(row.placed_at),
    }
    return Kept(order, row.placed_at_given, row.meaning)


def _row(new: NewOrder, kept: Kept) -> dict[str, object]:
    """Write an order as its row."""
    order = new.order
    return {
        "client": new.client,
        "order_id": UUID(order["order_id"]),
        "menu": order["menu"],
        "customer_id": order["customer_id"],
        "placed_at": datetime.fromisoformat(order["placed_at"]),
        "placed_at_given": new.placed_at_given,
        "lines": order["lines"],
        "total": order["total"],
        "currency": order["currency"],
        "meaning": kept.meaning,
    }


def _fits_of(client: str, menu: str) -> sa.Select[Any]:
    """Select what is known of a fit, but not the fit."""
    return sa.select(fits.c.n_orders, fits.c.begun_n_orders, fits.c.begun_at).where(_of(fits, client, menu))


def _of(table: sa.Table, client: str, menu: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.client == client, table.c.menu == menu)


def _digest(token_id: str) -> bytes:
    """Digest a token's id: who reads the database cannot make a token of it."""
    return hashlib.sha256(token_id.encode()).digest()


class Store:
    """What is kept. `clock` says what time it is, for what expires."""

    def __init__(self, url: str, *, clock: Callable[[], datetime] = _now) -> None:
        """Connect to nothing yet.

        Raises:
            ValueError: the URL is not of a database that keeps orders.

        """
        self._url = url
        self._clock = clock
        self._engine = connect(url)
        self._is_ready = False
        self._preparing: asyncio.Task[None] | None = None
        self._waiting: list[Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def open(self, *, migrate: bool) -> None:
        """Make ready to serve; with `migrate`, bring the schema up to date first.

        A database that is away does not stop the start: it is tried again until it is there, and until then every call is Overloaded.
        """
        try:
            await self._prepare(migrate=migrate)
        except Overloaded:
            self._preparing = asyncio.create_task(self._keep_preparing(migrate=migrate))

    async def _prepare(self, *, migrate: bool) -> None:
        if migrate:
            await self._migrate()
        async with overloaded_when_away(), self._engine.connect() as connection:
            if await connection.run_sync(is_behind):
                log.error("the database's schema is behind: run `make migrate`")
                message = "The database is being prepared; try again."
                raise Overloaded(RETRY_S, message)
        self._is_ready = True

    async def _migrate(self) -> None:
        try:
            await migrate(self._url)
        except AWAY as error:
            log.warning("the schema is not up to date yet", extra={"cause": f"{type(error).__name__}: {error}"})
            raise Overloaded(RETRY_S) from error

    async def _keep_preparing(self, *, migrate: bool) -> None:
        while not self._is_ready:
            await asyncio.sleep(RETRY_S)
            try:
                await self._prepare(migrate=migrate)
            except Overloaded:
                continue
            except Exception:
                log.exception("the database cannot be prepared")

    async def close(self) -> None:
        """Finish what was begun, and let go of the database."""
        if self._preparing is not None:
            self._preparing.cancel()
            with suppress(asyncio.CancelledError):
                await self._preparing
        if self._writer is not None:
            await self._writer
        await self._engine.dispose()

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        self._expect_ready()
        async with overloaded_when_away(), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def _writing(self, key: int) -> AsyncIterator[AsyncConnection]:
        """Write alone, in one transaction, which is committed at the end."""
        self._expect_ready()
        async with overloaded_when_away(), self._engine.begin() as connection:
            await connection.run_sync(lock, key)
            yield connection

    def _expect_ready(self) -> None:
        if not self._is_ready:
            message = "The database is being prepared; try again."
            raise Overloaded(RETRY_S, message)

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            Overloaded: it gives none, or its schema is not up to date.

        """
        async with self._reading() as connection:
            await connection.execute(sa.select(1))

    # Orders

    async def put_order(self, client: str, order: StoredOrder, *, placed_at_given: bool) -> tuple[StoredOrder, bool]:
        """Store an order once, safely; return what is stored, and whether it was this call that stored it.

        Raises:
            OrderConflict: another order is stored under this id.
            Overloaded: the order is not stored, or it cannot be known whether it is; try again.

        """
        self._expect_ready()
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded(RETRY_S)
        waiting = Waiting(NewOrder(client, order, placed_at_given))
        self._waiting.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        try:
            async with asyncio.timeout(PATIENCE_S):
                kept, is_new = await waiting.outcome
        except TimeoutError as error:
            message = "The database does not answer; try again."
            raise Overloaded(RETRY_S, message) from error
        if not is_new and not kept.is_meant_by(waiting.new):
            raise OrderConflict
        return kept.order, is_new

    async def _write_waiting(self) -> None:
        """Store what waits, transaction by transaction, until nothing does."""
        while self._waiting:
            batch = [waiting for waiting in self._waiting[:MAX_BATCH] if not waiting.outcome.done()]  # done: its caller has gone
            del self._waiting[:MAX_BATCH]
            await self._write(batch)

    async def _write(self, batch: Sequence[Waiting]) -> None:
        """Store a batch and tell its callers. Where one order breaks the batch, the others do not suffer for it."""
        try:
            outcomes: Sequence[tuple[Kept, bool] | Exception] = await self.put_orders([waiting.new for waiting in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers get it
            if len(batch) > 1 and not isinstance(error, Overloaded):
                for waiting in batch:
                    await self._write([waiting])
                return
            outcomes = [error] * len(batch)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if waiting.outcome.done():
                continue
            if isinstance(outcome, Exception):
                waiting.outcome.set_exception(outcome)
            else:
                waiting.outcome.set_result(outcome)

    async def put_orders(self, new_orders: Sequence[NewOrder]) -> list[tuple[Kept, bool]]:
        """Store orders in one transaction; return what is stored under each one's id, and whether it was this one that was stored.

        Raises:
            Overloaded: none is stored, or it cannot be known whether they are; try again.

        """
        async with self._writing(ORDERS_LOCK) as connection:
            ids = {new.key[1] for new in new_orders}
            found = await connection.execute(sa.select(orders).where(orders.c.order_id.in_(ids)))
            known = {(row.client, row.order_id): _kept(row) for row in found}
            rows, outcomes = [], []
            for new in new_orders:
                is_new = new.key not in known
                if is_new:
                    known[new.key] = Kept(new.order, new.placed_at_given, meaning(new.order))
                    rows.append(_row(new, known[new.key]))
                outcomes.append((known[new.key], is_new))
            if rows:
                await connection.execute(sa.insert(orders), rows)
        return outcomes

    async def get_order(self, client: str, order_id: UUID) -> StoredOrder:
        """Return a client's order.

        Raises:
            OrderNotFound: this client has stored none under this id.
            Overloaded: the database does not answer.

        """
        return (await self._get(client, order_id)).order

    async def get_same_order(self, client: str, order: StoredOrder, *, placed_at_given: bool) -> StoredOrder:
        """Return what is stored of an order that comes again; prices and names are not looked at.

        For an order that can no longer be priced, since the menu changed after it was stored: its caller may not know yet that it was.

        Raises:
            OrderNotFound: this client has stored none under this id.
            OrderConflict: another order is stored under this id.
            Overloaded: the database does not answer.

        """
        kept = await self._get(client, UUID(order["order_id"]))
        if not kept.is_meant_by(NewOrder(client, order, placed_at_given)):
            raise OrderConflict
        return kept.order

    async def _get(self, client: str, order_id: UUID) -> Kept:
        async with self._reading() as connection:
            found = await connection.execute(sa.select(orders).where(orders.c.order_id == order_id, orders.c.client == client))
            row = found.one_or_none()
        if row is None:
            raise OrderNotFound
        return _kept(row)

    async def orders_after(self, sequence: int, *, limit: int) -> list[PastOrder]:
        """Return the orders after a sequence, of all clients, lowest sequence first.

        Raises:
            Overloaded: the database does not answer.

        """
        columns = orders.c["sequence", "client", "menu", "placed_at", "customer_id", "lines"]
        statement = sa.select(*columns).where(orders.c.sequence > sequence).order_by(orders.c.sequence).limit(limit)
        async with self._reading() as connection:
            rows = (await connection.execute(statement)).all()
        return [PastOrder(row.sequence, row.client, row.menu, row.placed_at, row.customer_id, _items(row.lines)) for row in rows]

    # What was learned

    async def claim_fit(self, client: str, menu: str, n_orders: int, *, outdated: float) -> bool:
        """Say that this process now fits to `n_orders` orders; return whether it should.

        It should not where another one is at it, from as many orders divided by `outdated` or more: what comes of it will be kept.

        Raises:
            Overloaded: the database does not answer.

        """
        now = self._clock()
        async with self._writing(LEARNED_LOCK) as connection:
            row = (await connection.execute(_fits_of(client, menu))).one_or_none()
            begun = {"begun_n_orders": n_orders, "begun_at": now}
            if row is None:
                first = {"client": client, "menu": menu, "n_orders": 0, "fitted": b"", **begun}
                await connection.execute(sa.insert(fits), first)
                return True
            is_under_way = row.n_orders < row.begun_n_orders and now - row.begun_at < FIT_PATIENCE
            if row.n_orders >= n_orders or (is_under_way and n_orders < row.begun_n_orders * outdated):
                return False
            await connection.execute(sa.update(fits).where(_of(fits, client, menu)).values(begun))
        return True

    async def keep_fit(self, client: str, menu: str, n_orders: int, fitted: bytes) -> None:
        """Keep the fit to `n_orders` orders, unless there is one to more.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._writing(LEARNED_LOCK) as connection:
            row = (await connection.execute(_fits_of(client, menu))).one_or_none()
            if row is None:
                kept = {"n_orders": n_orders, "fitted": fitted, "begun_n_orders": n_orders, "begun_at": self._clock()}
                await connection.execute(sa.insert(fits), {"client": client, "menu": menu, **kept})
            elif row.n_orders < n_orders:
                await connection.execute(sa.update(fits).where(_of(fits, client, menu)).values(n_orders=n_orders, fitted=fitted))

    async def get_fit(self, client: str, menu: str, *, after: int) -> tuple[int, bytes] | None:
        """Return the fit that is kept, and to how many orders it is, if to more than `after`.

        Raises:
            Overloaded: the database does not answer.

        """
        statement = sa.select(fits.c.n_orders, fits.c.fitted).where(_of(fits, client, menu), fits.c.n_orders > after)
        async with self._reading() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else (row.n_orders, row.fitted)

    async def counted_sequences(self) -> dict[tuple[str, str], int]:
        """Return, by client and menu, the last order in the counts that are kept.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._reading() as connection:
            rows = await connection.execute(sa.select(counts.c.client, counts.c.menu, counts.c.sequence))
        return {(row.client, row.menu): row.sequence for row in rows}

    async def get_counts(self, client: str, menu: str) -> tuple[int, bytes] | None:
        """Return the counts that are kept, and the last order in them.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._reading() as connection:
            row = (await connection.execute(sa.select(counts).where(_of(counts, client, menu)))).one_or_none()
        return None if row is None else (row.sequence, row.counted)

    async def keep_counts(self, counted: Collection[Counted], *, since: int) -> None:
        """Keep the counts of all that had orders after the sequence `since`, unless another process did meanwhile.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._writing(LEARNED_LOCK) as connection:
            newest = (await connection.execute(sa.select(sa.func.max(counts.c.sequence)))).scalar() or 0
            if newest != since:
                return
            for one in counted:
                await connection.execute(sa.delete(counts).where(_of(counts, one.client, one.menu)))
                await connection.execute(sa.insert(counts), one._asdict())

    # Refresh tokens

    async def begin_family(self, client: str, family: UUID, token_id: str, expires_at: datetime) -> int:
        """Begin a family of refresh tokens with its first one; return how often the client's tokens were revoked before.

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
        """Delete expired tokens, and used ones once a second use is a theft: the family tells that without them."""
        now = self._clock()
        await connection.execute(sa.delete(refresh_tokens).where(refresh_tokens.c.expires_at <= now))
        await connection.execute(sa.delete(refresh_tokens).where(refresh_tokens.c.used_at <= now - USED_KEPT))

    async def rotate(self, family: UUID, token_id: str, new_token_id: str, expires_at: datetime) -> None:
        """Use up a refresh token and put a new one of its family in its place.

        Rotations wait for one another, so of several with one token exactly one wins. The others, within REPLAY, are refused and no
        more; later the token was stolen, or its heir was: the family ends. A token that is not kept, of a family that is, was used
        longer ago.

        Source: RFC 9700 section 4.14.2 (refresh token rotation).

        Raises:
            RefreshTokenNotValid: the token is unknown, expired or used.
            Overloaded: the database does not answer.

        """
        now = self._clock()
        of_family = refresh_tokens.c.family == family
        async with self._writing(TOKENS_LOCK) as connection:
            await self._purge_tokens(connection)
            kept = {row.digest: row for row in await connection.execute(sa.select(refresh_tokens).where(of_family))}
            token = kept.get(_digest(token_id))
            is_valid = token is not None and token.used_at is None
            if token is not None and is_valid:
                await connection.execute(sa.update(refresh_tokens).where(refresh_tokens.c.digest == token.digest).values(used_at=now))
                row = {"digest": _digest(new_token_id), "family": family, "client": token.client, "expires_at": expires_at}
                await connection.execute(sa.insert(refresh_tokens), row)
            elif kept and (token is None or now - token.used_at > REPLAY):
                await connection.execute(sa.delete(refresh_tokens).where(of_family))
                log.warning("a used refresh token came again: its family ends", extra={"client": next(iter(kept.values())).client})
        if not is_valid:
            raise RefreshTokenNotValid

    async def revoke(self, client: str) -> int:
        """End all of a client's token families and make its access tokens invalid; return how many families there were.

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
        """Return how often each client's tokens were revoked.

        Raises:
            Overloaded: the database does not answer.

        """
        async with self._reading() as connection:
            rows = await connection.execute(sa.select(revocations))
        return {row.client: row.number for row in rows}


def _items(lines: Sequence[Line]) -> tuple[tuple[str, int], ...]:
    """Count the items of an order's lines."""
    items: dict[str, int] = {}  # not a Counter, which takes three times as long: followers read every order there ever was
    for line in lines:
        items[line["item"]] = items.get(line["item"], 0) + line["quantity"]
    return tuple(items.items())


if __name__ == "__main__":
    # The command has a module of its own; this is the name that merchants know it by.
    from voice.store.import_orders import main

    main()
