"""What an answer is worth for one image: a likelihood ratio under the image's own condition, and whether it was validated.

An image without a sign of degradation is like those the curve was fitted on, and its score is read on the curve. A degraded
one is not: the hub measured there how often the network says yes, not how scores are distributed, so the ratio is that of the
answer. Of several ratios the one nearest to 1 counts; several degradations at once were never measured. Pure.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from manyheads_shared.calibration import Evidence, Reach
from manyheads_shared.condition import Stratum
from manyheads_shared.decision import Answer
from manyheads_shared.rungs import LADDERS, Ladder, Rung
from manyheads_shared.statements import Bound

_OF_ONE_KIND: dict[Ladder, Ladder] = {"scale": "blur"}  # one softness, read in two ways


@dataclass(frozen=True)
class Ratio:
    """A log10 likelihood ratio and its interval at 95 %; None: that end is not known, or without bound."""

    value: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Support:
    """What one answer is worth."""

    ratio: Ratio | None  # None: nothing was measured that bears one
    valid: bool  # the network's figures hold under this condition
    reach: Reach | None  # what the network did under it in the tests; None: the image shows no degradation


def weigh(logit: float, answer: Answer, evidence: Evidence | None, strata: Sequence[Stratum]) -> Support:
    """Weigh one network's answer to an image.

    Args:
        evidence: of the network; None where the bundle's calibration holds none.
        strata: of the image; empty: it shows no degradation.
    """
    valid = is_within(find_validated(evidence), strata)
    if evidence is None:
        return Support(None, valid, reach=None)
    if not strata:
        lower, upper = evidence.likelihood.interval(logit) or (None, None)
        return Support(Ratio(evidence.likelihood.of(logit), lower, upper), valid, reach=None)
    measured = [(reach, ratio_of_answer(answer, reach)) for stratum in strata if (reach := _find(evidence.reach, stratum))]
    ratios = [(reach, ratio) for reach, ratio in measured if ratio]
    if len(ratios) < len(strata):  # beyond a ladder's end nothing is known, and so nothing is known of the whole
        return Support(None, valid, measured[0][0] if measured else None)
    reach, ratio = min(ratios, key=lambda pair: abs(pair[1].value))
    return Support(ratio, valid, reach)


def find_validated(evidence: Evidence | None) -> tuple[Rung, ...]:
    """The strongest rung of each ladder up to which every rung is valid."""
    strongest = {rung.ladder: rung for rung in _covered(evidence)} if evidence else {}
    return tuple(strongest.values())


def is_within(validated: Iterable[Rung], strata: Sequence[Stratum]) -> bool:
    """Whether an image shows no degradation, or one kind alone on rungs up to those validated (evidence.md, E2)."""
    strongest = {rung.ladder: _rank(rung) for rung in validated}
    kinds = {_OF_ONE_KIND.get(stratum.ladder, stratum.ladder) for stratum in strata}
    return len(kinds) <= 1 and all(
        stratum.rung is not None and 0 <= _rank(stratum.rung) <= strongest.get(stratum.ladder, -1) for stratum in strata
    )


def ratio_of_answer(answer: Answer, reach: Reach) -> Ratio | None:
    """The ratio of an answer on one rung, against the origin that weakens it most; None: too little was measured.

    Whatever is not a yes is one outcome here: on degraded images nothing tells a no from an undecided.
    """
    origins = [bound for bound in (reach.real, reach.worst.yes if reach.worst else None) if bound]
    if reach.recall is None or not origins:
        return None
    compare = _compare_yes if answer is Answer.YES else _compare_others
    return min((compare(reach.recall, origin) for origin in origins), key=lambda ratio: abs(ratio.value))


def _covered(evidence: Evidence) -> list[Rung]:
    """Every rung that was measured to be valid before one of its ladder that was not; mildest first."""
    found: list[Rung] = []
    for ladder, strengths in LADDERS.items():
        valid = {reach.strength: reach.valid for reach in evidence.reach if reach.ladder == ladder}
        measured = (strength for strength in strengths if strength in valid)
        found += [Rung(ladder, strength) for strength in takewhile(valid.__getitem__, measured)]
    return found


def _rank(rung: Rung) -> int:
    """How far up its ladder a rung stands, from 0; -1: it is none of it."""
    strengths = LADDERS[rung.ladder]
    return strengths.index(rung.strength) if rung.strength in strengths else -1


def _find(reaches: Iterable[Reach], stratum: Stratum) -> Reach | None:
    """The figures of a stratum's rung; beyond the last one there are none."""
    rung = stratum.rung
    return next((reach for reach in reaches if rung and (reach.ladder, reach.strength) == (rung.ladder, rung.strength)), None)


def _compare_yes(own: Bound, other: Bound) -> Ratio:
    """Counted as a curve is fitted (docs/formats/calibration.md, C5): one image more on either side, each against the ratio."""
    value = max(own.hits, 1) / (own.total + 1) / ((other.hits + 1) / (other.total + 1))
    return Ratio(math.log10(value), _log10(own.lower, other.upper), _log10(own.upper, other.lower))


def _compare_others(own: Bound, other: Bound) -> Ratio:
    missed, passed = own.total - own.hits, other.total - other.hits
    value = (missed + 1) / (own.total + 1) / (max(passed, 1) / (other.total + 1))
    return Ratio(math.log10(value), _log10(1 - own.upper, 1 - other.lower), _log10(1 - own.lower, 1 - other.upper))


def _log10(numerator: float, denominator: float) -> float | None:
    """None: the ratio has no bound on this side."""
    return math.log10(numerator / denominator) if numerator > 0 and denominator > 0 else None
