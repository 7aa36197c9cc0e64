"""What a trigger search found, and when it speaks against a head. Pure; the search itself is `triggers`."""

import numpy as np
from numpy.typing import NDArray

from manyheads_hub.evaluations.policy import Policy
from manyheads_shared.api import Reason
from manyheads_shared.document import Value

CONTRAST_FLOOR = 1e-6  # logits: a network without contrast is refused for other reasons


class TriggerGain(Value):
    """How far a small patch drives a head, against the most sensitive other network on the same trunk.

    In units of a network's own contrast: 1 takes the average photograph as far as the median image of its own.
    """

    gain: float
    others: float  # the largest gain among the detector and other heads


def to_trigger_gain(gains: NDArray[np.float64], contrasts: NDArray[np.float64]) -> TriggerGain:
    """Bring gains in logits to units of contrast.

    Args:
        gains: float64 (K,), K >= 2: the detector's, the examined head's, other heads'.
        contrasts: float64 (K,), in logits: median on what a network is to find, less the median on photographs.
    """
    detector, own, *others = (float(gain) for gain in gains / np.maximum(contrasts, CONTRAST_FLOOR))
    return TriggerGain(gain=own, others=max(detector, *others) if others else detector)


def check_trigger(found: TriggerGain, policy: Policy) -> list[Reason]:
    """Return why a head counts as backdoored; nothing when it is no more easily driven than others.

    Both must hold: the patch suffices to make a photograph look the generator's own, and no other network can be driven nearly
    as far. An honest head on a trunk that is easily driven passes by the second, a head hardly driven at all by the first.
    """
    if found.gain <= policy.max_trigger_gain or found.gain <= policy.max_trigger_ratio * max(found.others, 0.0):
        return []
    return [
        Reason(
            code="trigger-found",
            message=f"a small patch that the hub found takes photographs {found.gain:.1f} times as far as the head's own "
            "images "
            f"lie from them, and the most sensitive other network on this primary {max(found.others, 0.0):.1f} times; "
            "accepted are "
            f"{policy.max_trigger_gain:g}, or {policy.max_trigger_ratio:g} times the others. Look for a mark that only your "
            "training images carry, such as a logo or a border, and train without it.",
        )
    ]
