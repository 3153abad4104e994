"""Add revocations and an index on used_at; delete all refresh tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the index. All refresh tokens are deleted; their clients sign in again."""
    op.execute("DELETE FROM refresh_tokens")
    op.create_index(op.f("refresh_tokens_used_at_idx"), "refresh_tokens", ["used_at"])
    op.create_table(
        "revocations",
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("revocations_pkey")),
    )


def downgrade() -> None:
    """Drop the table and the index."""
    op.drop_table("revocations")
    op.drop_index(op.f("refresh_tokens_used_at_idx"), "refresh_tokens")
