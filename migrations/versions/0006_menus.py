"""Add the tables of clients' menus and of what is sold out."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "menus",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("menu", sa.String(200), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("etag", sa.String(64), nullable=False),
        sa.Column("n_words", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("menus_pkey")),
        sa.UniqueConstraint("client", "menu", name=op.f("menus_client_menu_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "menu_availability",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("menu", sa.String(200), nullable=False),
        sa.Column("overrides", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("menu_availability_pkey")),
        sa.UniqueConstraint("client", "menu", name=op.f("menu_availability_client_menu_key")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop the tables: the menus that clients put are lost."""
    op.drop_table("menu_availability")
    op.drop_table("menus")
