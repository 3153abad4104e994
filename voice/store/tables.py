"""The tables of the database."""

from datetime import UTC, datetime

import sqlalchemy as sa


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A datetime in UTC. SQLite stores no zone, and asyncpg drops it at the calendar's ends, so it is set on every value read."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's call
        """Set the zone."""
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
    sa.Column("placed_at", UtcDateTime, nullable=False),
    sa.Column("placed_at_given", sa.Boolean, nullable=False),
    sa.Column("lines", sa.JSON, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("meaning", sa.LargeBinary(32), nullable=False),  # stored_orders.order_digest
    sa.UniqueConstraint("order_id", "client"),  # in this order it also finds orders of many clients by their ids
    # Otherwise SQLite reuses the highest sequence after its order was deleted, and followers miss the new one.
    sqlite_autoincrement=True,
)

refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("digest", sa.LargeBinary(32), primary_key=True),
    sa.Column("family", sa.Uuid, nullable=False, index=True),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
    sa.Column("used_at", UtcDateTime, index=True),
)

revocations = sa.Table(
    "revocations",
    metadata,
    sa.Column("client", sa.String(64), primary_key=True),
    # The number of revocations. A token contains the number at the start of its family, and is invalid below the present one.
    sa.Column("number", sa.BigInteger, nullable=False),
)

# The next two tables are derived from the orders and may be emptied at any time.
fits = sa.Table(
    "fits",
    metadata,
    sa.Column("client", sa.String(64), primary_key=True),
    sa.Column("menu", sa.String(200), primary_key=True),
    # The numbers of orders of the saved fit, and of the fit that a process claimed last.
    sa.Column("n_orders", sa.BigInteger, nullable=False),
    sa.Column("fitted", sa.LargeBinary, nullable=False),
    sa.Column("begun_n_orders", sa.BigInteger, nullable=False),
    sa.Column("begun_at", UtcDateTime, nullable=False),
)

counts = sa.Table(
    "counts",
    metadata,
    sa.Column("client", sa.String(64), primary_key=True),
    sa.Column("menu", sa.String(200), primary_key=True),
    # The last order counted. All orders up to the greatest sequence of all rows are counted in one of them.
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("counted", sa.LargeBinary, nullable=False),
)
