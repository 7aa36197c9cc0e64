"""How much each party counts: a stated policy with a cap, not the party's word. Pure."""

from collections.abc import Sequence
from typing import Literal


def influences(examples: Sequence[int], weighting: Literal["equal", "examples"], cap: float) -> tuple[float, ...]:
    """Shares of the aggregate, one for each party; they add up to 1 and none is above `cap`.

    What the cap takes from the large is spread over the others, in proportion to their own shares, until none is above it.

    Args:
        examples: claimed by each party, already checked against what it may claim.
        weighting: `equal`, or by `examples`.
        cap: in (0, 1].

    Raises:
        ValueError: no party, or too few for the cap.
    """
    if not examples or cap * len(examples) < 1 - 1e-9:
        raise ValueError(f"{len(examples)} parties of at most {cap:g} each are no whole; raise influence_cap or the quorum")
    return _capped([1.0 if weighting == "equal" else float(count) for count in examples], [cap] * len(examples))


def trusted_influences(trust: Sequence[float], trusted: int, cap: float) -> tuple[float, ...]:
    """Shares in proportion to trust; they add up to 1. None is above `cap` but the trusted party's, which takes what is left.

    Args:
        trust: in each party, 0 to 1; in the trusted one 1.
        trusted: which one that is.
        cap: in (0, 1].
    """
    return _capped(trust, [1.0 if i == trusted else cap for i in range(len(trust))])


def _capped(raw: Sequence[float], caps: Sequence[float]) -> tuple[float, ...]:
    capped: set[int] = set()
    while True:
        free = [i for i in range(len(raw)) if i not in capped]
        rest, total = 1 - sum(caps[i] for i in capped), sum(raw[i] for i in free)
        shares = [caps[i] if i in capped else rest * raw[i] / total for i in range(len(raw))]
        if not (over := {i for i in free if shares[i] > caps[i] + 1e-12}):
            return tuple(shares)
        capped |= over
