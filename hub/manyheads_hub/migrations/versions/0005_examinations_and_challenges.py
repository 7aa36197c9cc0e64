"""Examinations are kept and counted; challenges. A challenged name@version waits like a received one.

Revision: 0005, after 0004. The version before runs on: it knows neither table, and no submission is challenged by it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEX = "uq_submissions_generator_waiting_or_accepted"
_WAITING = sa.text("state IN ('received', 'evaluating', 'challenged', 'accepted')")


def upgrade() -> None:
    op.create_table(
        "examinations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("contributor_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.String(length=71), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("findings", sa.String(length=71), nullable=False),
        sa.Column("made", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contributor_id"], ["contributors.id"], name=op.f("fk_examinations_contributor_id_contributors")
        ),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_examinations_submission_id_submissions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_examinations")),
    )
    op.create_index(op.f("ix_examinations_submission_id"), "examinations", ["submission_id"], unique=False)
    op.create_index("ix_examinations_contributor_id_epoch", "examinations", ["contributor_id", "epoch"], unique=False)
    op.create_table(
        "challenges",
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("issued", sa.String(), nullable=False),
        sa.Column("deadline", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("statement", sa.String(length=71), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("passed", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_challenges_submission_id_submissions")),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_challenges")),
    )
    op.drop_index(_INDEX, table_name="submissions")
    op.create_index(
        _INDEX, "submissions", ["generator", "version"], unique=True, sqlite_where=_WAITING, postgresql_where=_WAITING
    )
