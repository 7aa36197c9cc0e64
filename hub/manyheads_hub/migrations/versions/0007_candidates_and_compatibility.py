"""Candidate primaries, how heads stand on each primary, and primaries in the order in which they became the hub's.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "candidates",
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("architecture", sa.String(), nullable=False),
        sa.Column("image_size", sa.Integer(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("offered", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("report", sa.String(length=71), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_candidates")),
    )
    op.create_index("uq_candidates_name_version", "candidates", ["name", "version"], unique=True)
    op.create_table(
        "compatibility",
        sa.Column("head", sa.String(length=71), nullable=False),
        sa.Column("primary", sa.String(length=71), nullable=False),
        sa.Column("compatibility", sa.String(), nullable=False),
        sa.Column("way", sa.String(), nullable=True),
        sa.Column("loss", sa.Double(), nullable=True),
        sa.Column("until", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("head", "primary", name=op.f("pk_compatibility")),
    )
    op.add_column("primaries", sa.Column("turn", sa.Integer(), nullable=True))
    op.add_column("primaries", sa.Column("retention", sa.String(length=71), nullable=True))
