"""Widen the customers' ids to 64 bits."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the type of the column where an integer has 32 bits; those of SQLite have 64."""
    _change(sa.Integer(), sa.BigInteger())


def downgrade() -> None:
    """Change the type back; fails, and changes nothing, if an order has an id of more than 32 bits."""
    _change(sa.BigInteger(), sa.Integer())


def _change(before: sa.types.TypeEngine[int], after: sa.types.TypeEngine[int]) -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("orders", "customer_id", existing_type=before, type_=after, existing_nullable=True)
