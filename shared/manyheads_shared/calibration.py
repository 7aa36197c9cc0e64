"""Thresholds from measured scores: bands for the detector and every head. Pure; numbers in, numbers out.

A band has two edges. At or above `high` a score means yes, below `low` it means no, between them the evidence is not enough.
`high` rests on conformal quantiles of the negatives: at most a share `alpha` of fresh negatives like those of one group
score above that group's, whatever their distribution (Vovk, Gammerman, Shafer 2005, ch. 4). A quantile of a mixture would
bound the mixture only, and many tame images would hide a few that are claimed; so every source is a group of its own where
it is large enough for `alpha`, the smaller ones of a kind are one together, and `high` is the highest of their quantiles.

Heads share one family-wise budget: with K heads each gets alpha / K, so that a photograph is claimed by *any* head at most
`alpha` of the time. `low` is the matching quantile of the positives. Where the two leave a gap, any score in it separates
them, and the middle is taken.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from manyheads_shared.condition import Usual
from manyheads_shared.dataset import Kind
from manyheads_shared.digest import Digest
from manyheads_shared.document import MAX_INTEGER, Count, Document, Value
from manyheads_shared.likelihood import LikelihoodRatio, Logits
from manyheads_shared.manifest import DigestField
from manyheads_shared.ratio_bounds import BoundedRatio
from manyheads_shared.statements import Bound, SourceResult

Sources = Mapping[tuple[Kind, str], Logits]  # logits of the images of each source, by kind and name
Tolerated = Annotated[float, Field(gt=0, lt=1)]  # a share of errors

DETECTOR_ALPHA = 0.01  # share of real images that may be called generated
HEADS_ALPHA = 0.01  # share of images of other origin that may be claimed by any head at all
STATED_RATES = (0.1, 0.01, 0.001)  # of the whole bundle: a search, an opinion, an accusation
MISS_ALPHA = 0.05  # share of positives that may be called negative outright


class Band(Value):
    """The two edges, in logits, and the evidence they rest on."""

    low: float
    high: float
    negatives: Count  # images behind `high`, all groups together
    positives: Count  # images behind `low`
    resolved: bool  # False: a group has fewer than 1/alpha - 1 images; `high` is above them all, alpha is not guaranteed

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"expected low <= high, got {self.low} and {self.high}")
        return self


class Calibration(Document):
    """The bands of one bundle, rebuilt with every bundle for the number of heads in it. Version 1; see `BoundedCalibration`."""

    FORMAT: ClassVar[str] = "manyheads.calibration/1"
    MAX_BYTES: ClassVar[int] = 128 << 20  # 10,000 heads with their evidence are 75 MB

    primary: DigestField
    suite: DigestField
    detector_alpha: Tolerated
    heads_alpha: Tolerated  # family-wise, over all heads of the bundle
    miss_alpha: Tolerated
    detector: Band
    heads: dict[DigestField, Band]


class Threshold(Value):
    """The logit from which on a network says yes, for one stated rate of false answers of the whole bundle."""

    family_rate: Tolerated  # of images of other origin that any head at all may claim; of photographs, for the detector
    rate: Tolerated  # this network's share of it
    logit: float
    resolved: bool  # as in `Band`


class Reach(Value):
    """What a network does on images degraded by one rung of a ladder, at its band's `high`. Bounds at 95 %."""

    ladder: str  # manyheads_shared.rungs.Ladder
    strength: float
    recall: Bound | None
    real: Bound | None  # of photographs, those claimed
    worst: SourceResult | None  # of the other generators in the suite, the one claimed most surely; None for the detector
    valid: bool  # no photograph's and no generator's bound is above what the gate allows, and enough is recognised


class Evidence(Value):
    """What a network's scores are worth, beyond its band."""

    likelihood: LikelihoodRatio
    thresholds: tuple[Threshold, ...]  # strictest last
    reach: tuple[Reach, ...]  # every rung that was measured, ladder by ladder, mildest first


class FullCalibration(Calibration):
    """Bands, likelihood ratios, thresholds at stated rates, and how far each network's figures hold. Version 2."""

    FORMAT: ClassVar[str] = "manyheads.calibration/2"

    detector_evidence: Evidence
    heads_evidence: Mapping[DigestField, Evidence]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.heads_evidence.keys() != self.heads.keys():
            raise ValueError("expected evidence for exactly the heads that have a band")
        return self


class BoundedEvidence(Evidence):
    """As `Evidence`, and how sure the likelihood ratios are."""

    likelihood: BoundedRatio


class Sides(Value):
    """The range of the shorter sides of images, in pixels, before anything is done to them."""

    shortest: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    longest: Annotated[int, Field(ge=1, le=MAX_INTEGER)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError(f"expected shortest <= longest, got {self.shortest} and {self.longest}")
        return self


class BoundedCalibration(FullCalibration):
    """As `FullCalibration`, with intervals of the likelihood ratios and the sizes of the images behind it. Version 3."""

    FORMAT: ClassVar[str] = "manyheads.calibration/3"

    sides: Sides  # of the suite's images behind any figure here
    usual: Usual  # what these images show, nothing having been done to them
    detector_evidence: BoundedEvidence
    heads_evidence: Mapping[DigestField, BoundedEvidence]


def read_calibration(data: bytes) -> Calibration:
    """Read a calibration of any version, as the class of that version.

    Raises:
        ManifestError, UnsupportedVersionError: as `Document.from_bytes`.
    """
    for older in (Calibration, FullCalibration):
        if f'"format":"{older.FORMAT}"'.encode() in data:
            return older.from_bytes(data)
    return BoundedCalibration.from_bytes(data)


def read_bands(data: bytes) -> Calibration:
    """Return the bands of a calibration whose bytes are known to be one: much quicker than reading all of it."""
    value = json.loads(data)
    fields = {name: value[name] for name in Calibration.model_fields if name != "format"}
    return Calibration.new(**fields)


def fit_thresholds(negatives: Sources, *, head_count: int, rates: Sequence[float] = STATED_RATES) -> tuple[Threshold, ...]:
    """Place a network's threshold for each stated rate, as `fit_band` places `high`.

    Args:
        head_count: how many heads share the rate; 1 for the detector.
        rates: strictest last. No threshold is below the one before.

    Raises:
        ValueError: no negative score.
    """
    fitted: list[Threshold] = []
    for family_rate in rates:
        rate = head_alpha(family_rate, head_count)
        high, resolved = _fit_high(negatives, rate)
        if fitted:  # a stricter rate has fewer sources of their own, and pooled a claimed one may vanish among many
            high = max(high, fitted[-1].logit)
        fitted.append(Threshold(family_rate=family_rate, rate=rate, logit=high, resolved=resolved))
    return tuple(fitted)


def fit_band(negatives: Sources, positives: Logits, *, alpha: float, miss_alpha: float = MISS_ALPHA) -> Band:
    """Fit one band.

    Args:
        negatives: float32 (N,) logits of images the answer should be no for, by source; N >= 1 in all.
        positives: float32 (M,) logits of images the answer should be yes for; M >= 1.
        alpha: tolerated share of the negatives of any one group at or above `high`, in (0, 1).
        miss_alpha: tolerated share of positives below `low`, in (0, 1).

    Raises:
        ValueError: an empty side.
    """
    count = sum(scores.size for scores in negatives.values())
    if count == 0 or positives.size == 0:
        raise ValueError("a band needs at least one negative and one positive score")
    high, resolved = _fit_high(negatives, alpha)
    lower, _ = _conformal_quantile(-positives, miss_alpha)
    low = -lower
    if low > high:
        low = high = (low + high) / 2
    return Band(low=low, high=high, negatives=count, positives=positives.size, resolved=resolved)


def _fit_high(negatives: Sources, alpha: float) -> tuple[float, bool]:
    """The upper edge for a tolerated share, and whether every group resolves it."""
    quantiles = [_conformal_quantile(group, alpha) for group in _group(negatives, alpha)]
    upper, resolved = max(score for score, _ in quantiles), all(sound for _, sound in quantiles)
    # strictly above the quantile, so that "at or above high" keeps the guarantee
    return float(np.nextafter(np.float32(upper), np.float32(np.inf))), resolved


def _group(negatives: Sources, alpha: float) -> Iterator[Logits]:
    """Each source that is large enough for alpha by itself; the smaller ones of a kind together."""
    small: dict[Kind, list[Logits]] = defaultdict(list)
    for (kind, _), scores in negatives.items():
        if _rank(scores.size, alpha) <= scores.size:
            yield scores
        elif scores.size:
            small[kind].append(scores)
    yield from (np.concatenate(several) for several in small.values())


def _conformal_quantile(scores: Logits, alpha: float) -> tuple[float, bool]:
    """The ceil((n+1)(1-alpha))-th smallest score; the largest, unresolved, where n is too small for alpha."""
    rank = _rank(scores.size, alpha)
    return float(np.sort(scores)[min(rank, scores.size) - 1]), rank <= scores.size


def _rank(count: int, alpha: float) -> int:
    return math.ceil((count + 1) * (1 - alpha))


def head_alpha(heads_alpha: float, head_count: int) -> float:
    """Each head's share of the family-wise budget (Bonferroni; heads are not independent)."""
    return heads_alpha / max(head_count, 1)


def build_calibration(
    *,
    primary: Digest,
    suite: Digest,
    detector: tuple[Sources, Logits],
    heads: Mapping[Digest, tuple[Sources, Logits]],
    detector_alpha: float = DETECTOR_ALPHA,
    heads_alpha: float = HEADS_ALPHA,
    miss_alpha: float = MISS_ALPHA,
) -> Calibration:
    """Fit all bands of a bundle.

    Args:
        detector: logits of real images by source, logits of generated images.
        heads: for each head digest, logits of images of other origin by source, logits of its generator's images.
    """
    each = head_alpha(heads_alpha, len(heads))
    return Calibration.new(
        primary=primary,
        suite=suite,
        detector_alpha=detector_alpha,
        heads_alpha=heads_alpha,
        miss_alpha=miss_alpha,
        detector=fit_band(*detector, alpha=detector_alpha, miss_alpha=miss_alpha),
        heads={
            digest: fit_band(negatives, positives, alpha=each, miss_alpha=miss_alpha)
            for digest, (negatives, positives) in sorted(heads.items())
        },
    )
