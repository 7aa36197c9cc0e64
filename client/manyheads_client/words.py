"""The six states in words, for terminal and report: scores against thresholds, never a probability, never an accusation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from manyheads_shared.calibration import Calibration, Evidence, Sides
from manyheads_shared.decision import State


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
        "A score that matters lies between its thresholds.",
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
    )


def worth(name: str, evidence: Evidence) -> str:
    """What one network's scores are worth: how strong their support can be, and on what images that was measured."""
    reached: dict[str, str] = {}
    failed: set[str] = set()
    for step in evidence.reach:  # mildest first: the last rung before the first that fails
        if step.ladder not in failed and step.valid:
            reached[step.ladder] = f"{step.ladder} {step.strength:g}"
        elif not step.valid:
            failed.add(step.ladder)
    strongest = f"its scores support an answer at most {_odds(evidence.likelihood.cap)}"
    interval = evidence.likelihood.interval(math.inf)
    if interval is not None and interval.lower is not None:
        strongest += f", the highest at least {_odds(interval.lower)} at 95 %"
    return f"{name}: {strongest}; validated up to {', '.join(reached.values()) or 'unchanged images alone'}"


def sizes_tested(sides: Sides) -> str:
    """What sizes of images every figure of a bundle rests on."""
    sizes = f"{sides.shortest}" if sides.shortest == sides.longest else f"{sides.shortest} to {sides.longest}"
    return f"Thresholds, ratios and reach rest on images whose shorter side has {sizes} pixels."


def printable(text: str) -> str:
    """Make a file's name safe to show: what would steer a terminal or turn the direction of writing is spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def signed(logit: float) -> str:
    """A logit for people, always with its sign; two decimals, or one digit of what is smaller than that."""
    return f"{logit:+.2f}" if abs(logit) >= 0.005 or logit == 0 else f"{logit:+.0e}"


def _odds(log10_ratio: float) -> str:
    ratio = 10**log10_ratio
    return f"{ratio:.0f} to 1" if ratio >= 10 else f"{ratio:.2g} to 1"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
