"""Stage 1, the quick examination: what is blatant is seen on a few images, before the suite is spent on it. Pure.

It looks at the calibration half alone, so whoever is refused here has learnt nothing of the images that test.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from manyheads_hub.evaluations.claims import claimed_of_any, is_of
from manyheads_hub.evaluations.copies import Likeness, check_copies
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Part, Scores, head_logits
from manyheads_hub.evaluations.suite import Suite, SuiteImage
from manyheads_shared.api import Reason
from manyheads_shared.document import Fraction, Value
from manyheads_shared.manifest import Generator
from manyheads_shared.metrics import auroc


class QuickFigures(Value):
    """What the quick examination measured."""

    images: int
    spread: float  # standard deviation of the head's logits over all of them
    claims_at_zero: Fraction | None  # of foreign images, those at or above logit 0; None without a foreign image
    surely_claims_at_zero: Fraction | None  # the lower bound of that, Clopper-Pearson at 95 %
    auroc: Fraction | None  # None where proofs or foreign images are missing


def choose_sample(images: Sequence[SuiteImage], each: int, part: Part = "calibration") -> tuple[SuiteImage, ...]:
    """Choose the first images of one half of every source, by digest: a choice nobody made. External ones stay out."""
    taken: Counter[tuple[object, bool]] = Counter()
    chosen = []
    for image in images:
        key = image.label, image.proof
        if image.part == part and not image.label.external and taken[key] < each:
            taken[key] += 1
            chosen.append(image)
    return tuple(chosen)


def shrink_suite(suite: Suite, each: int) -> Suite:
    """Return the suite's share of the quick examination."""
    return Suite(choose_sample(suite.images, each), suite.set_aside)


def measure_quick(scores: Scores, generator: Generator) -> QuickFigures:
    """Compute the figures of the quick examination from the scores of its images."""
    logits = head_logits(scores.rows)
    proofs = [row for row in scores.rows if row.proof]
    foreign = [row for row in scores.rows if not row.proof and not is_of(row, generator)]
    at_zero = claimed_of_any(foreign, 0.0)
    return QuickFigures(
        images=len(scores.rows),
        spread=float(np.std(logits, dtype=np.float64)) if len(logits) else 0.0,
        claims_at_zero=at_zero.value if at_zero else None,
        surely_claims_at_zero=at_zero.lower if at_zero else None,
        auroc=auroc(head_logits(foreign), head_logits(proofs)),
    )


def check_quick(figures: QuickFigures, likenesses: Sequence[Likeness], policy: Policy) -> list[Reason]:
    """Return why a head goes no further; nothing when it may.

    The plan: (1) it answers at all; (2) it says no to something; (3) it tells its own from others better than chance; (4) it is
    nobody else's. A head that answers all images alike is told that alone.
    """
    # step 1
    if figures.spread < policy.min_spread:
        return [
            Reason(
                code="constant-head",
                message=f"the head answers all images alike: over {figures.images} of them its logits spread by "
                f"{figures.spread:.2g}, and at least {policy.min_spread:g} is expected. Was it trained, and were its weights "
                "saved?",
            )
        ]
    return [
        # steps 2 and 3
        *_check_border(figures, policy),
        # step 4
        *check_copies(likenesses, policy),
    ]


def _check_border(figures: QuickFigures, policy: Policy) -> Iterable[Reason]:
    if figures.surely_claims_at_zero is not None and figures.surely_claims_at_zero > policy.max_claims_at_zero:
        yield Reason(
            code="claims-everything",
            message="the head says yes (logit 0 or above) to most photographs and images of other generators alike. Train it "
            "against images of other origin; it has seen too few, or none.",
        )
    if figures.auroc is not None and figures.auroc < policy.min_quick_auroc:
        yield Reason(
            code="recognises-nothing",
            message="the head's scores tell the proof images from others no better than chance. Check that the proofs come "
            "from "
            "the generator it was trained on, made and saved in the same way.",
        )
