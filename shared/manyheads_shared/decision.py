"""The decision: logits and calibration to a verdict. Pure, and the same in the client, the hub and the benchmarks.

The detector decides first. `real` and `attributed` need a confident detector; a head that says yes against a detector that
says real is reported as a contradiction, never as an attribution. What the tests do not support for the image's condition is
taken back afterwards (`qualify`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.calibration import Band

_MAX_NAMES = 5  # in a sentence


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
    heads: int  # that were asked
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
    return Verdict(state, claimed, undecided, generated, len(heads), _explain(state, generated, claimed, undecided, names))


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


@dataclass(frozen=True)
class Circumstances:
    """What holds for one image beside its scores."""

    detector_valid: bool  # the detector was validated for the image's condition
    heads_valid: Sequence[bool]  # each head was
    stable: bool | None  # the verdict survives mild changes of the image; None: not tested
    condition: str  # the condition in words, such as `JPEG quality 42`


def qualify(verdict: Verdict, circumstances: Circumstances, names: Sequence[str]) -> tuple[Verdict, tuple[str, ...]]:
    """Take back what the tests do not support, and say why.

    A verdict rests on some of the answers: `real` on the detector's; `attributed` and `multiple` on those of the heads that
    claim as well; `unattributed` on all. Where one of these networks was not validated for the image's condition, or the
    verdict does not survive mild changes, it becomes `inconclusive`. A contradiction accuses nobody and stays as long as the
    detector's answer holds.

    Returns:
        The verdict, and the doubts in sentences; the verdict as it was where there are none.
    """
    if verdict.state is State.INCONCLUSIVE:
        return verdict, ()
    relied = [i for i in _relied_on(verdict) if not circumstances.heads_valid[i]]
    doubts: list[str] = []
    if not circumstances.detector_valid:
        doubts.append(f"The detector was not validated for such images ({circumstances.condition}).")
    elif relied:
        which = _listed([names[i] for i in relied])
        doubts.append(f"The tests do not cover {which} on such images ({circumstances.condition}).")
    if circumstances.stable is False:
        doubts.append("The verdict does not survive mild changes of the image.")
    if not doubts:
        return verdict, ()
    words = f"By the scores alone the image would be {verdict.state.value}. {' '.join(doubts)} So nothing can be said."
    return replace(verdict, state=State.INCONCLUSIVE, explanation=words), tuple(doubts)


def _relied_on(verdict: Verdict) -> Sequence[int]:
    """Indices of the heads whose answers a verdict rests on."""
    if verdict.state in (State.ATTRIBUTED, State.MULTIPLE):
        return verdict.claimed_by
    return range(verdict.heads) if verdict.state is State.UNATTRIBUTED else ()


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MAX_NAMES])
    return shown if len(names) <= _MAX_NAMES else f"{shown} and {len(names) - _MAX_NAMES} more"


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
