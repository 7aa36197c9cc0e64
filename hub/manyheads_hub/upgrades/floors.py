"""Floors: what a policy asks of a candidate primary before it is promoted. Pure: figures and a policy to met or not met."""

from collections.abc import Iterator, Sequence

from manyheads_hub.evaluations.policy import Policy
from manyheads_shared.retention import DetectorChange, Floor, HeadRetention
from manyheads_shared.statements import Bound


def check_floors(
    detector: Sequence[DetectorChange], photographs: Bound, heads: Sequence[HeadRetention], policy: Policy
) -> tuple[Floor, ...]:
    """Return every floor, met or not: (1) photographs; (2) each generator of the suite; (3) the heads.

    External sources decide nothing, as at the gate.
    """
    return (
        # step 1
        _photographs(photographs, policy),
        # step 2
        *(floor for change in detector if not change.external for floor in _source(change, policy)),
        # step 3
        *_retention(heads, policy),
    )


def _photographs(found: Bound, policy: Policy) -> Floor:
    limit = policy.max_detector_real_upper
    return Floor(
        code="detector-photographs",
        subject="",
        limit=limit,
        found=found.upper,
        met=found.upper <= limit,
        message=f"the detector calls {found.hits} of {found.total} photographs generated; the upper bound of that share, "
        f"{100 * found.upper:.1f} %, may be {100 * limit:g} %",
    )


def _source(change: DetectorChange, policy: Policy) -> Iterator[Floor]:
    found, least = change.recall, policy.min_detector_recall_lower
    yield Floor(
        code="detector-recall",
        subject=change.source,
        limit=least,
        found=found.lower,
        met=found.lower >= least,
        message=f"the detector calls {found.hits} of {found.total} images of {change.source} generated; the lower bound of "
        f"that share, {100 * found.lower:.1f} %, must be {100 * least:g} %",
    )
    limit = policy.max_detector_loss_lower
    yield Floor(
        code="detector-loss",
        subject=change.source,
        limit=limit,
        found=change.loss.lower,
        met=change.loss.lower <= limit,
        message=f"on {change.source} the detector loses {100 * change.loss.value:.1f} points of AUROC, surely "
        f"{max(0.0, 100 * change.loss.lower):.1f}; it may surely lose {100 * limit:g}",
    )


def _retention(heads: Sequence[HeadRetention], policy: Policy) -> Iterator[Floor]:
    if not heads:
        return
    kept, least = sum(row.compatibility == "compatible" for row in heads), policy.min_retained
    yield Floor(
        code="retention",
        subject="",
        limit=least,
        found=kept / len(heads),
        met=kept >= least * len(heads),
        message=f"{kept} of {len(heads)} listed heads are compatible; at least {100 * least:g} % of them must be",
    )
