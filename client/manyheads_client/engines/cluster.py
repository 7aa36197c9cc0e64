"""What is asked of a Ray cluster; and one of this machine, started for one scan: nobody else is to reach it. Loads no Ray."""

import os
import secrets
from dataclasses import dataclass

PARCEL_IMAGES = 256  # four batches: what is decoded while nothing is scored is a fifth of an actor's time at most


@dataclass(frozen=True)
class Cluster:
    """Where to examine, and on how much of it."""

    address: str | None = None  # `auto`, or HOST:PORT; None: one of this machine, for the time of the scan
    actors: int | None = None  # None: as many as the cluster has room for
    gpus_per_actor: float | None = None  # None: one where the cluster has any
    parcel_images: int = PARCEL_IMAGES


def guard_cluster() -> None:
    """See to it that a cluster started here listens on loopback, with a token of its own. To be called before Ray is loaded."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # on every system, in spite of its name: one machine, so loopback
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # Ray's own way is a file in the home folder that all may read
