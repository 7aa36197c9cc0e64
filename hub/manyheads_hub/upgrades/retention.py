"""What a candidate primary makes of detector and heads: scores before and after, and a policy, to a retention report. Pure.

Figures are those of the gate, on the same halves of the suite: thresholds from the calibration half, for as many heads as are
listed, figures from the test half. What a bundle would do with a head is decided here; what a hub lacks is `floors`' to say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from manyheads_hub.evaluations.claims import claimed, claimed_of_any, claims_by_source, is_of, share_of
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Part, Score, Scores, by_source, detector_logits, head_logits
from manyheads_hub.evaluations.statement import to_bound
from manyheads_shared.calibration import fit_band, head_alpha
from manyheads_shared.digest import Digest
from manyheads_shared.errors import DatasetError
from manyheads_shared.likelihood import Logits
from manyheads_shared.manifest import Generator
from manyheads_shared.metrics import Area, Share, auroc_interval, auroc_loss
from manyheads_shared.passage import Way
from manyheads_shared.retention import (
    AreaResult,
    Compatibility,
    DetectorChange,
    Figures,
    HeadRetention,
    LossResult,
    WayMeasured,
)
from manyheads_shared.statements import Bound, SourceResult

Sides = tuple[Logits, Logits]  # negatives, positives


@dataclass(frozen=True)
class HeadScores:
    """One listed head: as the present bundle runs it, and on the candidate by every way it could live on."""

    generator: Generator
    head: Digest
    primary: Digest  # its own
    before: Scores
    after: dict[Way, Scores]  # empty: there is no way


def measure_head(scores: HeadScores, policy: Policy, head_count: int) -> HeadRetention:
    """Say what becomes of a head.

    The plan: (1) its figures before; (2) on every way, its figures, what it loses, and what the policy holds against it; (3)
    compatible if straight is let, degraded if straight it still tells its generator, obsolete otherwise; (4) carried straight
    where that is let, else beside, for a time.

    Args:
        head_count: heads that share the family-wise budget.

    Raises:
        DatasetError: a half of the suite has no image of its generator, or none of another origin.
    """
    # step 1
    before, sides_before = _figures(scores.before, scores.generator, policy, head_count)
    # step 2
    ways: dict[Way, WayMeasured] = {}
    for way, measured in scores.after.items():
        figures, sides = _figures(measured, scores.generator, policy, head_count)
        loss = auroc_loss(sides_before, sides)
        assert loss is not None  # `_figures` refuses an empty side
        reasons = tuple(_hold_against(before, figures, loss, policy))
        ways[way] = WayMeasured(way=way, figures=figures, loss=_loss(loss), reasons=reasons)
    # step 3
    straight = ways.get("straight")
    compatibility: Compatibility = "obsolete"
    if straight is not None and not straight.reasons:
        compatibility = "compatible"
    elif straight is not None and straight.figures.auroc.value >= policy.min_degraded_auroc:
        compatibility = "degraded"
    # step 4
    chosen: Way | None = "straight" if compatibility == "compatible" else "beside" if "beside" in ways else None
    return HeadRetention(
        generator=scores.generator,
        head=scores.head,
        primary=scores.primary,
        before=before,
        ways=tuple(ways.values()),
        compatibility=compatibility,
        way=chosen,
    )


def measure_detector(before: Scores, after: Scores, policy: Policy) -> tuple[tuple[DetectorChange, ...], Bound]:
    """Say what the detector makes of every generator, before and after; and of photographs, after.

    Args:
        before: the present primary's own scores.
        after: the candidate's.

    Raises:
        DatasetError: a half of the suite lacks photographs or generated images.
    """
    threshold_before, threshold = _detector_threshold(before, policy), _detector_threshold(after, policy)
    changes = []
    for external, source in sorted({(row.external, row.source) for row in after.rows if row.kind == "generated"}):
        sides_before, sides = (_detector_sides(scores, source, external=external) for scores in (before, after))
        area_before, area, loss = auroc_interval(*sides_before), auroc_interval(*sides), auroc_loss(sides_before, sides)
        if area_before is None or area is None or loss is None:
            continue  # a single image: the other half has it
        changes.append(
            DetectorChange(
                source=source,
                external=external,
                recall_before=_share_above(sides_before[1], threshold_before),
                recall=_share_above(sides[1], threshold),
                auroc_before=_result(area_before),
                auroc=_result(area),
                loss=_loss(loss),
            )
        )
    photographs = [row for row in after.rows if row.kind == "real" and not row.external]
    return tuple(changes), _share_above(detector_logits(_half(photographs, "test", "photograph")), threshold)


def _figures(scores: Scores, generator: Generator, policy: Policy, head_count: int) -> tuple[Figures, Sides]:
    counted = [row for row in scores.rows if not row.external]
    own, foreign = [row for row in counted if is_of(row, generator)], [row for row in counted if not is_of(row, generator)]
    band = fit_band(
        by_source(_half(foreign, "calibration", "image of another origin"), head_logits),
        head_logits(_half(own, "calibration", f"image of {generator.title}")),
        alpha=head_alpha(policy.heads_alpha, head_count),
    )
    tested_own, tested = _half(own, "test", f"image of {generator.title}"), _half(foreign, "test", "image of another origin")
    real = [row for row in counted if row.kind == "real"]
    low = fit_band(
        by_source(_half(real, "calibration", "photograph"), detector_logits),
        detector_logits(_half([row for row in counted if row.kind == "generated"], "calibration", "generated image")),
        alpha=policy.detector_alpha,
    ).low
    called_real = [row for row in [*tested_own, *tested] if row.detector < low]
    sides = head_logits(tested), head_logits(tested_own)
    area = auroc_interval(*sides)
    assert area is not None  # neither half is empty
    figures = Figures(
        threshold=band.high,
        recall=to_bound(claimed(tested_own, band.high)),
        photographs=_bound(claimed_of_any([row for row in tested if row.kind == "real"], band.high)),
        worst=_worst(tested, band.high),
        auroc=_result(area),
        contradiction=_bound(claimed_of_any(called_real, band.high)),
    )
    return figures, sides


def _hold_against(before: Figures, after: Figures, loss: Area, policy: Policy) -> Iterable[str]:
    """Say what a way costs: what the head loses, and every limit of the gate that it keeps today and would break."""
    if loss.value > policy.max_retention_loss:
        yield f"it loses {100 * loss.value:.1f} points of AUROC, at most {100 * policy.max_retention_loss:g} are let"
    worst_before, worst = (None if each.worst is None else each.worst.yes for each in (before, after))
    named = f"images of {after.worst.source}" if after.worst else ""
    for what, was, now, limit in (
        ("photographs", before.photographs, after.photographs, policy.max_real_upper),
        (named, worst_before, worst, policy.max_generator_upper),
    ):
        if now is not None and now.upper > limit and (was is None or was.upper <= limit):
            yield f"it claims {now.hits} of {now.total} {what}; the upper bound of that share is above {100 * limit:g} %"
    if after.recall.lower < policy.min_recall_lower <= before.recall.lower:
        yield (
            f"it finds {after.recall.hits} of {after.recall.total} of its own images; the lower bound of that share is below "
            f"{100 * policy.min_recall_lower:g} %"
        )


def _worst(rows: Sequence[Score], threshold: float) -> SourceResult | None:
    generated = [row for row in rows if row.kind == "generated"]
    found = max(claims_by_source(generated, threshold), key=lambda each: each.claimed.upper, default=None)
    if found is None:
        return None
    return SourceResult(kind=found.kind, source=found.source, external=found.external, yes=to_bound(found.claimed))


def _detector_threshold(scores: Scores, policy: Policy) -> float:
    counted = [row for row in scores.rows if not row.external]
    real = _half([row for row in counted if row.kind == "real"], "calibration", "photograph")
    generated = _half([row for row in counted if row.kind == "generated"], "calibration", "generated image")
    return fit_band(by_source(real, detector_logits), detector_logits(generated), alpha=policy.detector_alpha).high


def _detector_sides(scores: Scores, source: str, *, external: bool) -> Sides:
    tested = [row for row in scores.rows if row.part == "test"]
    real = [row for row in tested if row.kind == "real" and not row.external]
    own = [row for row in tested if (row.kind, row.source, row.external) == ("generated", source, external)]
    return detector_logits(real), detector_logits(own)


def _share_above(logits: Logits, threshold: float) -> Bound:
    return to_bound(share_of(bool(yes) for yes in np.asarray(logits) >= threshold))


def _half(rows: Sequence[Score], part: Part, what: str) -> list[Score]:
    found = [row for row in rows if row.part == part]
    if not found:
        raise DatasetError(f"expected at least one {what} in the {part} half of the suite, got none; add more to the suite")
    return found


def _bound(share: Share | None) -> Bound | None:
    return None if share is None else to_bound(share)


def _result(area: Area) -> AreaResult:
    return AreaResult(value=area.value, lower=area.lower, upper=area.upper)


def _loss(area: Area) -> LossResult:
    return LossResult(value=area.value, lower=area.lower, upper=area.upper)
