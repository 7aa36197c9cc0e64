"""Everything an examination found of a head beside the figures of unchanged images, as one document. And what follows from it.

The hub keeps it by digest, as it keeps the scores; the pages show none of it, the maintainer all (`manyheads-hub review`).
"""

from typing import ClassVar, Literal

from manyheads_hub.evaluations.bundle_effect import BundleEffect, check_effect
from manyheads_hub.evaluations.copies import Likeness, check_copies
from manyheads_hub.evaluations.degraded import DegradedFigures, check_degraded
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.quick import QuickFigures, check_quick
from manyheads_hub.evaluations.trigger_gains import TriggerGain, check_trigger
from manyheads_shared.api import Reason
from manyheads_shared.document import Document
from manyheads_shared.manifest import DigestField, Time

Stage = Literal["quick", "full"]


class Findings(Document):
    """What one examination found. After stage 1 alone, the later figures are empty."""

    FORMAT: ClassVar[str] = "manyheads.findings/1"

    stage: Stage
    head: DigestField
    primary: DigestField
    suite: DigestField
    policy: DigestField
    scores: DigestField  # of the score document that the figures are computed from
    quick: QuickFigures
    likenesses: tuple[Likeness, ...]  # with other accepted heads, the likest first
    degraded: tuple[DegradedFigures, ...]
    trigger: TriggerGain | None  # None where no photograph could be patched
    effect: BundleEffect | None
    created: Time

    def check(self, policy: Policy) -> list[Reason]:
        """Return what speaks against the head beside the gate's own reasons, the gravest first."""
        if self.stage == "quick":
            return check_quick(self.quick, self.likenesses, policy)
        return [
            *check_copies(self.likenesses, policy),
            *([] if self.trigger is None else check_trigger(self.trigger, policy)),
            *check_degraded(self.degraded, policy),
            *check_effect(self.effect, policy),
        ]
