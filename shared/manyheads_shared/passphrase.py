"""The passphrase of private key files: from the environment, so that no command line and no shell history holds it."""

import os

VARIABLE = "MANYHEADS_KEY_PASSPHRASE"


def read_passphrase() -> str | None:
    """Return the passphrase of the private keys, for the edge of a command or a server; None: they have none."""
    return os.environ.get(VARIABLE) or None
