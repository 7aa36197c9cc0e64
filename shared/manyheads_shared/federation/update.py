"""What a party sends back: weights after a round or, once, statistics of batch norm. Also what only claims to be that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads_shared.artifact import Tensors
from manyheads_shared.digest import Digest
from manyheads_shared.federation.tensors import digest_tensors


@dataclass(frozen=True)
class Received:
    """A reply as it came: nothing in it is checked."""

    node: str
    opening: Any = None
    round: Any = None
    examples: Any = None
    loss: Any = None
    weights: Mapping[str, Any] | None = None
    statistics: Mapping[str, Any] | None = None
    error: str | None = None  # the node failed
    unreadable: str | None = None  # what it sent cannot be read


@dataclass(frozen=True)
class Update:
    """A reply that the firewall let through."""

    node: str
    examples: int
    loss: float
    weights: Tensors  # of a round; a measurement has none
    statistics: Tensors  # of a measurement; a round has none

    @property
    def digest(self) -> Digest:
        """The name of what was sent; a party finds it in the record."""
        return digest_tensors({**self.weights, **self.statistics})


def as_update(received: Received) -> Update:
    """A reply that was checked, by its types."""
    return Update(
        node=received.node,
        examples=int(received.examples),
        loss=float(received.loss),
        weights={name: np.asarray(tensor, dtype=np.float32) for name, tensor in (received.weights or {}).items()},
        statistics={name: np.asarray(tensor, dtype=np.float32) for name, tensor in (received.statistics or {}).items()},
    )
