"""The tables of the first version. One backwards-compatible step: the version before must still run on the result.

Revision: 0001, after None
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contributors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("enrolled", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contributors")),
        sa.UniqueConstraint("key_id", name=op.f("uq_contributors_key_id")),
        sa.UniqueConstraint("owner", name=op.f("uq_contributors_owner")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_after", sa.Double(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("lease_token", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("finished", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index("ix_jobs_state_run_after", ["state", "run_after"], unique=False)
        batch_op.create_index(
            "uq_jobs_kind_subject_queued",
            ["kind", "subject"],
            unique=True,
            sqlite_where=sa.text("state = 'queued'"),
            postgresql_where=sa.text("state = 'queued'"),
        )

    op.create_table(
        "primaries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("architecture", sa.String(), nullable=False),
        sa.Column("image_size", sa.Integer(), nullable=True),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("scores", sa.String(length=71), nullable=True),
        sa.Column("added", sa.String(), nullable=False),
        sa.Column("published", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_primaries")),
        sa.UniqueConstraint("digest", name=op.f("uq_primaries_digest")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_primaries_name_version")),
    )
    op.create_table(
        "bundles",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("primary", sa.String(length=71), nullable=False),
        sa.Column("calibration", sa.String(length=71), nullable=False),
        sa.Column("generators", sa.JSON(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("published", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["primary"], ["primaries.digest"], name=op.f("fk_bundles_primary_primaries")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_bundles")),
        sa.UniqueConstraint("digest", name=op.f("uq_bundles_digest")),
    )
    with op.batch_alter_table("bundles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bundles_published"), ["published"], unique=False)

    op.create_table(
        "generators",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("contributor_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contributor_id"], ["contributors.id"], name=op.f("fk_generators_contributor_id_contributors")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_generators")),
    )
    with op.batch_alter_table("generators", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_generators_contributor_id"), ["contributor_id"], unique=False)

    op.create_table(
        "submissions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("contributor_id", sa.Integer(), nullable=False),
        sa.Column("generator", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("head", sa.String(length=71), nullable=False),
        sa.Column("primary", sa.String(length=71), nullable=False),
        sa.Column("owner_statement", sa.String(length=71), nullable=False),
        sa.Column("proofs", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("evaluation", sa.JSON(), nullable=True),
        sa.Column("bundle_sequence", sa.Integer(), nullable=True),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("updated", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contributor_id"], ["contributors.id"], name=op.f("fk_submissions_contributor_id_contributors")
        ),
        sa.ForeignKeyConstraint(["primary"], ["primaries.digest"], name=op.f("fk_submissions_primary_primaries")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
    )
    with op.batch_alter_table("submissions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_submissions_contributor_id"), ["contributor_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_submissions_created"), ["created"], unique=False)
        batch_op.create_index(batch_op.f("ix_submissions_state"), ["state"], unique=False)
        batch_op.create_index(
            "uq_submissions_generator_waiting_or_accepted",
            ["generator", "version"],
            unique=True,
            sqlite_where=sa.text("state IN ('received', 'evaluating', 'accepted')"),
            postgresql_where=sa.text("state IN ('received', 'evaluating', 'accepted')"),
        )

    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contributor_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("expires", sa.String(), nullable=False),
        sa.Column("last_used", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["contributor_id"], ["contributors.id"], name=op.f("fk_tokens_contributor_id_contributors")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_tokens_sha256")),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tokens_contributor_id"), ["contributor_id"], unique=False)

    op.create_table(
        "uploads",
        sa.Column("contributor_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("completed", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["contributor_id"], ["contributors.id"], name=op.f("fk_uploads_contributor_id_contributors")),
        sa.PrimaryKeyConstraint("contributor_id", "digest", name=op.f("pk_uploads")),
    )
    op.create_table(
        "heads",
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("submission_id", sa.String(), nullable=False),
        sa.Column("contributor_id", sa.Integer(), nullable=False),
        sa.Column("generator", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("primary", sa.String(length=71), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("owner_statement", sa.String(length=71), nullable=False),
        sa.Column("hub_statement", sa.String(length=71), nullable=False),
        sa.Column("scores", sa.String(length=71), nullable=False),
        sa.Column("proofs", sa.JSON(), nullable=False),
        sa.Column("evaluation", sa.JSON(), nullable=False),
        sa.Column("accepted", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["contributor_id"], ["contributors.id"], name=op.f("fk_heads_contributor_id_contributors")),
        sa.ForeignKeyConstraint(["primary"], ["primaries.digest"], name=op.f("fk_heads_primary_primaries")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_heads_submission_id_submissions")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_heads")),
        sa.UniqueConstraint("generator", "version", name=op.f("uq_heads_generator_version")),
        sa.UniqueConstraint("submission_id", name=op.f("uq_heads_submission_id")),
    )
    with op.batch_alter_table("heads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_heads_primary"), ["primary"], unique=False)

    op.create_table(
        "published_objects",
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["sequence"], ["bundles.sequence"], name=op.f("fk_published_objects_sequence_bundles")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_published_objects")),
    )
    op.create_table(
        "pictures",
        sa.Column("head", sa.String(length=71), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("caption", sa.String(), nullable=False),
        sa.Column("logit", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["head"], ["heads.digest"], name=op.f("fk_pictures_head_heads")),
        sa.PrimaryKeyConstraint("head", "position", name=op.f("pk_pictures")),
    )
    with op.batch_alter_table("pictures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pictures_digest"), ["digest"], unique=False)
