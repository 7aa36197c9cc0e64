"""From scores to likelihood ratios: how much more probable a score is if the answer is yes than if it is no. Pure numpy.

The fit is isotonic regression (pool adjacent violators): it supposes that a higher score never speaks less for yes, and no
more. One image of each answer is added at the far end of the other (Laplace's rule of succession), so that no ratio exceeds
what so many images can bear: with n images of the answer no, a ratio of at most n + 1, the same bound as the conformal
threshold rests on. A fit of a shape, such as a logistic curve, would promise more beyond the last image than anybody has seen.

The answer no has two origins, photographs and images of other generators, and no image says which. Each gets a fit of its own,
and the smaller ratio counts: a ratio against their mixture would depend on how many of each a suite happens to hold.
"""

import math
from collections.abc import Mapping
from typing import Annotated, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from manyheads_shared.dataset import Kind
from manyheads_shared.document import Count, Value

MAX_KNOTS = 64  # of one fit: a curve on paper shows no more
SIGNIFICANT_DIGITS = 6

Logits = NDArray[np.float32]


class Interval(NamedTuple):
    """Both ends of a log10 likelihood ratio; None: so many images set no bound on that side."""

    lower: float | None
    upper: float | None


class LikelihoodRatio(Value):
    """A rising curve from logits to log10 likelihood ratios: straight between its knots, level beyond them."""

    logits: Annotated[tuple[float, ...], Field(min_length=1)]  # rising
    log10_ratios: Annotated[tuple[float, ...], Field(min_length=1)]  # as many, never falling
    cap: Annotated[float, Field(ge=0)]  # log10; no ratio is larger, whatever the score
    floor: Annotated[float, Field(le=0)]  # log10; none is smaller
    positives: Count
    negatives: Count  # of the origin with the fewest images
    cost: (
        float | None
    )  # Cllr in bits on test images (Brümmer and du Preez 2006); 0 is perfect, 1 says nothing; None: not measured

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if len(self.logits) != len(self.log10_ratios):
            raise ValueError(f"expected as many ratios as logits, got {len(self.log10_ratios)} and {len(self.logits)}")
        if any(a >= b for a, b in zip(self.logits, self.logits[1:], strict=False)):
            raise ValueError("expected rising logits")
        if any(a > b for a, b in zip(self.log10_ratios, self.log10_ratios[1:], strict=False)):
            raise ValueError("expected ratios that never fall")
        if not (self.floor <= self.log10_ratios[0] and self.log10_ratios[-1] <= self.cap):
            raise ValueError("expected ratios between floor and cap")
        return self

    def of(self, logit: float) -> float:
        """Return the log10 likelihood ratio of a score."""
        return float(np.interp(logit, self.logits, self.log10_ratios))

    def interval(self, logit: float) -> Interval | None:  # noqa: ARG002 - `ratio_bounds.BoundedRatio` needs it
        """Return how sure that ratio is, at 95 %; None where the hub did not say (calibrations before version 3)."""
        return None


def fit_likelihood(negatives: Mapping[Kind, Logits], positives: Logits) -> LikelihoodRatio:
    """Fit a curve.

    Args:
        negatives: float32 (N,) logits of images the answer should be no for, by origin; at least one image in all.
        positives: float32 (M,) logits of images the answer should be yes for; M >= 1.

    Raises:
        ValueError: an empty side.
    """
    origins = [scores for scores in negatives.values() if scores.size]
    if not origins or positives.size == 0:
        raise ValueError("a likelihood ratio needs at least one negative and one positive score")
    cap = min(math.log10(scores.size + 1) for scores in origins)
    floor = -math.log10(positives.size + 1)
    curves = [_fit_one(scores, positives) for scores in origins]
    knots = np.unique(np.concatenate([logits for logits, _ in curves]))
    smallest = np.min([np.interp(knots, logits, ratios) for logits, ratios in curves], axis=0)
    ratios = np.clip(np.maximum.accumulate(smallest), floor, cap)  # interpolating may lower one by a rounding error
    kept = _thin(knots, ratios)
    return LikelihoodRatio(
        logits=tuple(float(knots[i]) for i in kept),
        log10_ratios=tuple(_round(float(ratios[i]), floor, cap) for i in kept),
        cap=cap,
        floor=floor,
        positives=positives.size,
        negatives=min(scores.size for scores in origins),
        cost=None,
    )


def likelihood_cost(curve: LikelihoodRatio, negatives: Mapping[Kind, Logits], positives: Logits) -> float | None:
    """Measure Cllr in bits on images the curve was not fitted on, against the harder origin; None without both answers."""
    origins = [scores for scores in negatives.values() if scores.size]
    if not origins or positives.size == 0:
        return None
    missed = _bits(-_natural(curve, positives))
    return float((missed + max(_bits(_natural(curve, scores)) for scores in origins)) / 2)


def _fit_one(negatives: Logits, positives: Logits) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit against one origin; return knots (K,) and log10 ratios (K,), rising.

    Each score weighs one over the images of its answer, so that the share of yes in a block is the ratio's alone.
    """
    scores = np.concatenate([negatives, positives]).astype(np.float64)
    yes = np.concatenate([np.zeros(negatives.size), np.ones(positives.size)])
    values, places = np.unique(scores, return_inverse=True)
    found = np.bincount(places, weights=yes)  # of yes at each score
    missed = np.bincount(places, weights=1 - yes)
    found[0] += 1  # the added images: a yes at the lowest score, a no at the highest
    missed[-1] += 1
    blocks: list[list[float]] = []  # yes, no, first score, last score
    for value, hits, misses in zip(values, found / (positives.size + 1), missed / (negatives.size + 1), strict=True):
        blocks.append([hits, misses, value, value])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            later = blocks.pop()
            blocks[-1] = [blocks[-1][0] + later[0], blocks[-1][1] + later[1], blocks[-1][2], later[3]]
    knots, ratios = [], []
    for hits, misses, first, last in blocks:
        ratio = math.log10(hits / misses)
        for place in dict.fromkeys((first, last)):
            knots.append(place)
            ratios.append(ratio)
    return np.array(knots), np.array(ratios)


def _thin(knots: NDArray[np.float64], ratios: NDArray[np.float64]) -> list[int]:
    """Choose at most MAX_KNOTS places: those where the curve bends, evenly along its rise where they are too many."""
    inner = [i for i in range(1, len(knots) - 1) if not ratios[i - 1] == ratios[i] == ratios[i + 1]]
    places = sorted({0, *inner, len(knots) - 1})
    if len(places) <= MAX_KNOTS:
        return places
    return sorted({places[round(k)] for k in np.linspace(0, len(places) - 1, MAX_KNOTS)})


def _round(ratio: float, floor: float, cap: float) -> float:
    return min(max(float(f"{ratio:.{SIGNIFICANT_DIGITS}g}"), floor), cap)


def _natural(curve: LikelihoodRatio, scores: Logits) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.interp(scores.astype(np.float64), curve.logits, curve.log10_ratios) * math.log(10)
    return found


def _bits(exponents: NDArray[np.float64]) -> float:
    return float(np.mean(np.logaddexp(0, exponents)) / math.log(2))
