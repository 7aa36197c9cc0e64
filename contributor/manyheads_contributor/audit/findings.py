"""Findings: what the audit says, how bad it is, and from which figures on. Pure; every threshold stands here."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from manyheads_contributor.audit.cues import Family
from manyheads_contributor.audit.separation import Separation


class Level(IntEnum):
    """How bad a finding is."""

    FINE = 0
    NOTABLE = 1  # read results with it in mind
    BLATANT = 2  # results on these images mean nothing until it is mended

    @property
    def word(self) -> str:
        """The level in small letters."""
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """One check's result."""

    check: str  # "file format", "copies across classes" …
    question: str  # which groups were compared: "real or generated", "began or the rest" …
    level: Level
    figure: float | None  # what was judged; its meaning is the check's
    separation: Separation | None  # of a cue
    seen: str  # what is there, in words
    advice: str  # what to do; empty when fine

    @property
    def document(self) -> dict[str, object]:
        """The finding as JSON values."""
        return {
            "check": self.check,
            "question": self.question,
            "level": self.level.word,
            "figure": self.figure,
            "lower": self.separation.lower if self.separation else None,
            "auroc": self.separation.auroc if self.separation else None,
            "seen": self.seen,
            "advice": self.advice,
        }


# Lower bound of the balanced accuracy from which on a cue is notable, blatant. A file's format is nobody's fingerprint, so a
# rule that gets three of four right is too much; a trace can be a generator's own, so only near certainty is blatant; a
# pattern is one as often as not, and content may differ honestly: they never fail an audit.
CUE_LIMITS: dict[Family, tuple[float, float | None]] = {
    "file": (0.60, 0.75),
    "trace": (0.65, 0.90),
    "pattern": (0.65, None),
    "content": (0.75, None),
}
COPIES_WITHIN = 0.05  # of a source's images in groups of near-duplicates: notable
COPIES_ACROSS = 0.01  # of the smaller group, across classes or into external: blatant; a single one is notable
COPIES_GENERATORS = 0.05  # of the smaller generator, across two generators: blatant; a single one is notable
IMBALANCE = 3.0  # ratio of the largest to the smallest class: notable
FEW_IMAGES = 200  # in a source: notable, its figures will have wide intervals
UNDECODABLE = 0.05  # of a source: blatant, since what is missing is seldom random; a single one is notable


def judge_cue(family: Family, separation: Separation) -> Level:
    """Judge how well one cue alone separates two groups."""
    notable, blatant = CUE_LIMITS[family]
    if blatant is not None and separation.lower >= blatant:
        return Level.BLATANT
    return Level.NOTABLE if separation.lower >= notable else Level.FINE


def judge_count(count: int, total: int, blatant: float) -> Level:
    """Judge something that should not be there at all, and not beyond a share of `total`."""
    if count == 0:
        return Level.FINE
    return Level.BLATANT if count >= blatant * total else Level.NOTABLE


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level; fine when there is none."""
    return max((finding.level for finding in findings), default=Level.FINE)
