"""The tables of the database."""

from datetime import UTC, datetime

import sqlalchemy as sa


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A datetime in UTC. Reading sets the zone: SQLite stores none, and asyncpg drops it at the ends of the calendar."""

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
    sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer, "sqlite")),
    sa.Column("placed_at", UtcDateTime, nullable=False),
    sa.Column("placed_at_given", sa.Boolean, nullable=False),
    sa.Column("lines", sa.JSON, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("notes", sa.JSON(none_as_null=True)),  # NULL: none
    sa.Column("meaning", sa.LargeBinary(32), key="digest", nullable=False),  # stored_orders.order_digest
    sa.Column("cancelled_at", UtcDateTime),
    sa.Column("cancel_reason", sa.String(500)),
    sa.Column("cancellation", sa.BigInteger),  # the number of the client's cancellation, ascending in the order of the commits
    sa.UniqueConstraint("order_id", "client"),  # this order of columns also serves look-ups of many clients' orders by id
    # Without it SQLite would reuse the highest sequence after its order was deleted, and followers would miss the new order.
    sqlite_autoincrement=True,
)
sa.Index("orders_client_sequence_idx", orders.c.client, orders.c.sequence)
sa.Index(
    "orders_client_cancellation_idx",
    orders.c.client,
    orders.c.cancellation,
    sqlite_where=orders.c.cancellation.is_not(None),
    postgresql_where=orders.c.cancellation.is_not(None),
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
    # The number of revocations. A token contains the number at the start of its family; it is invalid if that is below the current one.
    sa.Column("number", sa.BigInteger, nullable=False),
)

# One row a menu: a change replaces the row and gives it a new sequence, which other processes follow.
menus = sa.Table(
    "menus",
    metadata,
    sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("menu", sa.String(200), nullable=False),
    sa.Column("document", sa.LargeBinary),  # JSON; NULL: deleted
    sa.Column("etag", sa.String(64), nullable=False),
    sa.Column("n_words", sa.Integer, nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("client", "menu"),
    sqlite_autoincrement=True,  # see `orders`
)

# What is sold out, or back, besides the menu files; client "" are the menus of MENU_DIR.
menu_availability = sa.Table(
    "menu_availability",
    metadata,
    sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("menu", sa.String(200), nullable=False),
    sa.Column("overrides", sa.JSON, nullable=False),
    sa.UniqueConstraint("client", "menu"),
    sqlite_autoincrement=True,
)

# The outbox: one row for each event of an order that is not delivered yet.
order_events = sa.Table(
    "order_events",
    metadata,
    sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("event_id", sa.Uuid, nullable=False),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("order_id", sa.Uuid, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # JSON, as it is signed and sent
    sa.Column("traceparent", sa.String(55)),  # of the request that stored the order, and its tracestate
    sa.Column("tracestate", sa.String(512)),
    sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    sa.Column("due_at", UtcDateTime, nullable=False, index=True),  # of the next attempt; while one runs: the end of its claim
    sa.Column("n_attempts", sa.Integer, nullable=False),
    sa.Column("failed_at", UtcDateTime),  # NULL: not given up
    sa.Index("order_events_client_order_id_idx", "client", "order_id"),
    sqlite_autoincrement=True,
)

# What customers said and what was made of it, for KEEP_UTTERANCES days; no audio, no customer's id.
utterances = sa.Table(
    "utterances",
    metadata,
    sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("menu", sa.String(200), nullable=False),
    sa.Column("said_at", UtcDateTime, nullable=False, index=True),
    # Digests of the conversation's state before, NULL: it begins, and after: they link the turns of a conversation.
    sa.Column("before", sa.LargeBinary(16)),
    sa.Column("after", sa.LargeBinary(16), nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sqlite_autoincrement=True,
)

# The next two tables are derived from the orders and may be emptied at any time.
fits = sa.Table(
    "fits",
    metadata,
    sa.Column("client", sa.String(64), primary_key=True),
    sa.Column("menu", sa.String(200), primary_key=True),
    # The number of orders of the saved fit.
    sa.Column("n_orders", sa.BigInteger, nullable=False),
    sa.Column("fitted", sa.LargeBinary, nullable=False),
    # The number of orders of the last claimed fit, and the time of the claim.
    sa.Column("begun_n_orders", sa.BigInteger, key="claimed_n_orders", nullable=False),
    sa.Column("begun_at", UtcDateTime, key="claimed_at", nullable=False),
)

counts = sa.Table(
    "counts",
    metadata,
    sa.Column("client", sa.String(64), primary_key=True),
    sa.Column("menu", sa.String(200), primary_key=True),
    # The last order counted. Every order up to the highest `sequence` is in exactly one row's counts.
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("counted", sa.LargeBinary, key="snapshot", nullable=False),
)
