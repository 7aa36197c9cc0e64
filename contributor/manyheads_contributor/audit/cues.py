"""The cues: single things a network could read off an image instead of learning who made it. A flat list, with reasons."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from manyheads_contributor.audit.observation import Observation

Family = Literal["file", "trace", "pattern", "content"]
# file:    of the container; says nothing of the generator, always the collector's doing
# trace:   in the pixels; the collector's doing or, seldom, the generator's own
# pattern: in the pixels, and as easily the generator's own: three doublings leave period 8. The fit of a JPEG's steps decides
# content: what is shown; classes differ in it honestly, but a network may learn only that

_OWN_PATTERN = (
    "or the generator's own pattern, if it enlarges by eight or more and no earlier JPEG is seen: then it is what a head is "
    "to learn, leave it"
)
_FINER = 5  # JPEG quality points: an earlier compression shows below the last one only when it was clearly coarser


@dataclass(frozen=True)
class Cue:
    """One cue: how to read it from an observation, and how an owner mends a difference."""

    name: str
    family: Family
    read: Callable[[Observation], str | float]
    advice: str


def _earlier_jpeg(seen: Observation) -> str:
    found, last = seen.history.lattice_quality, seen.container.jpeg_quality
    if found is None or (last is not None and found > last - _FINER):
        return "none seen"
    return f"q{found}"


CUES: tuple[Cue, ...] = (
    Cue(
        "file format",
        "file",
        lambda seen: seen.container.format,
        "save all images through one path, for instance as lossless WebP or PNG",
    ),
    Cue(
        "dimensions",
        "file",
        lambda seen: f"{seen.container.width}x{seen.container.height}",
        "bring all images to one size with one resampling filter, and both classes from larger originals",
    ),
    Cue(
        "pixel count",
        "file",
        lambda seen: float(seen.container.width * seen.container.height),
        "bring all images to one size with one resampling filter, and both classes from larger originals",
    ),
    Cue("colour mode", "file", lambda seen: seen.container.mode, "convert all images to RGB through one path"),
    Cue(
        "metadata",
        "file",
        lambda seen: ", ".join(seen.container.metadata) or "none",
        "strip EXIF, profiles and text from all images when saving them through one path",
    ),
    Cue(
        "JPEG tables",
        "file",
        lambda seen: seen.container.jpeg or "not a JPEG",
        "decode all images and save them through one path; if JPEG must stay, one quality and one encoder",
    ),
    Cue(
        "earlier JPEG",
        "trace",
        _earlier_jpeg,
        "the pixels keep an earlier JPEG: compress the other class alike first, or take originals that never were JPEG",
    ),
    Cue(
        "JPEG step fit",
        "trace",
        lambda seen: seen.history.lattice,
        "the pixels keep an earlier JPEG: compress the other class alike first, or take originals that never were JPEG",
    ),
    Cue(
        "8x8 grid",
        "pattern",
        lambda seen: seen.history.grid,
        f"block edges from a JPEG: give both classes the same compression, or downscale both after it; {_OWN_PATTERN}",
    ),
    Cue(
        "shifted 8x8 grid",
        "pattern",
        lambda seen: seen.history.shifted_grid,
        f"block edges off the grid, from a crop after a JPEG: crop before compressing, both classes alike; {_OWN_PATTERN}",
    ),
    Cue(
        "value range",
        "trace",
        lambda seen: "exactly 0..255" if seen.values.stretched else "narrower",
        "one writer stretches or clips values, or a generator never reaches the ends: write all images with one rounding, "
        "no min-max stretch, then test on images scaled into 5..250",
    ),
    Cue(
        "brightness",
        "content",
        lambda seen: seen.values.brightness,
        "match subjects and exposure, or quote results with this in mind",
    ),
    Cue(
        "contrast", "content", lambda seen: seen.values.contrast, "match subjects and tone, or quote results with this in mind"
    ),
    Cue(
        "colourfulness",
        "content",
        lambda seen: seen.values.colourfulness,
        "match subjects and backgrounds, or quote results with this in mind",
    ),
    Cue(
        "fine detail",
        "content",
        lambda seen: seen.values.detail,
        "resampling or framing differs, or the generator is smooth: bring both classes down from larger originals alike",
    ),
)


@dataclass(frozen=True)
class Spread:
    """How a cue is spread over some images: shares of words, or quantiles of numbers."""

    shares: dict[str, float]  # commonest first; empty for numbers
    quantiles: tuple[float, float, float] | None  # 5 %, median, 95 %; None for words

    @property
    def brief(self) -> str:
        """The commonest word or the median."""
        if self.quantiles:
            return f"{self.quantiles[1]:.3g}"
        word, share = next(iter(self.shares.items()))
        return word if share == 1 else f"{word} {_percent(share)}"

    def __str__(self) -> str:
        if self.quantiles:
            low, middle, high = self.quantiles
            return f"{middle:.3g} ({low:.3g} to {high:.3g})"
        words = [f"{word} {_percent(share)}" for word, share in list(self.shares.items())[:3]]
        return ", ".join(words + ([f"{len(self.shares) - 3} others"] if len(self.shares) > 3 else []))


def spread_of(values: Sequence[str | float]) -> Spread:
    """Summarise a cue's values; at least one."""
    if isinstance(values[0], str):
        counts = Counter(str(value) for value in values).most_common()
        return Spread({word: count / len(values) for word, count in counts}, None)
    low, middle, high = (float(q) for q in np.percentile(np.asarray(values, dtype=np.float64), (5, 50, 95)))
    return Spread({}, (low, middle, high))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
