"""Reach the database: its tables, what each connection is set to, its migrations, and what its failures become.

What holds on SQLite and on PostgreSQL:

- A commit is acknowledged after it was flushed to the disk: SQLite's write-ahead log with `synchronous=FULL`, PostgreSQL with
  `synchronous_commit=on`, so that it survives a power cut.
- One writer at a time, in all processes: SQLite has it so, and on PostgreSQL a transaction that writes takes an advisory lock first
  (`lock`), which the server lets go after the transaction has become visible.
- A database that is away, locked, full, read-only or hanging makes `Overloaded`, within seconds.
"""

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from errors import Overloaded

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parents[2] / "migrations"

# What each step towards a PostgreSQL that hangs may take. There is no limit on their sum: cancelling SQLAlchemy while it gives up a
# connection (which takes it 2 s more) leaves that task's failure to nobody.
CONNECT_S = 1.5
STATEMENT_S = 2.0
# What a writer waits for another one. Writers hold the database for the milliseconds of a flush.
LOCK_S = 2.0
# A writer that stops between two statements (its machine frozen, its network cut) is ended by PostgreSQL, so that the others go on.
IDLE_S = 5.0
# Others that start at the same time may be migrating.
MIGRATION_LOCK_S = 60.0
# What one process needs beside its one writer.
CONNECTIONS = 5
RETRY_S = 1.0

WRITE_AHEAD = "PRAGMA journal_mode=WAL"

# Keys of PostgreSQL's advisory locks; any numbers that nothing else in the database uses.
SCHEMA_LOCK = 0x766F6963_01
ORDERS_LOCK = 0x766F6963_02
TOKENS_LOCK = 0x766F6963_03
LEARNED_LOCK = 0x766F6963_04


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
    sa.Column("used_at", Moment, index=True),
)

revocations = sa.Table(
    "revocations",
    metadata,
    sa.Column("client", sa.String(64), primary_key=True),
    # How often its tokens were revoked. A token names the number at its family's beginning, and is invalid below the present one.
    sa.Column("number", sa.BigInteger, nullable=False),
)

# What follows from the orders, and only saves learning it again; it may be emptied at any time.
fits = sa.Table(
    "fits",
    metadata,
    sa.Column("client", sa.String(64), primary_key=True),
    sa.Column("menu", sa.String(200), primary_key=True),
    # From how many orders the fit is that is kept, and the one that a process is at.
    sa.Column("n_orders", sa.BigInteger, nullable=False),
    sa.Column("fitted", sa.LargeBinary, nullable=False),
    sa.Column("begun_n_orders", sa.BigInteger, nullable=False),
    sa.Column("begun_at", Moment, nullable=False),
)

counts = sa.Table(
    "counts",
    metadata,
    sa.Column("client", sa.String(64), primary_key=True),
    sa.Column("menu", sa.String(200), primary_key=True),
    # The last order that is counted. The greatest of all rows is how far the orders are counted in all of them.
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("counted", sa.LargeBinary, nullable=False),
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
    try:
        cursor.execute(WRITE_AHEAD)
    except sqlite3.OperationalError:  # another switches a new file too: SQLite refuses at once, but waits for a turn to write
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("ROLLBACK")
        cursor.execute(WRITE_AHEAD)
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
async def overloaded_when_away() -> AsyncIterator[None]:
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


def is_behind(connection: sa.Connection) -> bool:
    """Whether revisions that this process needs are missing. One that it does not know comes from a newer release, and is fine."""
    script = ScriptDirectory.from_config(alembic_config())
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {known.revision for known in script.walk_revisions()}
    return revision is None or (revision in known and revision != script.get_current_head())
