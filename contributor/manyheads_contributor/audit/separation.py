"""How well one cue alone tells two groups of images apart. Pure.

The measure is the balanced accuracy of the best rule on that cue: 0.5 tells nothing, 1 tells all. The rule is learnt on one
half of the images and measured on the other, then the other way round, so that chance finds no rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.metrics import auroc, wilson

BINS = 8  # quantiles of each group; fine enough for a two-sided rule, coarse enough not to learn noise


@dataclass(frozen=True)
class Separation:
    """How well one cue separates two groups."""

    balanced_accuracy: float
    lower: float  # mean of both recalls' lower 95 % Wilson bounds
    auroc: float | None  # of a numeric cue, yes above no; 0.5 also when the rule is two-sided


def measure_separation(
    values: Sequence[str | float] | NDArray[np.generic], yes: NDArray[np.bool_], fold: NDArray[np.bool_]
) -> Separation | None:
    """Measure one cue.

    Args:
        values: (N,) words or numbers.
        yes: (N,) which group an image is in.
        fold: (N,) which half it is in, independent of both.

    Returns:
        None when a group has no image in one of the halves.
    """
    array = np.asarray(values)
    numeric = bool(np.issubdtype(array.dtype, np.number))
    if any(not (yes[fold == half] == side).any() for half in (False, True) for side in (False, True)):
        return None
    codes = np.unique(array, return_inverse=True)[1] if not numeric else np.zeros(array.size, dtype=np.int64)
    hits = np.zeros(array.size)  # 1 right, 0 wrong, 1/2 a coin flip
    for half in (False, True):
        learn, test = fold == half, fold != half
        if numeric:
            codes = _to_bins(array, learn, yes)
        leaning = _leaning(codes, learn & yes) - _leaning(codes, learn & ~yes)
        guess = np.sign(leaning[codes[test]])
        hits[test] = np.where(guess == 0, 0.5, guess == np.where(yes[test], 1, -1))
    recalls = [wilson(round(float(hits[side].sum())), int(side.sum())) for side in (yes, ~yes)]
    balanced = float(hits[yes].mean() + hits[~yes].mean()) / 2
    area = auroc(array[~yes].astype(np.float64), array[yes].astype(np.float64)) if numeric else None
    return Separation(balanced, float(np.mean([recall.lower for recall in recalls if recall])), area)


def _to_bins(array: NDArray[np.generic], learn: NDArray[np.bool_], yes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Cut numbers at the quantiles of both groups, ends included: the larger does not choose the cuts, a gap is found."""
    ranks = np.linspace(0, 1, BINS + 1)
    cuts = np.concatenate([np.quantile(array[learn & side].astype(np.float64), ranks) for side in (yes, ~yes)])
    return np.searchsorted(np.unique(cuts), array.astype(np.float64), side="right")


def _leaning(codes: NDArray[np.int64], group: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of a group with each code."""
    counts = np.bincount(codes[group], minlength=int(codes.max()) + 1)
    return np.asarray(counts / group.sum(), dtype=np.float64)
