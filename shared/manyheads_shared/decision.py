"""The decision: logits and calibration to a verdict. Pure, and the same in the client, the hub and the benchmarks.

The detector decides first. `real` and `attributed` need a confident detector; a head that says yes against a detector that
says real is reported as a contradiction, never as an attribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.calibration import Band


class State(StrEnum):
    """The six outcomes; each is an answer."""

    REAL = "real"
    ATTRIBUTED = "attributed"
    MULTIPLE = "multiple"
    UNATTRIBUTED = "unattributed"
    CONTRADICTORY = "contradictory"
    INCONCLUSIVE = "inconclusive"


class Answer(StrEnum):
    """One band's answer to one score."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verdict:
    """The decision for one image, with the answers it rests on and its meaning in words."""

    state: State
    claimed_by: tuple[int, ...]  # indices of the heads that said yes
    undecided: tuple[int, ...]  # indices of the heads between their thresholds
    detector: Answer  # is it generated?
    explanation: str


def answer(logit: float, band: Band) -> Answer:
    """Place one logit in a band: yes at or above `high`, no below `low`."""
    if logit >= band.high:
        return Answer.YES
    return Answer.NO if logit < band.low else Answer.UNDECIDED


def decide(logits: NDArray[np.float32], detector: Band, heads: Sequence[Band], names: Sequence[str]) -> Verdict:
    """Decide one image.

    Args:
        logits: float32 (1 + K,): the detector's, then each head's.
        detector: the detector's band.
        heads: K bands, in the order of the logits.
        names: K names for the explanation, such as `dcgan@1`.

    Raises:
        ValueError: the lengths disagree.
    """
    if not len(logits) - 1 == len(heads) == len(names):
        raise ValueError(f"{len(logits)} logits, {len(heads)} head bands and {len(names)} names do not belong together")
    generated = answer(float(logits[0]), detector)
    answers = [answer(float(logit), band) for logit, band in zip(logits[1:], heads, strict=True)]
    claimed = tuple(i for i, a in enumerate(answers) if a is Answer.YES)
    undecided = tuple(i for i, a in enumerate(answers) if a is Answer.UNDECIDED)
    state = _state(generated, len(claimed), len(undecided))
    return Verdict(state, claimed, undecided, generated, _explain(state, generated, claimed, undecided, names))


def _state(generated: Answer, claims: int, undecided: int) -> State:
    if generated is Answer.NO:
        return State.CONTRADICTORY if claims else State.REAL
    if generated is Answer.UNDECIDED:
        return State.INCONCLUSIVE
    if claims > 1:
        return State.MULTIPLE
    if claims == 1:
        return State.ATTRIBUTED
    return State.INCONCLUSIVE if undecided else State.UNATTRIBUTED


def _explain(
    state: State, generated: Answer, claimed: tuple[int, ...], undecided: tuple[int, ...], names: Sequence[str]
) -> str:
    claims = " and ".join(names[i] for i in claimed)
    doubtful = ", ".join(names[i] for i in undecided)
    match state:
        case State.REAL:
            return "The detector finds no sign of a generator, and no head claims the image."
        case State.ATTRIBUTED:
            return f"The detector finds the image generated, and {claims} alone claims it."
        case State.MULTIPLE:
            return f"The detector finds the image generated, and {claims} all claim it; the evidence does not separate them."
        case State.UNATTRIBUTED:
            return "The detector finds the image generated, and no catalogued generator claims it."
        case State.CONTRADICTORY:
            return f"The detector finds the image real, yet {claims} claims it. The detector has priority: not an attribution."
        case State.INCONCLUSIVE if generated is Answer.UNDECIDED:
            claim = f" {claims} would claim it." if claims else ""
            return f"The detector's score lies between its thresholds: neither real nor generated can be said.{claim}"
        case _:
            return f"The detector finds the image generated; {doubtful} lies between its thresholds, so no maker can be named."


def decide_as_published(logits: NDArray[np.float32]) -> int:
    """The paper's own rule: the head with the largest score at or above 0.5, else "real". The detector is not asked.

    Args:
        logits: float32 (1 + K,): the detector's, then each head's.

    Returns:
        0 for real, 1..K for a head (ties: the lowest). Source: the published code, multiclass evaluation.
    """
    heads = logits[1:]
    if heads.size == 0 or heads.max() < 0.0:  # sigmoid(0) = 0.5
        return 0
    return int(np.argmax(heads)) + 1
