"""The gate: may a head join the catalogue? Pure: a score document and a policy to figures, figures to a decision.

The threshold is placed on the calibration half of the images by the function that places a bundle's, for the catalogue with
this head in it; every figure is measured on the test half. External sources are measured and reported, and decide nothing.
What else may speak against a head has modules of its own: `quick`, `copies`, `degraded`, `triggers`, `bundle_effect`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from manyheads_hub.evaluations.claims import SourceClaims, claimed, claimed_of_any, claims_by_source, is_of, share_of
from manyheads_hub.evaluations.coarse import in_steps
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Part, Score, Scores, by_source, detector_logits, head_logits
from manyheads_shared.api import Reason
from manyheads_shared.calibration import fit_band, head_alpha
from manyheads_shared.digest import Digest
from manyheads_shared.errors import DatasetError
from manyheads_shared.manifest import Generator
from manyheads_shared.metrics import Share, auroc

CONFUSION_RECALL = 0.9  # of the proofs: a head that claims nearly all of its own shows what else it takes for them


class TooFewImagesError(DatasetError):
    """Nothing to calibrate or to measure on."""


@dataclass(frozen=True)
class Evaluation:
    """What the hub measured of a head. Shares are of test images, with Clopper-Pearson bounds at 95 %."""

    generator: Generator
    primary: Digest
    suite: Digest
    scores: Digest
    policy: Digest
    threshold: float  # logit from which on the head claims an image
    recall: Share  # of the owner's proof images, those claimed
    real: Share | None  # of the suite's photographs together, those claimed
    sources: tuple[SourceClaims, ...]  # every source but the generator's own
    confused: tuple[SourceClaims, ...]  # the same where the threshold lies low enough to claim CONFUSION_RECALL of the proofs
    auroc: float  # of proof images against everything of another origin
    contradiction: Share | None  # of the images that the detector calls real, those claimed
    blind: Share  # of the proof images, those that the detector does not call generated
    known_otherwise: tuple[str, ...]  # labels under which the suite holds images that came as proofs


@dataclass(frozen=True)
class GateDecision:
    """Accepted, or refused for reasons."""

    accepted: bool
    reasons: tuple[Reason, ...]


def evaluate(scores: Scores, generator: Generator, policy: Policy, head_count: int) -> Evaluation:
    """Measure a head.

    The plan: (1) whose images are whose; (2) thresholds from the calibration half; (3) figures from the test half.

    Args:
        scores: of the head, its proof images included.
        generator: as the head's manifest names it.
        head_count: heads already listed; the new one shares the family-wise budget with them.

    Raises:
        TooFewImagesError: a half has no photograph, no other foreign image or no proof image at all.
        ValueError: these are a primary's own scores.
    """
    # step 1
    proofs = [row for row in scores.rows if row.proof]
    shown = {row.digest for row in proofs}
    suite = [row for row in scores.rows if not row.proof and row.digest not in shown]
    own = [row for row in suite if is_of(row, generator) and not row.external]
    foreign = [row for row in suite if not is_of(row, generator)]
    counted = [row for row in foreign if not row.external]
    real = [row for row in counted if row.kind == "real"]
    generated = [row for row in [*proofs, *own, *counted] if row.kind == "generated"]
    # step 2
    own_logits = head_logits(_half([*proofs, *own], "calibration", "proof image"))
    band = fit_band(
        by_source(_half(counted, "calibration", "image of another origin"), head_logits),
        own_logits,
        alpha=head_alpha(policy.heads_alpha, head_count + 1),
    )
    detector = fit_band(
        by_source(_half(real, "calibration", "photograph"), detector_logits),
        detector_logits(_half(generated, "calibration", "generated image")),
        alpha=policy.detector_alpha,
    )
    # step 3
    tested_proofs = _half(proofs, "test", "proof image")
    tested_foreign = _half(counted, "test", "image of another origin")
    called_real = [row for row in [*tested_proofs, *tested_foreign] if row.detector < detector.low]
    area = auroc(head_logits(tested_foreign), head_logits(tested_proofs))
    assert area is not None  # neither half is empty
    return Evaluation(
        generator=generator,
        primary=scores.primary,
        suite=scores.suite,
        scores=scores.digest,
        policy=policy.digest,
        threshold=band.high,
        recall=claimed(tested_proofs, band.high),
        real=claimed_of_any([row for row in tested_foreign if row.kind == "real"], band.high),
        sources=tuple(claims_by_source(foreign, band.high)),
        confused=tuple(claims_by_source(counted, float(np.quantile(own_logits, 1 - CONFUSION_RECALL)))),
        auroc=area,
        contradiction=claimed_of_any(called_real, band.high),
        blind=share_of(row.detector < detector.high for row in tested_proofs),
        known_otherwise=tuple(
            row.source for row in scores.rows if not row.proof and row.digest in shown and not is_of(row, generator)
        ),
    )


def decide_gate(evaluation: Evaluation, policy: Policy) -> GateDecision:
    """Accept or refuse a head.

    The plan: (1) the proofs are the owner's to show; (2) enough photographs, few of them claimed; (3) of every other
    generator, enough images, few of them claimed; (4) enough proofs, and enough of them claimed, or else what stands in their
    way; (5) the detector sees the generator at all. Every step is taken, so that an owner learns everything at once.
    """
    reasons = [
        # step 1
        *_check_origin(evaluation),
        # step 2
        *check_claims("photographs", "real", evaluation.real, policy.min_real, policy.max_real_upper),
        # step 3
        *(
            reason
            for source in evaluation.sources
            if source.kind == "generated" and not source.external
            for reason in check_claims(
                f"images of {source.source}", "generator", source.claimed, policy.min_generator, policy.max_generator_upper
            )
        ),
        # step 4
        *_check_recall(evaluation, policy),
        *_check_confusion(evaluation, policy),
        # step 5
        *_check_detector(evaluation, policy),
    ]
    return GateDecision(accepted=not reasons, reasons=tuple(reasons))


def _check_origin(evaluation: Evaluation) -> Iterable[Reason]:
    if known := evaluation.known_otherwise:
        yield Reason(
            code="proofs-of-another-origin",
            message=f"{len(known)} of the proof images are images that the hub knows as {', '.join(sorted(set(known)))}. "
            f"Send images that {evaluation.generator.title} made.",
        )


def check_claims(what: str, of: str, claimed: Share | None, enough: int, limit: float) -> Iterable[Reason]:
    """Return why a head claims too much of one kind of images, or that there are too few to say."""
    total = claimed.total if claimed else 0
    if claimed is None or total < enough:
        yield Reason(
            code="too-few-images",
            message=f"the hub's suite has {total} {what} to test on and its policy asks for {enough}. This is not the head's "
            f"fault: ask the hub's maintainer to bring the suite to {2 * enough} {what}, and submit again.",
        )
    elif claimed.upper > limit:
        yield Reason(
            code=f"false-positives-{of}",
            message=f"of {total} {what} the head claimed {in_steps(claimed.hits, total)}; the upper bound of that share is "
            "above "
            f"{percent(limit)}. Train it against more images of other origin.",
        )


def _check_recall(evaluation: Evaluation, policy: Policy) -> Iterable[Reason]:
    recall = evaluation.recall
    if recall.total < policy.min_proofs:
        yield Reason(
            code="too-few-proofs",
            message=f"{recall.total} proof images were left to test on and the policy asks for {policy.min_proofs}. Half of "
            f"the proof images test, so send at least {2 * policy.min_proofs}.",
        )
    elif recall.lower < policy.min_recall_lower:
        yield Reason(
            code="recall-too-low",
            message=f"of {recall.total} proof images the head claimed {in_steps(recall.hits, recall.total)}; the lower bound "
            "of that "
            f"share is below {percent(policy.min_recall_lower)}. It claims from a logit of about {evaluation.threshold:.0f} "
            "on, the "
            "threshold that keeps its false claims rare; train it until more of its own images lie above.",
        )


def _check_confusion(evaluation: Evaluation, policy: Policy) -> Iterable[Reason]:
    """Say which images keep the threshold so high: a head that cannot tell them from its own names their maker by mistake."""
    if evaluation.recall.lower >= policy.min_recall_lower:
        return
    claimed_by_name = {(source.kind, source.source): source.claimed for source in evaluation.sources if not source.external}
    for source in evaluation.confused:
        limit = policy.max_real_upper if source.kind == "real" else policy.max_generator_upper
        if source.claimed.lower > limit >= claimed_by_name[source.kind, source.source].upper:  # else it was said already
            share = source.claimed
            yield Reason(
                code="false-positives-real" if source.kind == "real" else "false-positives-generator",
                message=f"it does not tell {source.source} from {evaluation.generator.title}: to claim nine "
                f"tenths of the proof images it would claim {in_steps(share.hits, share.total)} of the images of "
                f"{source.source}. Train it against such images.",
            )


def _check_detector(evaluation: Evaluation, policy: Policy) -> Iterable[Reason]:
    blind = evaluation.blind
    if blind.lower > policy.max_blind_lower:
        yield Reason(
            code="detector-blind",
            message=f"of {blind.total} proof images the primary's detector calls "
            f"{in_steps(blind.total - blind.hits, blind.total)} "
            "generated. It "
            f"has priority over every head, so {evaluation.generator.title} would hardly ever be named. No head mends this: "
            "tell the hub's maintainer, and submit to the next primary.",
        )


def _half(rows: Iterable[Score], part: Part, what: str) -> list[Score]:
    found = [row for row in rows if row.part == part]
    if not found:
        raise TooFewImagesError(
            f"expected at least one {what} in the {part} half, got none; add more to the suite or the proofs"
        )
    return found


def percent(share: float) -> str:
    """Return a share as a message quotes it."""
    return f"{100 * share:.1f} %"
