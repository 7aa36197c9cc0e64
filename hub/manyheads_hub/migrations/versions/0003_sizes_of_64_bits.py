"""Sizes have 64 bits on PostgreSQL too. SQLite's integers have them already.

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("uploads", "length", type_=sa.BigInteger(), existing_nullable=False)
        op.alter_column("primaries", "size_bytes", type_=sa.BigInteger(), existing_nullable=False)
