"""Metrics with intervals. Pure numpy; the kit, the hub and the benchmarks quote the same functions.

Shares are in [0, 1]; intervals are two-sided at 95 % unless said otherwise. An empty denominator gives None, never 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special  # scipy.stats takes a second to load

Z95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


@dataclass(frozen=True)
class Share:
    """`hits` out of `total`, with an interval."""

    hits: int
    total: int
    lower: float
    upper: float

    @property
    def value(self) -> float:
        """The plain share."""
        return self.hits / self.total

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % [{100 * self.lower:.1f}, {100 * self.upper:.1f}]"


def wilson(hits: int, total: int) -> Share | None:
    """Wilson score interval (Wilson 1927), the one to print beside a measured share."""
    if total == 0:
        return None
    p, z2 = hits / total, Z95**2
    centre = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * np.sqrt(p * (1 - p) / total + z2 / (4 * total**2))
    return Share(hits, total, float(max(min(centre - half, p), 0.0)), float(min(max(centre + half, p), 1.0)))


def clopper_pearson(hits: int, total: int, confidence: float = 0.95) -> Share | None:
    """Exact interval (Clopper and Pearson 1934): never too narrow, the one to gate on."""
    if total == 0:
        return None
    tail = (1 - confidence) / 2
    lower = 0.0 if hits == 0 else float(special.betaincinv(hits, total - hits + 1, tail))
    upper = 1.0 if hits == total else float(special.betaincinv(hits + 1, total - hits, 1 - tail))
    return Share(hits, total, lower, upper)


def auroc(negatives: NDArray[np.floating], positives: NDArray[np.floating]) -> float | None:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half."""
    if negatives.size == 0 or positives.size == 0:
        return None
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, side="left")
    not_above = np.searchsorted(ordered, positives, side="right")
    return float((below + not_above).mean()) / (2 * negatives.size)


@dataclass(frozen=True)
class BinaryMetrics:
    """Precision, recall and F1 of one yes/no question at one threshold."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    auroc: float | None

    @property
    def precision(self) -> Share | None:
        """Of the images called yes, the share that are."""
        return wilson(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> Share | None:
        """Of the images that are, the share called yes."""
        return wilson(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def false_positive_rate(self) -> Share | None:
        """Of the images that are not, the share called yes."""
        return wilson(self.false_positives, self.false_positives + self.true_negatives)

    @property
    def f1(self) -> Share | None:
        """Harmonic mean of precision and recall; None without a single positive, found or true.

        With J the share of true positives among all images that are positive or were called so, F1 = 2J / (1 + J): a rising
        function of one proportion, so the Wilson bounds of J carry over.
        """
        called, positives = self.true_positives + self.false_positives, self.true_positives + self.false_negatives
        among = wilson(self.true_positives, called + self.false_negatives)
        if among is None:
            return None
        lower, upper = (2 * bound / (1 + bound) for bound in (among.lower, among.upper))
        return Share(2 * self.true_positives, called + positives, lower, upper)


def binary_metrics(negatives: NDArray[np.floating], positives: NDArray[np.floating], threshold: float = 0.0) -> BinaryMetrics:
    """Measure one question. Scores at or above `threshold` (logit 0 is probability 0.5) count as yes."""
    found, wrong = int((positives >= threshold).sum()), int((negatives >= threshold).sum())
    return BinaryMetrics(found, wrong, negatives.size - wrong, positives.size - found, auroc(negatives, positives))


def contradictions(
    detector: NDArray[np.floating], head: NDArray[np.floating], *, detector_threshold: float = 0.0, threshold: float = 0.0
) -> tuple[Share | None, Share | None]:
    """Both published contradiction rates.

    Args:
        detector, head: (N,) logits of the same images.

    Returns:
        Of the images the detector calls real, the share the head claims (the paper's tables); and of the images the head
        claims, the share the detector calls real (the paper's runtime script).
    """
    real, claimed = detector < detector_threshold, head >= threshold
    both = int((real & claimed).sum())
    return wilson(both, int(real.sum())), wilson(both, int(claimed.sum()))


@dataclass(frozen=True)
class Area:
    """An area under the ROC curve, or a difference of two, with an interval."""

    value: float
    lower: float
    upper: float


def auroc_interval(negatives: NDArray[np.floating], positives: NDArray[np.floating]) -> Area | None:
    """AUROC with an interval that assumes no distribution (DeLong, DeLong and Clarke-Pearson 1988)."""
    if negatives.size == 0 or positives.size == 0:
        return None
    of_positives, of_negatives = _placements(negatives, positives)
    value, half = float(of_positives.mean()), Z95 * _spread(of_positives, of_negatives)
    return Area(value, max(value - half, 0.0), min(value + half, 1.0))


def auroc_loss(
    before: tuple[NDArray[np.floating], NDArray[np.floating]], after: tuple[NDArray[np.floating], NDArray[np.floating]]
) -> Area | None:
    """AUROC before less AUROC after, of the same images in the same order: the paired interval of the same authors.

    Args:
        before, after: negatives (N,) and positives (M,).
    """
    if before[0].size == 0 or before[1].size == 0:
        return None
    first, second = _placements(*before), _placements(*after)
    of_positives, of_negatives = first[0] - second[0], first[1] - second[1]
    value, half = float(of_positives.mean()), Z95 * _spread(of_positives, of_negatives)
    return Area(value, max(value - half, -1.0), min(value + half, 1.0))


def _placements(
    negatives: NDArray[np.floating], positives: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each positive the share of negatives below it, for each negative that of positives above it; ties count half."""
    ordered_negatives, ordered_positives = np.sort(negatives), np.sort(positives)
    below = np.searchsorted(ordered_negatives, positives, "left") + np.searchsorted(ordered_negatives, positives, "right")
    under = np.searchsorted(ordered_positives, negatives, "left") + np.searchsorted(ordered_positives, negatives, "right")
    return below / (2 * negatives.size), 1 - under / (2 * positives.size)


def _spread(of_positives: NDArray[np.float64], of_negatives: NDArray[np.float64]) -> float:
    """Standard error of a mean placement."""
    parts = [values.var(ddof=1) / values.size for values in (of_positives, of_negatives) if values.size > 1]
    return float(np.sqrt(sum(parts)))
