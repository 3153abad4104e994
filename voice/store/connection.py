"""Connect to SQLite or PostgreSQL, and map their failures to Overloaded.

On both databases:

- A commit is acknowledged after it was flushed to the disk, so that it survives a power cut: SQLite's write-ahead log has
  `synchronous=FULL`, PostgreSQL `synchronous_commit=on`.
- One transaction writes at a time, in all processes: SQLite allows one writer; on PostgreSQL each transaction that writes acquires an
  advisory lock first (`lock`), and the server releases it after the transaction has become visible.
- A database that is unreachable, locked, full, read-only or hanging raises `Overloaded` within seconds.
"""

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from errors import Overloaded

log = logging.getLogger(__name__)

# Time limits of each step, for a PostgreSQL that hangs. The steps have no common limit: cancelling SQLAlchemy while it closes a connection
# (2 s more) would leave that task's exception unretrieved.
CONNECT_S = 1.5
STATEMENT_S = 2.0
# A writer's wait for other writers. Each holds the lock for the milliseconds of a flush.
LOCK_S = 2.0
# PostgreSQL ends a transaction that stops between two statements (its machine frozen, its network cut), so that other writers proceed.
IDLE_S = 5.0
# Per process: one writer, the rest readers.
MAX_CONNECTIONS = 5
RETRY_S = 1.0

WRITE_AHEAD = "PRAGMA journal_mode=WAL"

# Keys of PostgreSQL's advisory locks: arbitrary numbers, unique in the database.
SCHEMA_LOCK = 0x766F6963_01
ORDERS_LOCK = 0x766F6963_02
TOKENS_LOCK = 0x766F6963_03
RECOMMENDER_LOCK = 0x766F6963_04
MENUS_LOCK = 0x766F6963_05
OUTBOX_LOCK = 0x766F6963_06
UTTERANCES_LOCK = 0x766F6963_07


def connect(url: str, *, lock_s: float = LOCK_S, statement_s: float | None = STATEMENT_S) -> AsyncEngine:
    """Create an engine with settings for durability and short waits; it connects at its first use.

    Raises:
        ValueError: the URL does not name a supported, durable database.

    """
    try:
        address = sa.make_url(url)
    except ArgumentError as error:
        message = "DATABASE_URL: not a URL"
        raise ValueError(message) from error
    options: dict[str, Any] = {
        "pool_size": MAX_CONNECTIONS,
        "max_overflow": 0,
        "pool_timeout": STATEMENT_S,
        "hide_parameters": True,  # errors are logged, and parameters contain customers' orders
        "json_serializer": lambda document: orjson.dumps(document).decode(),
        "json_deserializer": orjson.loads,
    }
    if address.drivername in ("sqlite", "sqlite+aiosqlite"):
        if not address.database or address.database == ":memory:":
            message = "DATABASE_URL: a database in memory is lost at the end of the process; name a file"
            raise ValueError(message)
        # Without isolation_level None the driver would open deferred transactions, which fail at once, without waiting for the lock, if
        # another writer commits first.
        options |= {"connect_args": {"timeout": lock_s, "isolation_level": None}}
        engine = create_async_engine(address.set(drivername="sqlite+aiosqlite"), **options)
        sa.event.listen(engine.sync_engine, "connect", _configure_sqlite)
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
        sa.event.listen(engine.sync_engine, "checkout", _check_open)
        return engine
    message = "DATABASE_URL: neither sqlite+aiosqlite:///FILE nor postgresql+asyncpg://..."
    raise ValueError(message)


def _configure_sqlite(connection: Any, _: object) -> None:
    """Configure a new connection."""
    cursor = connection.cursor()
    try:
        cursor.execute(WRITE_AHEAD)
    except sqlite3.OperationalError:  # another connection switches the new file, too: SQLite fails at once, but waits for a write lock
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("ROLLBACK")
        cursor.execute(WRITE_AHEAD)
    cursor.execute("PRAGMA synchronous=FULL")  # https://sqlite.org/pragma.html#pragma_synchronous: NORMAL may lose commits in WAL mode
    cursor.execute("PRAGMA fullfsync=ON")  # macOS: a plain fsync leaves the data in the drive's cache
    cursor.close()


def _check_open(connection: Any, _: object, __: object) -> None:
    """Replace a pooled connection that the server closed; SQLAlchemy's own check takes three round trips a call."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def lock(connection: sa.Connection, key: int) -> None:
    """Acquire the write lock, after waiting for other writers; the end of the transaction releases it."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


# The exceptions of a failing database, driver or network; OSError includes refused connections and timeouts.
FAILURES = (DBAPIError, PoolTimeoutError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, EOFError)


@asynccontextmanager
async def overloaded_on_failure() -> AsyncIterator[None]:
    """Convert failures of the database to Overloaded; errors of our own rows and statements pass unchanged."""
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except FAILURES as error:
        cause = getattr(error, "orig", None) or error
        log.warning("the database call failed", extra={"cause": f"{type(cause).__name__}: {cause}"})
        message = "The database does not answer; try again."
        raise Overloaded(RETRY_S, message) from error
