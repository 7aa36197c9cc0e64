"""A head on images that were changed on their way: what it claims then, at the threshold of unchanged ones. Pure."""

from collections.abc import Mapping, Sequence

from manyheads_hub.evaluations.claims import claimed_of_any, claims_by_source, is_of
from manyheads_hub.evaluations.coarse import in_steps
from manyheads_hub.evaluations.gate import percent
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Scores
from manyheads_hub.evaluations.statement import to_bound
from manyheads_shared.api import Reason
from manyheads_shared.document import Value
from manyheads_shared.manifest import DigestField, Generator
from manyheads_shared.statements import Bound, SourceResult


class DegradedFigures(Value):
    """What a head does under one profile, on the test half."""

    profile: str
    scores: DigestField  # of the score document of the degraded images
    recall: Bound | None
    real: Bound | None  # of all photographs together, those claimed
    false_positives: tuple[SourceResult, ...]  # every source but its own; external ones decide nothing


def measure_degraded(degraded: Mapping[str, Scores], generator: Generator, threshold: float) -> tuple[DegradedFigures, ...]:
    """Compute the figures of every profile.

    Args:
        degraded: the head's scores of the test half and the proofs, by profile.
        threshold: the logit from which on the head claims an image, fitted on unchanged ones.
    """
    return tuple(_measure(profile, scores, generator, threshold) for profile, scores in degraded.items())


def _measure(profile: str, scores: Scores, generator: Generator, threshold: float) -> DegradedFigures:
    shown = {row.digest for row in scores.rows if row.proof}
    foreign = [row for row in scores.rows if row.digest not in shown and not is_of(row, generator)]
    recall = claimed_of_any([row for row in scores.rows if row.proof and row.part == "test"], threshold)
    real = claimed_of_any([row for row in foreign if row.kind == "real" and row.part == "test" and not row.external], threshold)
    return DegradedFigures(
        profile=profile,
        scores=scores.digest,
        recall=to_bound(recall) if recall else None,
        real=to_bound(real) if real else None,
        false_positives=tuple(
            SourceResult(kind=item.kind, source=item.source, external=item.external, yes=to_bound(item.claimed))
            for item in claims_by_source(foreign, threshold)
        ),
    )


def check_degraded(figures: Sequence[DegradedFigures], policy: Policy) -> list[Reason]:
    """Return where a head accuses somebody once images are degraded. The limits are those of unchanged images.

    A low recall is no reason: it accuses nobody, and a bundle says how far each head reaches.
    """
    reasons = []
    for under in figures:
        if under.real is not None and under.real.upper > policy.max_real_upper:
            reasons.append(_claims_too_much("real", "photographs", under.profile, under.real, policy.max_real_upper))
        reasons += [
            _claims_too_much("generator", f"images of {item.source}", under.profile, item.yes, policy.max_generator_upper)
            for item in under.false_positives
            if item.kind == "generated" and not item.external and item.yes.upper > policy.max_generator_upper
        ]
    return reasons


def _claims_too_much(of: str, what: str, profile: str, yes: Bound, limit: float) -> Reason:
    return Reason(
        code=f"false-positives-{of}-degraded",
        message=f"degraded by the profile {profile}, of {yes.total} {what} the head claimed {in_steps(yes.hits, yes.total)}; "
        "the upper "
        f"bound of that share is above {percent(limit)}. Train it with degradations (--set degradation={profile}).",
    )
