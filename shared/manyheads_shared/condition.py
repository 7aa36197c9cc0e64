"""The condition of an image, as estimated from it, and the rungs it falls on: where the hub's figures for it are found.

Pure; estimating is for the client. Cropping leaves nothing that one could measure, so its ladder is never named; blur and
scaling leave one softness, read in two ways: each of them shows on both ladders.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from manyheads_shared.dataset import Kind
from manyheads_shared.document import Count, Value
from manyheads_shared.rungs import LADDERS, Ladder, Rung


class Condition(Value):
    """What an image has been through, as far as its file and its pixels show it."""

    width: Count  # pixels, upright
    height: Count
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | None  # of the last compression; None: no sign of one
    jpeg_from: Literal["tables", "traces"] | None  # the file's own quantisation tables, or what they left in the pixels
    blur: Annotated[float, Field(ge=0)]  # sigma of a Gaussian, pixels, that makes a step as soft as the sharpest edges
    noise: Annotated[float, Field(ge=0)]  # standard deviation in each channel, grey levels
    scale: Annotated[float, Field(gt=0, le=1)]  # share of the frequency band that holds anything

    @model_validator(mode="after")
    def _sourced(self) -> Self:
        if (self.jpeg_quality is None) != (self.jpeg_from is None):
            raise ValueError("expected jpeg_quality and jpeg_from together or neither")
        return self


@dataclass(frozen=True)
class Stratum:
    """Where an image stands on one ladder."""

    ladder: Ladder
    estimate: float  # in the ladder's unit
    rung: Rung | None  # the mildest at least as strong as the estimate; None: it lies beyond the last


@dataclass(frozen=True)
class Reading:
    """How an estimate is read; both numbers are chosen from measurements (benchmarks/results/conditions.md)."""

    dead_zone: float  # up to here, images that nothing was done to may look the same
    tolerance: float  # share of a rung's strength by which estimates of its own images may lie beyond it


USUAL_SHARE = 0.95
READINGS: dict[Ladder, Reading] = {
    "jpeg": Reading(dead_zone=100, tolerance=0.03),  # quality; no other image has its traces, a second compression moves them
    "scale": Reading(dead_zone=0.55, tolerance=0.2),
    "blur": Reading(dead_zone=0.9, tolerance=0.25),
    "noise": Reading(dead_zone=1.8, tolerance=0.25),
}


class Usual(Value):
    """How strong the signs are that images show to which nothing was done: no stronger one counts as degraded.

    A suite of compressed photographs is compressed by nature, and what was measured on it holds for such images.
    """

    jpeg: Annotated[int, Field(ge=1, le=100)]
    scale: Annotated[float, Field(gt=0, le=1)]
    blur: Annotated[float, Field(ge=0)]
    noise: Annotated[float, Field(ge=0)]


def find_usual(conditions: Mapping[Kind, Sequence[Condition]]) -> Usual:
    """Find what is usual among images: what `USUAL_SHARE` of the photographs and of the generated images do not exceed.

    Args:
        conditions: of the images of each kind; what one kind alone shows is not usual.
    """
    kinds = [some for some in conditions.values() if some]
    jpeg, scale, blur, noise = (_find_end(ladder, kinds) for ladder in READINGS)
    return Usual(jpeg=int(jpeg), scale=scale, blur=blur, noise=noise)


def strata(condition: Condition, usual: Usual | None = None) -> tuple[Stratum, ...]:
    """Return where the image stands on every ladder it shows a sign of, in the ladders' order; empty for none.

    Args:
        usual: of the suite that figures were measured on; None: as measured on images at large (`READINGS`).
    """
    ends = (usual or find_usual({})).model_dump()
    return tuple(
        Stratum(ladder, estimate, _find_rung(ladder, estimate))
        for ladder, estimate in _estimates(condition).items()
        if estimate is not None and _exceeds(ladder, estimate, ends[ladder])
    )


def _estimates(condition: Condition) -> dict[Ladder, float | None]:
    return {
        "jpeg": condition.jpeg_quality,
        "scale": condition.scale,
        "blur": condition.blur,
        "noise": condition.noise,
    }


def _find_end(ladder: Ladder, kinds: Sequence[Sequence[Condition]]) -> float:
    """The strength up to which an image of either kind may lie without being unusual, and never within the dead zone."""
    direction, dead_zone = _direction(ladder), READINGS[ladder].dead_zone
    ends = []
    for conditions in kinds:
        estimates = (_estimates(condition)[ladder] for condition in conditions)
        strengths = sorted(direction * (dead_zone if estimate is None else estimate) for estimate in estimates)
        ends.append(strengths[math.ceil(USUAL_SHARE * len(strengths)) - 1])
    return direction * max(direction * dead_zone, min(ends, default=-math.inf))


def _find_rung(ladder: Ladder, estimate: float) -> Rung | None:
    tolerance = READINGS[ladder].tolerance
    for strength in LADDERS[ladder]:
        if not _exceeds(ladder, estimate, strength * (1 + _direction(ladder) * tolerance)):
            return Rung(ladder, strength)
    return None


def _exceeds(ladder: Ladder, estimate: float, strength: float) -> bool:
    return _direction(ladder) * estimate > _direction(ladder) * strength


def _direction(ladder: Ladder) -> int:
    """1 where larger numbers are stronger, -1 where smaller ones are: quality and scale."""
    mildest, *_, strongest = LADDERS[ladder]
    return 1 if strongest > mildest else -1
