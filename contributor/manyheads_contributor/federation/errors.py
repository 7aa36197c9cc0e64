"""What goes wrong on an owner's side of a federated training."""

from manyheads_shared.errors import UsageError


class SitePolicyError(UsageError):
    """A site policy that cannot be read, or a training that it does not allow."""


class NodeError(UsageError):
    """Flower's SuperNode cannot be started here."""
