"""What a bundle's scores are worth beyond their bands: likelihood ratios, thresholds at stated rates, reach. Pure.

Curves and thresholds are fitted on the calibration half; what they are said to do is measured on the test half.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from manyheads_hub.evaluations.claims import share_of
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Score, Scores, by_source
from manyheads_hub.evaluations.statement import to_bound
from manyheads_shared.calibration import BoundedEvidence, Reach, fit_thresholds
from manyheads_shared.dataset import Kind
from manyheads_shared.likelihood import Logits, fit_likelihood, likelihood_cost
from manyheads_shared.metrics import Share
from manyheads_shared.ratio_bounds import bound_ratio
from manyheads_shared.rungs import Rung
from manyheads_shared.statements import Bound, SourceResult

ToLogits = Callable[[Sequence[Score]], Logits]
IsOwn = Callable[[Score], bool]


def build_evidence(
    scores: Scores,
    degraded: Mapping[Rung, Scores],
    *,
    is_own: IsOwn,
    is_counted: IsOwn,
    to_logits: ToLogits,
    high: float,
    head_count: int,
    policy: Policy,
) -> BoundedEvidence:
    """Build the evidence of one network.

    Args:
        scores: of the suite as it is.
        degraded: of part of its test half, by rung.
        is_own: whether the answer is yes.
        is_counted: whether an image of another answer counts; for the detector photographs alone are.
        high: the band's upper edge.
        head_count: how many heads share the stated rates; 1 for the detector.
    """
    rows = [row for row in scores.rows if not row.external]
    calibration, tested = ([row for row in rows if row.part == part] for part in ("calibration", "test"))
    own = [row for row in calibration if is_own(row)]
    foreign = [row for row in calibration if not is_own(row) and is_counted(row)]
    negatives, positives = _by_kind(foreign, to_logits), to_logits(own)
    curve = fit_likelihood(negatives, positives)
    cost = likelihood_cost(
        curve,
        _by_kind([row for row in tested if not is_own(row) and is_counted(row)], to_logits),
        to_logits([row for row in tested if is_own(row)]),
    )
    return BoundedEvidence(
        likelihood=bound_ratio(curve.model_copy(update={"cost": cost}), negatives, positives),
        thresholds=fit_thresholds(by_source(foreign, to_logits), head_count=head_count),
        reach=tuple(
            _reach(rung, of_rung.rows, is_own, is_counted, to_logits, high, policy) for rung, of_rung in degraded.items()
        ),
    )


def _by_kind(rows: Sequence[Score], to_logits: ToLogits) -> dict[Kind, Logits]:
    kinds: dict[Kind, list[Score]] = defaultdict(list)
    for row in rows:
        kinds[row.kind].append(row)
    return {kind: to_logits(members) for kind, members in kinds.items()}


def _reach(  # noqa: PLR0917 - one caller, in the order of its own arguments
    rung: Rung,
    rows: Sequence[Score],
    is_own: IsOwn,
    is_counted: IsOwn,
    to_logits: ToLogits,
    high: float,
    policy: Policy,
) -> Reach:
    """Say what a network does on one rung, and whether its figures still hold there."""

    def claims(chosen: Sequence[Score]) -> Share | None:
        return share_of(bool(yes) for yes in to_logits(chosen) >= high) if chosen else None

    rows = [row for row in rows if not row.external]
    foreign = [row for row in rows if not is_own(row) and is_counted(row)]
    recall, real = claims([row for row in rows if is_own(row)]), claims([row for row in foreign if row.kind == "real"])
    worst = _worst(
        {
            source: claims([row for row in foreign if row.kind == "generated" and row.source == source])
            for source in sorted({row.source for row in foreign if row.kind == "generated"})
        }
    )
    return Reach(
        ladder=rung.ladder,
        strength=float(rung.strength),
        recall=_bound(recall),
        real=_bound(real),
        worst=worst,
        valid=recall is not None
        and recall.lower >= policy.min_recall_lower
        and (real is None or real.upper <= policy.max_real_upper)
        and (worst is None or worst.yes.upper <= policy.max_generator_upper),
    )


def _worst(claimed: Mapping[str, Share | None]) -> SourceResult | None:
    found = [(source, share) for source, share in claimed.items() if share is not None]
    if not found:
        return None
    source, share = max(found, key=lambda item: (item[1].upper, item[0]))
    return SourceResult(kind="generated", source=source, external=False, yes=to_bound(share))


def _bound(share: Share | None) -> Bound | None:
    return None if share is None else to_bound(share)
