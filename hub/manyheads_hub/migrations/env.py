"""Alembic runs this; the connection is the one the hub opened."""

from alembic import context

from manyheads_hub.accounts import tables as _accounts  # noqa: F401 - each adds its tables to the metadata
from manyheads_hub.audit import tables as _audit  # noqa: F401
from manyheads_hub.tables import Table
from manyheads_hub.webhooks import tables as _webhooks  # noqa: F401

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,  # SQLite alters tables by copying them
)
with context.begin_transaction():
    context.run_migrations()
