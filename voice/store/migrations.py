"""Apply the migrations in `migrations/`."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from voice.store.connection import connect

MIGRATIONS = Path(__file__).parents[2] / "migrations"
# Another process that starts at the same time may be migrating.
MIGRATION_LOCK_S = 60.0


def alembic_config() -> Config:
    """Return the same configuration as pyproject.toml, independent of the working directory."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


async def migrate(url: str, revision: str = "head") -> None:
    """Upgrade the schema to a revision; concurrent processes wait for one another."""
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
    """Return True if the schema lacks revisions of this release. An unknown revision comes from a newer release, which is compatible."""
    script = ScriptDirectory.from_config(alembic_config())
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {known.revision for known in script.walk_revisions()}
    return revision is None or (revision in known and revision != script.get_current_head())
