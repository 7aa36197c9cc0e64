"""How sure a likelihood ratio is: a lower and an upper end at 95 %, in closed form. Pure numpy; the ratio is `likelihood`'s.

Nothing is supposed but what the ratio itself supposes: a higher score never speaks less for yes. Then the ratio at a place is
at least the mean ratio of any stretch of scores below it, and what bounds that mean bounds the ratio too, however it changes
inside. The stretches end at the place; each reaches down until so many images of the answer no are in it, and the best of their
exact bounds (Clopper and Pearson 1934) counts. They share the chance of being wrong. The upper end is the same with answers
and directions exchanged. Decision 0017 says why not the pools of the isotonic fit.

Where no image of the answer yes lies below a place, nothing bounds the ratio from below; where none of the answer no lies
above, nothing bounds it from above. Those ends are None: `cap` says what may be stated, not what may be true.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import special  # scipy.stats takes a second to load

from manyheads_shared.dataset import Kind
from manyheads_shared.likelihood import Interval, LikelihoodRatio, Logits

CONFIDENCE = 0.95  # of both ends together
PLACES = 16  # quantiles of each answer's scores at which the ends may change
GROWTH = 4  # a stretch holds so many times the images of the one before
DECIMALS = 3  # of log10: a quarter of a percent

Ends = tuple[float | None, ...]


class BoundedRatio(LikelihoodRatio):
    """A likelihood ratio with an interval of it: steps, outwards, so that what lies between two places is bounded as well."""

    places: Annotated[tuple[float, ...], Field(min_length=1)]  # logits, rising
    lower: Ends  # log10, one a place, never falling; None: no bound, at the first places alone
    upper: Ends  # likewise; None at the last places alone

    @model_validator(mode="after")
    def _enclosing(self) -> Self:
        if not len(self.places) == len(self.lower) == len(self.upper):
            raise ValueError("expected as many lower and upper ends as places")
        if any(a >= b for a, b in pairwise(self.places)):
            raise ValueError("expected rising places")
        lower = np.array([-math.inf if end is None else end for end in self.lower])
        upper = np.array([math.inf if end is None else end for end in self.upper])
        if any(a > b for ends in (lower, upper) for a, b in pairwise(ends)):
            raise ValueError("expected ends that never fall")
        ratios = np.interp(self.places, self.logits, self.log10_ratios)
        if (lower > ratios).any() or (ratios > upper).any():
            raise ValueError("expected ends that enclose the ratio")
        return self

    def interval(self, logit: float) -> Interval:
        """Return both ends of the log10 likelihood ratio of a score, at 95 %."""
        below, above = bisect_right(self.places, logit) - 1, bisect_left(self.places, logit)
        return Interval(
            self.lower[below] if below >= 0 else None,
            self.upper[above] if above < len(self.places) else None,
        )


def bound_ratio(curve: LikelihoodRatio, negatives: Mapping[Kind, Logits], positives: Logits) -> BoundedRatio:
    """Give a curve the interval that the images it was fitted on bear.

    The smaller ratio of several origins counts, so the smallest of their ends bounds it. The lower end is wrong only where that
    of the smaller ratio is; the upper one where any is, so these share their chance.

    Args:
        negatives, positives: as `fit_likelihood` took them.
    """
    yes, origins = np.sort(positives), [np.sort(scores) for scores in negatives.values() if scores.size]
    places = _choose_places(yes, np.concatenate(origins))
    tail = (1 - CONFIDENCE) / 2
    lower = np.min([_lowest(yes, no, places, tail) for no in origins], axis=0)
    upper = np.min([-_lowest(-no[::-1], -yes[::-1], -places, tail / len(origins)) for no in origins], axis=0)
    ratios = np.interp(places, curve.logits, curve.log10_ratios)
    lower = np.minimum(np.maximum.accumulate(lower), ratios)
    upper = np.maximum(np.minimum.accumulate(upper[::-1])[::-1], ratios)
    return BoundedRatio(
        **curve.model_dump(),
        places=tuple(places.tolist()),
        lower=_to_ends(-_round_up(-lower)),
        upper=_to_ends(_round_up(upper)),
    )


def _choose_places(*sides: Logits) -> NDArray[np.float64]:
    """Quantiles of either answer's scores, rising; not rounded, so that the image at a place counts neither below nor above."""
    shares = np.linspace(0, 1, PLACES)
    return np.unique(np.concatenate([np.quantile(scores, shares, method="nearest") for scores in sides])).astype(np.float64)


def _lowest(yes: Logits, no: Logits, places: NDArray[np.float64], tail: float) -> NDArray[np.float64]:
    """Bound the log10 ratio from below at each place.

    Args:
        yes, no: sorted logits, (P,) and (N,).
        places: (K,).
        tail: the chance that a bound may be too high.

    Returns:
        (K,), -inf where no stretch holds a yes.
    """
    reach = np.array([0, *(GROWTH**j for j in range(math.ceil(math.log(no.size, GROWTH))))])  # (J,) of no in each stretch
    below = np.searchsorted(no, places)[:, np.newaxis]  # (K, 1); images at the place itself do not count
    end = below - 1 - reach  # (K, J) the image of no that a stretch stops before; negative: it reaches the lowest score
    start = np.where(end < 0, 0, np.searchsorted(yes, no[np.maximum(end, 0)], side="right"))
    found = np.searchsorted(yes, places)[:, np.newaxis] - start
    passed = np.broadcast_to(np.minimum(reach, below), found.shape)
    least = np.zeros(found.shape)  # the share of yes in a stretch
    some = found > 0
    least[some] = special.betaincinv(found[some], passed[some] + 1, tail / reach.size)
    share = least.max(axis=1)
    with np.errstate(divide="ignore"):
        odds: NDArray[np.float64] = np.log10(share / (1 - share))
    return odds + math.log10(no.size / yes.size)


def _round_up(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to DECIMALS, never down: what a product loses in its last digit is made up for."""
    rounded: NDArray[np.float64] = np.ceil(ends * 10**DECIMALS + 1e-9) / 10**DECIMALS
    return rounded


def _to_ends(ends: NDArray[np.float64]) -> Ends:
    return tuple(float(end) + 0.0 if math.isfinite(end) else None for end in ends)  # + 0.0: no -0
