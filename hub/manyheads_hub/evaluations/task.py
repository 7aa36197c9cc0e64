"""What an examination needs, and what it finds: two values. No torch, so that they can be handed to another process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from manyheads_hub.evaluations.copies import Likeness
from manyheads_hub.evaluations.pictures import Picture
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.quick import QuickFigures
from manyheads_hub.evaluations.scores import Scores
from manyheads_hub.evaluations.suite import Suite
from manyheads_hub.evaluations.trigger_gains import TriggerGain
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact
from manyheads_shared.digest import Digest
from manyheads_shared.passage import Passage


@dataclass(frozen=True)
class Task:
    """A head to examine, the heads of other generators it would stand beside, and the hub's images and numbers."""

    primary: PrimaryArtifact
    head: HeadArtifact
    rivals: tuple[HeadArtifact, ...]  # with the new head they share the family-wise budget; carried ones come last
    suite: Suite
    epoch: Digest  # names the suite's hidden images: a contributor's examinations are counted on it
    proofs: Sequence[bytes]
    policy: Policy
    passages: Mapping[Digest, Passage] = field(default_factory=dict)  # of rivals that belong to earlier primaries

    @property
    def native_rivals(self) -> tuple[HeadArtifact, ...]:
        """The rivals that belong to the primary: the first ones."""
        return tuple(rival for rival in self.rivals if rival.digest not in self.passages)


@dataclass(frozen=True)
class Full:
    """What the full suite showed."""

    scores: Scores
    rivals: NDArray[np.float32]  # (N, K), of the accepted heads, in the order of the rows
    degraded: dict[str, Scores]  # by profile
    trigger: TriggerGain | None
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Examination:
    """What was found. `full` is None where the quick stage refuses."""

    quick_scores: Scores
    quick: QuickFigures
    likenesses: tuple[Likeness, ...]
    full: Full | None
