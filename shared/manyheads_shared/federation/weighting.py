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
    raw = [1.0 if weighting == "equal" else float(count) for count in examples]
    capped: set[int] = set()
    while True:
        free = [i for i in range(len(raw)) if i not in capped]
        rest, total = 1 - cap * len(capped), sum(raw[i] for i in free)
        shares = [cap if i in capped else rest * raw[i] / total for i in range(len(raw))]
        if not (over := {i for i in free if shares[i] > cap + 1e-12}):
            return tuple(shares)
        capped |= over
