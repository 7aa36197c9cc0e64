"""A cluster of this machine, started for one scan: nobody else is to reach it."""

import os
import secrets


def guard_cluster() -> None:
    """See to it that a cluster started here listens on loopback, with a token of its own. To be called before Ray is loaded."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # on every system, in spite of its name: one machine, so loopback
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # Ray's own way is a file in the home folder that all may read
