"""Add the cancellation of orders, and the indexes that list them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; no order stored before is cancelled."""
    op.add_column("orders", sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("orders", sa.Column("cancel_reason", sa.String(500), nullable=True))
    op.add_column("orders", sa.Column("cancellation", sa.BigInteger(), nullable=True))
    op.create_index("orders_client_sequence_idx", "orders", ["client", "sequence"])
    is_cancelled = sa.text("cancellation IS NOT NULL")
    op.create_index(
        "orders_client_cancellation_idx",
        "orders",
        ["client", "cancellation"],
        sqlite_where=is_cancelled,
        postgresql_where=is_cancelled,
    )


def downgrade() -> None:
    """Drop the columns: cancelled orders become orders."""
    op.drop_index("orders_client_cancellation_idx", "orders")
    op.drop_index("orders_client_sequence_idx", "orders")
    for column in ("cancellation", "cancel_reason", "cancelled_at"):
        op.drop_column("orders", column)
