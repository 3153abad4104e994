"""Add the table of kept utterances."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "utterances",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("menu", sa.String(200), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", sa.LargeBinary(16), nullable=True),
        sa.Column("after", sa.LargeBinary(16), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("utterances_pkey")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("utterances_said_at_idx"), "utterances", ["said_at"])


def downgrade() -> None:
    """Drop the table: the kept utterances are lost."""
    op.drop_table("utterances")
