"""Accounts with scoped tokens, owners' keys with a history, the audit log, aliases, webhooks.

Every owner becomes an account, every token its owner's, every submission knows the key that signed it. Nothing was released
on the revision before, so no version before runs on.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

GENESIS = "sha256:" + "0" * 64
REFUSAL = "the audit log is only ever appended to"


def upgrade() -> None:
    _accounts()
    _tokens()
    _owner_keys()
    _heads_and_aliases()
    _audit()
    _webhooks()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("contributor_id", sa.Integer(), nullable=True),
        sa.Column("opened", sa.String(), nullable=False),
        sa.Column("closed", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["contributor_id"], ["contributors.id"], name=op.f("fk_accounts_contributor_id_contributors")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("contributor_id", name=op.f("uq_accounts_contributor_id")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.execute(
        "INSERT INTO accounts (name, role, contributor_id, opened) SELECT owner, 'owner', id, enrolled FROM contributors"
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("generators", sa.JSON(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("expires", sa.String(), nullable=False),
        sa.Column("used", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("sha256", name=op.f("uq_invitations_sha256")),
    )


def _tokens() -> None:
    for column in (
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("scopes", sa.JSON(), nullable=True),
        sa.Column("generators", sa.JSON(), nullable=True),
        sa.Column("revoked", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
    ):
        op.add_column("tokens", column)
    op.execute(
        'UPDATE tokens SET label = \'enrolment\', scopes = \'["read", "submit", "account"]\', '
        "account_id = (SELECT accounts.id FROM accounts WHERE accounts.contributor_id = tokens.contributor_id)"
    )
    with op.batch_alter_table("tokens") as batch:  # no table refers to tokens yet, so they may be copied
        batch.drop_index(op.f("ix_tokens_contributor_id"))
        batch.drop_constraint(op.f("fk_tokens_contributor_id_contributors"), type_="foreignkey")
        batch.drop_column("contributor_id")
        batch.alter_column("account_id", existing_type=sa.Integer(), nullable=False)
        batch.alter_column("label", existing_type=sa.String(), nullable=False)
        batch.alter_column("scopes", existing_type=sa.JSON(), nullable=False)
        batch.create_foreign_key(op.f("fk_tokens_account_id_accounts"), "accounts", ["account_id"], ["id"])
        batch.create_index(op.f("ix_tokens_account_id"), ["account_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("expires", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name=op.f("fk_sessions_token_id_tokens")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_token_id"), "sessions", ["token_id"], unique=False)


def _owner_keys() -> None:
    op.create_table(
        "owner_keys",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("contributor_id", sa.Integer(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("enrolled", sa.String(), nullable=False),
        sa.Column("replaced", sa.String(), nullable=True),
        sa.Column("revoked", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contributor_id"], ["contributors.id"], name=op.f("fk_owner_keys_contributor_id_contributors")
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_owner_keys")),
    )
    op.create_index(op.f("ix_owner_keys_contributor_id"), "owner_keys", ["contributor_id"], unique=False)
    op.execute(
        "INSERT INTO owner_keys (key_id, contributor_id, public_key, enrolled) "
        "SELECT key_id, id, public_key, enrolled FROM contributors"
    )
    # in place: other tables refer to submissions
    op.add_column("submissions", sa.Column("owner_key", sa.String(), server_default="", nullable=False))
    op.execute(
        "UPDATE submissions SET owner_key = "
        "(SELECT contributors.key_id FROM contributors WHERE contributors.id = submissions.contributor_id)"
    )
    op.create_index(op.f("ix_submissions_owner_key"), "submissions", ["owner_key"], unique=False)


def _heads_and_aliases() -> None:
    op.add_column("heads", sa.Column("state_before", sa.String(), nullable=True))
    op.add_column("heads", sa.Column("reason_before", sa.String(), nullable=True))
    op.create_table(
        "alias_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("moved", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["sequence"], ["bundles.sequence"], name=op.f("fk_alias_moves_sequence_bundles")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alias_moves")),
    )
    op.create_index(op.f("ix_alias_moves_alias"), "alias_moves", ["alias"], unique=False)


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(length=71), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "digest": GENESIS}])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )
    else:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("allow_private", sa.Boolean(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("removed", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("webhook_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_after", sa.Double(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("finished", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=op.f("fk_deliveries_webhook_id_webhooks")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_webhook_id"), "deliveries", ["webhook_id"], unique=False)
    op.create_index("ix_deliveries_state_run_after", "deliveries", ["state", "run_after"], unique=False)
