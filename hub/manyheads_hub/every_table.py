"""Every table of the hub. Slices define their own; whoever handles all of them, migrations and backups, asks here."""

from sqlalchemy import MetaData

from manyheads_hub.accounts import tables as _accounts  # noqa: F401 - each adds its tables to the metadata
from manyheads_hub.audit import tables as _audit  # noqa: F401
from manyheads_hub.tables import Table
from manyheads_hub.upgrades import tables as _upgrades  # noqa: F401
from manyheads_hub.webhooks import tables as _webhooks  # noqa: F401

METADATA: MetaData = Table.metadata
