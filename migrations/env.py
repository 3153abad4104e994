"""Run migrations for the command `alembic`, and for the store, which passes its own connection."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from settings import DatabaseSettings
from voice.store.connection import SCHEMA_LOCK, connect, lock
from voice.store.migrations import MIGRATION_LOCK_S
from voice.store.tables import metadata


def run(connection: Connection) -> None:
    """Run the migrations in one transaction under a lock: on both databases all are applied, or none."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True, render_as_batch=True)
    with context.begin_transaction():
        lock(connection, SCHEMA_LOCK)
        context.run_migrations()


async def run_by_settings() -> None:
    """Run the migrations on the database of the settings."""
    engine = connect(DatabaseSettings().database_url, lock_s=MIGRATION_LOCK_S, statement_s=None)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


if "connection" in context.config.attributes:
    run(context.config.attributes["connection"])
else:
    asyncio.run(run_by_settings())
