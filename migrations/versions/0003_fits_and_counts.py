"""Add the tables of fits and of snapshots of counts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "fits",
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("menu", sa.String(200), nullable=False),
        sa.Column("n_orders", sa.BigInteger(), nullable=False),
        sa.Column("fitted", sa.LargeBinary(), nullable=False),
        sa.Column("begun_n_orders", sa.BigInteger(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client", "menu", name=op.f("fits_pkey")),
    )
    op.create_table(
        "counts",
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("menu", sa.String(200), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("client", "menu", name=op.f("counts_pkey")),
    )


def downgrade() -> None:
    """Drop the tables; their contents are computed from the orders again."""
    op.drop_table("counts")
    op.drop_table("fits")
