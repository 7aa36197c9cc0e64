"""Passages of catalogued heads: the rows that say how a head is run, and the earlier primaries they need."""

from collections.abc import Iterable
from typing import cast

from manyheads_hub.hub import Hub
from manyheads_hub.upgrades.queries import Pair
from manyheads_shared.artifact import PrimaryArtifact, read_primary
from manyheads_shared.digest import Digest
from manyheads_shared.passage import Passage, Way


def read_passages(hub: Hub, carried: Iterable[Pair]) -> dict[Digest, Passage]:
    """Return how each carried head is run, by head; every earlier primary is read once."""
    earlier: dict[Digest, PrimaryArtifact] = {}
    passages = {}
    for head, standing in carried:
        if head.primary not in earlier:
            earlier[head.primary] = read_primary(hub.blobs.read(head.primary))
        passages[Digest(head.digest)] = Passage(earlier[head.primary], cast("Way", standing.way))
    return passages
