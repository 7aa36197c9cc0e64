"""Score documents: the logits of every image of a suite, so that its maintainer can compute the thresholds and figures again.

Images are named by digest; nothing of them can be seen. One half of each source calibrates thresholds, the other measures
what they do: a figure is never measured on the images its threshold came from. No torch here; `measure` fills them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from manyheads_shared.calibration import Sources
from manyheads_shared.condition import Condition
from manyheads_shared.dataset import Kind
from manyheads_shared.digest import Digest
from manyheads_shared.document import Document, Value
from manyheads_shared.likelihood import Logits
from manyheads_shared.manifest import DigestField, Name, Sentence

Part = Literal["calibration", "test"]
Logit = Annotated[float, Field(description="a float32 number")]


class Score(Value):
    """One image's logits."""

    kind: Kind
    source: Name  # of the photographs, or the generator's name
    external: bool  # held out: reported, never gated on, never calibrated on
    proof: bool  # one of the owner's proof images of the head under evaluation; False for what the suite holds
    digest: DigestField  # of the image's bytes
    part: Part
    detector: Logit
    head: Logit | None  # None in a primary's own scores


class Unusable(Value):
    """An image that has no score, and why."""

    digest: DigestField
    reason: Sentence


class Scores(Document):
    """The logits of one primary, or of one head on it, on one suite."""

    FORMAT: ClassVar[str] = "manyheads.scores/1"

    suite: DigestField
    primary: DigestField
    head: DigestField | None
    device: Sentence
    precision: Literal["float32", "bfloat16"]
    software: Sentence
    rows: tuple[Score, ...]
    unusable: tuple[Unusable, ...]


@dataclass(frozen=True)
class Look:
    """What one suite image is like."""

    kind: Kind
    shorter_side: int  # pixels, as it came
    condition: Condition  # as the network sees it


@dataclass(frozen=True)
class CatalogueScores:
    """What a suite showed of a catalogue: what a bundle is calibrated from."""

    each: Iterator[Scores]  # the detector's own scores, then each head's
    looks: tuple[Look, ...]  # of the images that have scores and are not external


def split_parts(digests: Iterable[Digest]) -> dict[Digest, Part]:
    """Halve the images of one source: the smaller digests calibrate, the larger ones test.

    A digest has nothing to do with what an image shows, so the halves are alike; they are the same on every machine, and
    one more image moves at most one other to the other side. Of an odd number, the test half gets one more.
    """
    ordered = sorted(set(digests))
    return {digest: "calibration" if i < len(ordered) // 2 else "test" for i, digest in enumerate(ordered)}


def by_source(rows: Iterable[Score], logits: Callable[[Sequence[Score]], Logits]) -> Sources:
    """The logits of rows, `detector_logits` or `head_logits`, by source: the negatives of a band."""
    sources: dict[tuple[Kind, str], list[Score]] = {}
    for row in rows:
        sources.setdefault((row.kind, row.source), []).append(row)
    return {source: logits(members) for source, members in sources.items()}


def detector_logits(rows: Sequence[Score]) -> Logits:
    """The detector's logits of rows, float32 (N,)."""
    return np.array([row.detector for row in rows], dtype=np.float32)


def head_logits(rows: Sequence[Score]) -> Logits:
    """The head's logits of rows, float32 (N,).

    Raises:
        ValueError: these are a primary's own scores.
    """
    if any(row.head is None for row in rows):
        raise ValueError("a primary's own scores hold no head logits")
    return np.array([row.head for row in rows], dtype=np.float32)
