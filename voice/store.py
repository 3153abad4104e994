"""Keep what was acknowledged, once: orders, and the families of refresh tokens.

Any number of processes may use one database, SQLite or PostgreSQL. What holds in both:

- An order is acknowledged after its transaction was flushed to the disk: SQLite's write-ahead log with `synchronous=FULL`, PostgreSQL
  with `synchronous_commit=on`, so that it survives a power cut. A flush costs the same for one order as for many: while one transaction
  is being flushed, the orders that come in wait, and share the next one (group commit).
- One writer at a time, in all processes: SQLite has it so, and on PostgreSQL a transaction that writes takes an advisory lock first,
  which the server lets go after the transaction has become visible. So an order's sequence grows in the order in which orders become
  visible, and who follows by "sequence greater than the last I saw" never misses one; a bare PostgreSQL sequence hands out 7 and 8 and
  may show 8 first. Group commit makes the lock cheap: it is taken once a transaction, not once an order.
- A database that is away, locked, full, read-only or hanging makes `Overloaded`, within seconds; nothing is half-written, and the first
  call after it is back works. Where it cannot be known whether a commit got through, the answer is `Overloaded` too: the caller tries
  again, and storing is idempotent.

`python -m voice.store import FILE.csv --menu ID` brings in the orders that a merchant already has.
"""

import argparse
import asyncio
import csv
import hashlib
import logging
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TextIO, cast
from uuid import UUID, uuid5

import asyncpg
import orjson
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import BaseModel, BeforeValidator, TypeAdapter, ValidationError
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from errors import OrderConflict, OrderNotFound, Overloaded, RefreshTokenNotValid
from schemas import Id, Line, Menu, PrimaryKey, Quantity, Slug, StoredOrder, Timestamp
from settings import Settings
from voice.menus import MenuBook

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent.parent / "migrations"

# What each step towards a PostgreSQL that hangs may take. There is no limit on their sum: cancelling SQLAlchemy while it gives up a
# connection (which takes it 2 s more) leaves that task's failure to nobody.
CONNECT_S = 1.5
STATEMENT_S = 2.0
# What an order waits at most to be stored. A flush takes milliseconds and a failover seconds: then trying again is better than waiting.
PATIENCE_S = 4.0
# What a writer waits for another one. Writers hold the database for the milliseconds of a flush.
LOCK_S = 2.0
# A writer that stops between two statements (its machine frozen, its network cut) is ended by PostgreSQL, so that the others go on.
IDLE_S = 5.0
# Others that start at the same time may be migrating.
MIGRATION_LOCK_S = 60.0
# At the measured 1,000 and more orders a second, a full queue would take longer than anybody's patience.
MAX_WAITING = 5_000
# Enough for the flush to cost little beside the orders themselves, and few enough that the lock is let go within tens of milliseconds.
MAX_BATCH = 200
# What one process needs beside its one writer.
CONNECTIONS = 5
RETRY_S = 1.0
# A reply that was lost, or a double click: the same refresh token comes again at once. Later, somebody else has it.
REPLAY = timedelta(seconds=5)

# Keys of PostgreSQL's advisory locks; any numbers that nothing else in the database uses.
SCHEMA_LOCK = 0x766F6963_01
ORDERS_LOCK = 0x766F6963_02
TOKENS_LOCK = 0x766F6963_03


# --- Tables -------------------------------------------------------------------------------------------------------------------------


class Moment(sa.TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone, and asyncpg forgets it at the calendar's ends; so it is put on whatever is read."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's call
        """Read UTC."""
        return value.replace(tzinfo=UTC) if value else None


metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("order_id", sa.Uuid, nullable=False),
    sa.Column("menu", sa.String(200), nullable=False),
    sa.Column("customer_id", sa.Integer),
    sa.Column("placed_at", Moment, nullable=False),
    sa.Column("placed_at_given", sa.Boolean, nullable=False),
    sa.Column("lines", sa.JSON, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("meaning", sa.LargeBinary(32), nullable=False),
    sa.UniqueConstraint("order_id", "client"),  # in this order it also finds orders of many clients by their ids
    sqlite_autoincrement=True,  # else SQLite gives the highest number again after its order was deleted, and followers miss the new one
)

refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("digest", sa.LargeBinary(32), primary_key=True),
    sa.Column("family", sa.Uuid, nullable=False, index=True),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("expires_at", Moment, nullable=False, index=True),
    sa.Column("used_at", Moment),
)


# --- The database -------------------------------------------------------------------------------------------------------------------


def connect(url: str, *, lock_s: float = LOCK_S, statement_s: float | None = STATEMENT_S) -> AsyncEngine:
    """Make an engine with the settings that durability and short waits need; nothing is connected yet.

    Raises:
        ValueError: the URL is not of a database that keeps orders.

    """
    try:
        address = sa.make_url(url)
    except ArgumentError as error:
        message = "DATABASE_URL: not a URL"
        raise ValueError(message) from error
    options: dict[str, Any] = {
        "pool_size": CONNECTIONS,
        "max_overflow": 0,
        "pool_timeout": STATEMENT_S,
        "hide_parameters": True,  # they are people's orders, and errors are logged
        "json_serializer": lambda document: orjson.dumps(document).decode(),
        "json_deserializer": orjson.loads,
    }
    if address.drivername in ("sqlite", "sqlite+aiosqlite"):
        if not address.database or address.database == ":memory:":
            message = "DATABASE_URL: a database in memory keeps no order; name a file"
            raise ValueError(message)
        # The driver begins no transaction by itself (isolation_level None): it would begin one that asks for the lock only when it
        # first writes, and then fails at once, without waiting, if another writer came between.
        options |= {"connect_args": {"timeout": lock_s, "isolation_level": None}}
        engine = create_async_engine(address.set(drivername="sqlite+aiosqlite"), **options)
        sa.event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        return engine
    if address.drivername in ("postgres", "postgresql", "postgresql+asyncpg"):
        limits_s = {"lock_timeout": lock_s, "statement_timeout": statement_s or 0, "idle_in_transaction_session_timeout": IDLE_S}
        server_settings = {name: str(int(limit_s * 1000)) for name, limit_s in limits_s.items()}
        options["connect_args"] = {
            "timeout": CONNECT_S,
            "command_timeout": statement_s,
            "server_settings": {"application_name": "voice", "synchronous_commit": "on", **server_settings},
        }
        engine = create_async_engine(address.set(drivername="postgresql+asyncpg"), **options)
        sa.event.listen(engine.sync_engine, "checkout", _expect_open)
        return engine
    message = "DATABASE_URL: neither sqlite+aiosqlite:///FILE nor postgresql+asyncpg://..."
    raise ValueError(message)


def _set_up_sqlite(connection: Any, _: object) -> None:
    """Set what SQLite keeps for each connection."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # https://sqlite.org/pragma.html#pragma_synchronous: NORMAL may lose commits in WAL mode
    cursor.execute("PRAGMA fullfsync=ON")  # macOS: a plain fsync leaves the data in the drive's cache
    cursor.close()


def _expect_open(connection: Any, _: object, __: object) -> None:
    """Have a connection replaced that died while the server was away; asking the server first would be three round trips more a call."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def lock(connection: sa.Connection, key: int) -> None:
    """Begin to write: wait for the other writers. The lock goes with the transaction."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


# What a database, a driver or a network that fails may raise; OSError contains refused connections and timeouts.
AWAY = (DBAPIError, PoolTimeoutError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, EOFError)


@asynccontextmanager
async def _overloaded_when_away() -> AsyncIterator[None]:
    """Turn the database's failures into Overloaded; what our own rows or statements break stays what it is."""
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except AWAY as error:
        cause = getattr(error, "orig", None) or error
        log.warning("the database did not do it", extra={"cause": f"{type(cause).__name__}: {cause}"})
        message = "The database does not answer; try again."
        raise Overloaded(RETRY_S, message) from error


def alembic_config() -> Config:
    """Configure Alembic as pyproject.toml does, wherever the process was started."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


async def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema up to a revision; processes that do it at the same time wait for one another."""
    engine = connect(url, lock_s=MIGRATION_LOCK_S, statement_s=None)
    config = alembic_config()

    def upgrade(connection: sa.Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    try:
        async with engine.connect() as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


def _is_behind(connection: sa.Connection) -> bool:
    """Whether revisions that this process needs are missing. One that it does not know comes from a newer release, and is fine."""
    script = ScriptDirectory.from_config(alembic_config())
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {known.revision for known in script.walk_revisions()}
    return revision is None or (revision in known and revision != script.get_current_head())


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
        async with _overloaded_when_away(), self._engine.connect() as connection:
            if await connection.run_sync(_is_behind):
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
        async with _overloaded_when_away(), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def _writing(self, key: int) -> AsyncIterator[AsyncConnection]:
        """Write alone, in one transaction, which is committed at the end."""
        self._expect_ready()
        async with _overloaded_when_away(), self._engine.begin() as connection:
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

    # Refresh tokens

    async def begin_family(self, client: str, token_id: str, expires_at: datetime) -> None:
        """Begin a family of refresh tokens with its first one; forget all tokens that have expired.

        Raises:
            Overloaded: the database does not answer.

        """
        digest = _digest(token_id)
        async with self._writing(TOKENS_LOCK) as connection:
            await connection.execute(sa.delete(refresh_tokens).where(refresh_tokens.c.expires_at <= self._clock()))
            row = {"digest": digest, "family": UUID(bytes=digest[:16]), "client": client, "expires_at": expires_at}
            await connection.execute(sa.insert(refresh_tokens), row)

    async def rotate(self, token_id: str, new_token_id: str, expires_at: datetime) -> str:
        """Use up a refresh token and put a new one of its family in its place; return the client.

        Rotations wait for one another, so of several with one token exactly one wins. The others, within REPLAY, are refused and no
        more; later the token was stolen, or its heir was: the family ends.

        Source: RFC 9700 section 4.14.2 (refresh token rotation).

        Raises:
            RefreshTokenNotValid: the token is unknown, expired or used.
            Overloaded: the database does not answer.

        """
        now = self._clock()
        async with self._writing(TOKENS_LOCK) as connection:
            this = refresh_tokens.c.digest == _digest(token_id)
            token = (await connection.execute(sa.select(refresh_tokens).where(this))).one_or_none()
            is_valid = token is not None and token.expires_at > now and token.used_at is None
            if token is not None and is_valid:
                await connection.execute(sa.update(refresh_tokens).where(this).values(used_at=now))
                row = {"digest": _digest(new_token_id), "family": token.family, "client": token.client, "expires_at": expires_at}
                await connection.execute(sa.insert(refresh_tokens), row)
            elif token is not None and token.used_at is not None and now - token.used_at > REPLAY:
                await connection.execute(sa.delete(refresh_tokens).where(refresh_tokens.c.family == token.family))
                log.warning("a used refresh token came again: its family ends", extra={"client": token.client})
        if token is None or not is_valid:
            raise RefreshTokenNotValid
        return cast("str", token.client)


def _items(lines: Sequence[Line]) -> tuple[tuple[str, int], ...]:
    """Count the items of an order's lines."""
    items: dict[str, int] = {}  # not a Counter, which takes three times as long: followers read every order there ever was
    for line in lines:
        items[line["item"]] = items.get(line["item"], 0) + line["quantity"]
    return tuple(items.items())


# --- The orders that a merchant already has -----------------------------------------------------------------------------------------

# The names of imported orders; any fixed UUID.
IMPORTED = UUID("6f1d3ab2-5d0e-4c3b-9a57-0b8c1f6e2d94")
# An import may run beside a server: it holds the database for some 20 ms, and then leaves it for as long to others.
IMPORT_BATCH = 250
IMPORT_PAUSE_S = 0.02
# What a line takes.
MAX_QUANTITY = 999
# How long an import goes on trying when the database is away.
IMPORT_PATIENCE_S = 60.0
# Where progress is not seen as it changes, a line every few seconds is enough.
PROGRESS_S = 5.0


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


class HistoryRow(BaseModel):
    """A row of a merchant's history: one item of an order."""

    order_id: Annotated[str, BeforeValidator(_none_if_empty)]
    timestamp: Annotated[Timestamp | None, BeforeValidator(_none_if_empty)]
    customer_id: Annotated[PrimaryKey | None, BeforeValidator(_none_if_empty)]
    item: Id
    quantity: Quantity


@dataclass(slots=True)
class HistoryOrder:
    """An order of a merchant's history."""

    placed_at: datetime | None
    customer_id: int | None
    quantities: Counter[str] = field(default_factory=Counter)


class RowRefused(Exception):
    """A row that does not come in; the message is the reason."""


def read_history(lines: Iterable[str], menu: Menu, refuse: Callable[[int, str], None]) -> dict[str, HistoryOrder]:
    """Gather the rows into orders, by their id in the file; rows of one order may stand anywhere.

    Each bad row is refused by its number (1 is the first below the head) with a reason.

    Raises:
        ValueError: a column is missing.

    """
    history: dict[str, HistoryOrder] = {}
    reader = csv.DictReader(lines)
    missing = HistoryRow.model_fields.keys() - set(reader.fieldnames or ())
    if missing:
        message = f"the columns {', '.join(sorted(missing))} are missing"
        raise ValueError(message)
    for number, fields in _numbered(reader, refuse):
        try:
            _take_up(fields, menu, history)
        except RowRefused as reason:
            refuse(number, str(reason))
    return history


def _numbered(reader: "csv.DictReader[str]", refuse: Callable[[int, str], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give each row its number; go on behind what is not CSV."""
    number = 0
    while True:
        number += 1
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            refuse(number, str(error))


def _take_up(fields: dict[str, Any], menu: Menu, history: dict[str, HistoryOrder]) -> None:
    """Add a row to its order.

    Raises:
        RowRefused: it cannot be one.

    """
    if None in fields:
        message = "more fields than columns"
        raise RowRefused(message)
    try:
        row = HistoryRow.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        message = f"{first['loc'][0]}: {first['msg']}"
        raise RowRefused(message) from error
    if row.item not in menu.items:
        message = f"item: {row.item!r} is not on the menu"
        raise RowRefused(message)
    order = history.get(row.order_id)
    if order is None:
        order = history[row.order_id] = HistoryOrder(None, None)
    if row.customer_id and order.customer_id and row.customer_id != order.customer_id:
        message = "customer_id: another than in the order's rows before"
        raise RowRefused(message)
    if order.quantities[row.item] + row.quantity > MAX_QUANTITY:
        message = "quantity: too much of one item in one order"
        raise RowRefused(message)
    order.placed_at = order.placed_at or row.timestamp
    order.customer_id = order.customer_id or row.customer_id
    order.quantities[row.item] += row.quantity


def priced(order: HistoryOrder, menu: Menu) -> list[Line]:
    """Price an order's items as the menu stands: what the item costs, and the defaults of its option groups."""
    lines: list[Line] = []
    for item_id, quantity in order.quantities.items():
        item = menu.items[item_id]
        groups = (menu.option_groups[group] for group in item.options)
        unit_price = item.price + sum(group.choices[group.default].price for group in groups if group.default is not None)
        lines.append(
            {
                "item": item_id,
                "name": item.name,
                "quantity": quantity,
                "options": [],
                "unit_price": unit_price,
                "total": unit_price * quantity,
                "confidence": None,
                "span": None,
            }
        )
    return lines


def imported_id(client: str, menu: Menu, name: str) -> str:
    """Name an order by what it is known by."""
    return str(uuid5(IMPORTED, f"{client}\n{menu.id}\n{name}"))


def new_orders(history: dict[str, HistoryOrder], client: str, menu: Menu, now: datetime) -> list[NewOrder]:
    """Turn a history into orders, oldest first. Those without a time are placed a second apart, the last one a second before now."""
    timeless = sum(order.placed_at is None for order in history.values())
    made = []
    for name, order in history.items():
        placed_at = order.placed_at
        if placed_at is None:
            placed_at = now - timedelta(seconds=timeless)
            timeless -= 1
        lines = priced(order, menu)
        stored: StoredOrder = {
            "order_id": imported_id(client, menu, name),
            "menu": menu.id,
            "lines": lines,
            "total": sum(line["total"] for line in lines),
            "currency": menu.currency,
            "customer_id": order.customer_id,
            "placed_at": on_the_wire(placed_at),
        }
        made.append(NewOrder(client, stored, placed_at_given=order.placed_at is not None))
    return sorted(made, key=lambda new: new.order["placed_at"])


class Progress:
    """Say how far it is: in place on a terminal, else a line every PROGRESS_S."""

    def __init__(self, total: int, out: TextIO) -> None:
        self._total, self._out = total, out
        self._began_s = self._said_s = time.monotonic()

    def say(self, done: int) -> None:
        """Say that so many orders are done."""
        now_s = time.monotonic()
        if not self._out.isatty() and now_s - self._said_s < PROGRESS_S:
            return
        self._said_s = now_s
        rate = done / max(now_s - self._began_s, 0.001)
        text = f"{done:,} of {self._total:,} orders, {rate:,.0f} a second"
        self._out.write(f"\r{text}\033[K" if self._out.isatty() else f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the line that was written in place."""
        if self._out.isatty():
            self._out.write("\r\033[K")


async def import_orders(store: Store, new: Sequence[NewOrder], progress: Progress) -> tuple[int, set[str]]:
    """Store a history; return how many orders are new, and the ids of those that are stored with another content, which stays.

    Raises:
        Overloaded: the database stayed away. What is stored stays stored; the next import goes on there.

    """
    created, done = 0, 0
    conflicts: set[str] = set()
    patience_ends_s = time.monotonic() + IMPORT_PATIENCE_S
    while done < len(new):
        batch = new[done : done + IMPORT_BATCH]
        try:
            outcomes = await store.put_orders(batch)
        except Overloaded:
            if time.monotonic() > patience_ends_s:
                raise
            await asyncio.sleep(RETRY_S)
            continue
        patience_ends_s = time.monotonic() + IMPORT_PATIENCE_S
        created += sum(is_new for _, is_new in outcomes)
        conflicts.update(
            order.order["order_id"]
            for order, (kept, is_new) in zip(batch, outcomes, strict=True)
            if not is_new and not kept.is_meant_by(order)
        )
        done += len(batch)
        progress.say(done)
        await asyncio.sleep(IMPORT_PAUSE_S)
    progress.end()
    return created, conflicts


async def _import(arguments: argparse.Namespace, settings: Settings) -> None:
    """Import the file that the arguments name.

    Raises:
        SystemExit: it did not come in; the message says why.

    """
    book: MenuBook[Menu] = MenuBook(settings.menu_dir, lambda menu: menu)
    book.refresh()
    if arguments.menu not in book.menus:
        problem = next((problem for file, problem in book.problems.items() if Path(file).stem == arguments.menu), "there is none")
        sys.exit(f"menu {arguments.menu!r} in {settings.menu_dir}: {problem}; served are: {', '.join(book.menus) or 'none'}")
    menu, refused = book.menus[arguments.menu], 0

    def refuse(number: int, reason: str) -> None:
        nonlocal refused
        refused += 1
        print(f"row {number}: {reason}", file=sys.stderr)  # noqa: T201 - a command speaks to who runs it

    began_s = time.monotonic()
    try:
        store = Store(settings.database_url)
        with arguments.file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            history = read_history(lines, menu, refuse)
    except (OSError, ValueError, csv.Error) as error:
        sys.exit(f"nothing came in: {error}")
    new = new_orders(history, arguments.client, menu, _now())
    await store.open(migrate=not settings.environment.is_deployed)
    try:
        created, conflicts = await import_orders(store, new, Progress(len(new), sys.stderr))
    except Overloaded as error:
        sys.exit(f"{error} Not all orders came in; the same command goes on where this one stopped.")
    finally:
        await store.close()
    for name in history if conflicts else ():
        if imported_id(arguments.client, menu, name) in conflicts:
            print(f"order {name}: stored before with another content, which stays", file=sys.stderr)  # noqa: T201
    print(  # noqa: T201
        f"{created:,} orders stored, {len(new) - created - len(conflicts):,} were there, {len(conflicts):,} differ from what was there, "
        f"{refused:,} rows refused; {time.monotonic() - began_s:.1f} s"
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m voice.store", description="Bring in the orders that a merchant already has.")
    commands = parser.add_subparsers(dest="command", required=True)
    importing = commands.add_parser("import", help="import a CSV file with the columns order_id, timestamp, customer_id, item, quantity")
    importing.add_argument("file", type=Path, help="running it again changes nothing")
    importing.add_argument("--menu", required=True, help="the menu's id; item holds ids of its items")
    importing.add_argument("--client", help="whose orders they are (demo, in LOCAL and TESTING)")
    arguments = parser.parse_args()
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(str(error))
    if arguments.client is None:
        if settings.environment.is_deployed:
            parser.error("--client is needed")
        arguments.client = "demo"
    try:
        TypeAdapter(Slug).validate_python(arguments.client)
    except ValidationError:
        parser.error("--client: not a client's id")
    asyncio.run(_import(arguments, settings))


if __name__ == "__main__":
    main()
