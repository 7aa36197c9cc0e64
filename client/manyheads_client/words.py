"""States, ratios and conditions in words, for terminal and report: never a bare probability, never an accusation.

The verbal scale is that of the ENFSI guideline for evaluative reporting (2015): an expression stands for a range of likelihood
ratios, and always beside the figure.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manyheads_shared.calibration import Calibration, Evidence, Sides
from manyheads_shared.condition import Stratum
from manyheads_shared.decision import State
from manyheads_shared.evidence import ItemExamined, Result
from manyheads_shared.passage import Way
from manyheads_shared.support import find_validated


@dataclass(frozen=True)
class Meaning:
    """What a state says, and what it does not say."""

    label: str  # a few words
    sign: str  # a shape, so that no state is told by colour alone
    style: str  # for the terminal
    means: str
    caution: str


MEANINGS: Mapping[State, Meaning] = {
    State.REAL: Meaning(
        "no sign of a generator",
        "○",
        "green",
        "The detector's score is below its lower threshold and no head claims the image.",
        "Generators unlike those the detector was trained on, and strong editing or recompression, can look like this too.",
    ),
    State.ATTRIBUTED: Meaning(
        "claimed by one generator's head",
        "●",
        "bold cyan",
        "The detector's score and exactly one head's score are at or above their upper thresholds.",
        "The scores are like those of that generator's images in the tests; a generator that is not covered may score alike.",
    ),
    State.MULTIPLE: Meaning(
        "claimed by several heads",
        "◆",
        "bold magenta",
        "The detector's score and the scores of several heads are at or above their upper thresholds.",
        "The evidence does not separate these generators. They are often versions or relatives of one another.",
    ),
    State.UNATTRIBUTED: Meaning(
        "generated, maker not covered",
        "▲",
        "bold yellow",
        "The detector's score is at or above its upper threshold and every head's score is below its lower one.",
        "Nothing is said about which other generator it is; heavy processing can also hide the traces of a covered one.",
    ),
    State.CONTRADICTORY: Meaning(
        "detector and heads disagree",
        "✕",
        "bold red",
        "The detector's score is below its lower threshold, yet a head's score is at or above its upper one.",
        "The detector has priority: this is not an attribution. Examine the image by other means.",
    ),
    State.INCONCLUSIVE: Meaning(
        "not enough evidence",
        "◌",
        "dim",
        "A score that matters lies between its thresholds, or the tests do not cover such an image.",
        "This is an answer, not an error: the tests do not support saying more about such an image.",
    ),
}

LIMITS = (
    "Results relate only to the files listed, as identified by their digests, and to this bundle.",
    (
        "Scores are logits compared with thresholds that were set on test images. They are not probabilities that an image "
        "was made by anything, and a result says nothing about who used a generator or why."
    ),
    (
        "A generator that is not covered cannot be named. Its images read as unattributed at best, and as showing no sign of "
        "a generator at worst. Examine again when the hub publishes a newer bundle."
    ),
    (
        "Recompression, resizing, cropping, filters and screenshots weaken or remove the traces that are measured. An image "
        "that was resized for the networks is marked."
    ),
    "A saliency picture shows where in the image a score comes from, not why.",
)


def decision_rule(calibration: Calibration) -> tuple[str, ...]:
    """The rule and the error rates its thresholds were set for, in sentences."""
    return (
        "A score at or above a network's upper threshold means yes, below its lower threshold no, between them undecided.",
        (
            f"The upper thresholds were set so that at most {_percent(calibration.detector_alpha)} of real test images are "
            f"called generated, and at most {_percent(calibration.heads_alpha)} of the test images of any other origin are "
            f"claimed by any head at all; the lower ones so that at most {_percent(calibration.miss_alpha)} of a network's own "
            "test images fall below."
        ),
        "The detector decides first: a head that says yes against a detector that says no is reported as a contradiction.",
        (
            "What the thresholds say is taken back, as inconclusive, where a network it rests on was not validated for the "
            "image's condition or size, or where it does not survive mild changes of the image."
        ),
    )


SCALE = (  # ENFSI 2015: a ratio below the first figure supports neither
    (2, "weak support"),
    (10, "moderate support"),
    (100, "moderately strong support"),
    (1_000, "strong support"),
    (10_000, "very strong support"),
    (1_000_000, "extremely strong support"),
)


def support_in_words(result: Result) -> str:
    """What an answer supports, by the end of its ratio's interval that lies nearer to 1: what the tests bear at the least."""
    if result.log10_ratio is None:
        return "for which nothing was measured"
    cautious = nearest_to_one(result)
    words = [expression for least, expression in SCALE if 10 ** abs(cautious) >= least]
    return f"{words[-1]} {'for' if cautious > 0 else 'against'}" if words else "supports neither side"


def nearest_to_one(result: Result) -> float:
    """The log10 of the end of the interval nearer to a ratio of 1; 0 where the interval holds it, or is not known."""
    if (result.log10_ratio or 0) > 0:
        return max(result.lower or 0.0, 0.0)
    return min(result.upper or 0.0, 0.0)


def ratio_in_words(result: Result) -> str:
    """A ratio with its 95 % interval, for people: `140 to 1 [37 to 1, 290 to 1]`."""
    if result.log10_ratio is None:
        return "not known"
    if result.lower is None and result.upper is None:
        return f"{_odds(result.log10_ratio)} [interval not known]"
    lower, upper = ("no bound" if end is None else _odds(end) for end in (result.lower, result.upper))
    return f"{_odds(result.log10_ratio)} [{lower}, {upper}]"


def _odds(log10_ratio: float) -> str:
    """A ratio as odds, two digits."""
    number = float(f"{10 ** abs(log10_ratio):.2g}")
    written = f"{number:,.1f}".removesuffix(".0") if number < 10 else f"{number:,.0f}"
    return f"{written} to 1" if log10_ratio >= 0 else f"1 to {written}"


def condition_in_words(strata: Sequence[Stratum]) -> str:
    """The degradations an image shows."""
    return ", ".join(map(_stratum_in_words, strata)) or "no sign of degradation"


def _stratum_in_words(stratum: Stratum) -> str:
    shown = f"{stratum.estimate:g}"
    match stratum.ladder:
        case "jpeg":
            words = f"JPEG quality {shown}"
        case "scale":
            words = f"scaled to {shown} of its sides and back"
        case "blur":
            words = f"blurred by {shown} pixels"
        case "noise":
            words = f"noise of {shown} grey levels"
        case _:
            words = f"{stratum.ladder} {shown}"
    return words if stratum.rung else f"{words}, beyond what was tested"


def size_in_words(item: ItemExamined, sides: Sides | None) -> str:
    """How large an image is beside those of the suite."""
    tested = _range(sides) if sides else "others"
    return f"{item.width}x{item.height} pixels, and those tested had {tested} on their shorter side"


def worth(name: str, evidence: Evidence) -> str:
    """What one network's scores are worth: how strong their support can be, and on what images that was measured."""
    reached = ", ".join(map(str, find_validated(evidence)))
    strongest = f"its scores support an answer at most {_odds(evidence.likelihood.cap)}"
    interval = evidence.likelihood.interval(math.inf)
    if interval is not None and interval.lower is not None:
        strongest += f", the highest at least {_odds(interval.lower)} at 95 %"
    return f"{name}: {strongest}; validated up to {reached or 'unchanged images alone'}"


def sizes_tested(sides: Sides) -> str:
    """What sizes of images every figure of a bundle rests on."""
    return f"Thresholds, ratios and reach rest on images whose shorter side has {_range(sides)} pixels."


def _range(sides: Sides) -> str:
    return f"{sides.shortest}" if sides.shortest == sides.longest else f"{sides.shortest} to {sides.longest}"


def way_in_words(way: Way) -> str:
    """Through what a head of an earlier primary is run."""
    return {
        "straight": "on the features of the bundle's primary, as its hub measured and allows",
        "beside": "on the features of its own primary, which the bundle brings along",
    }[way]


def printable(text: str) -> str:
    """Make a file's name safe to show: what would steer a terminal or turn the direction of writing is spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def signed(logit: float) -> str:
    """A logit for people, always with its sign; two decimals, or one digit of what is smaller than that."""
    return f"{logit:+.2f}" if abs(logit) >= 0.005 or logit == 0 else f"{logit:+.0e}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
