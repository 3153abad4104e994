"""Add the outbox: the events of orders that webhooks deliver."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; orders stored before have no events."""
    op.create_table(
        "order_events",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("traceparent", sa.String(55), nullable=True),
        sa.Column("tracestate", sa.String(512), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n_attempts", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("order_events_pkey")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("order_events_created_at_idx"), "order_events", ["created_at"])
    op.create_index(op.f("order_events_due_at_idx"), "order_events", ["due_at"])
    op.create_index(op.f("order_events_client_order_id_idx"), "order_events", ["client", "order_id"])


def downgrade() -> None:
    """Drop the table: events that are not delivered yet are lost."""
    op.drop_table("order_events")
