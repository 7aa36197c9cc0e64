"""The condition of an image, as estimated from it, and the rungs it falls on: where the hub's figures for it are found.

Pure; estimating is for the client. Cropping leaves nothing that one could measure, so its ladder is never named; blur and
scaling leave one softness, read in two ways: each of them shows on both ladders.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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


READINGS: dict[Ladder, Reading] = {
    "jpeg": Reading(dead_zone=100, tolerance=0.03),  # quality; no other image has its traces, a second compression moves them
    "scale": Reading(dead_zone=0.35, tolerance=0.2),
    "blur": Reading(dead_zone=1.2, tolerance=0.25),
    "noise": Reading(dead_zone=1.8, tolerance=0.25),
}


def strata(condition: Condition) -> tuple[Stratum, ...]:
    """Return where the image stands on every ladder it shows a sign of, in the ladders' order; empty for none."""
    estimates: dict[Ladder, float | None] = {
        "jpeg": condition.jpeg_quality,
        "scale": condition.scale,
        "blur": condition.blur,
        "noise": condition.noise,
    }
    return tuple(
        Stratum(ladder, estimate, _find_rung(ladder, estimate))
        for ladder, estimate in estimates.items()
        if estimate is not None and _exceeds(ladder, estimate, READINGS[ladder].dead_zone)
    )


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
