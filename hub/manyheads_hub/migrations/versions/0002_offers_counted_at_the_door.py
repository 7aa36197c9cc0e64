"""Offers are counted at the door; two columns that nothing read go. Nothing was released on 0001, so no version before runs on.

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "offers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contributor_id", sa.Integer(), nullable=False),
        sa.Column("made", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["contributor_id"], ["contributors.id"], name=op.f("fk_offers_contributor_id_contributors")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
    )
    op.create_index(op.f("ix_offers_contributor_id"), "offers", ["contributor_id"], unique=False)
    op.drop_column("primaries", "scores")  # in place: other tables refer to these two
    op.drop_column("heads", "scores")
