"""The statistics of batch norm of many parties to those of all their images. Pure.

They are measured under the last weights, not trained (decision 0024). The mean of all images is the mean of the parties'
means; the variance of all is the mean of the variances and the variance of the means, which a plain average leaves out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.artifact import Tensors
from manyheads_shared.federation.strategy import ROBUST, TRUSTING, StrategyName
from manyheads_shared.federation.tensors import MEAN, VARIANCE


def pool_statistics(
    parties: Sequence[Tensors], shares: Sequence[float], strategy: StrategyName
) -> dict[str, NDArray[np.float32]]:
    """Statistics over all parties' images.

    Args:
        parties: running means and variances of each, under their declared names.
        shares: of each party.
        strategy: with a robust one, or trust, medians take the place of means: a liar moves them no further than its rank.
    """
    pooled: dict[str, NDArray[np.float32]] = {}
    for name in (name for name in parties[0] if name.endswith(MEAN)):
        spread_name = name.removesuffix(MEAN) + VARIANCE
        means = np.stack([party[name].astype(np.float64) for party in parties])
        variances = np.stack([party[spread_name].astype(np.float64) for party in parties])
        middle = _middle(means, shares, strategy)
        pooled[name] = middle.astype(np.float32)
        pooled[spread_name] = _middle(variances + (means - middle) ** 2, shares, strategy).astype(np.float32)
    return pooled


def check_statistics(statistics: Mapping[str, NDArray[np.float32]]) -> list[str]:
    """Why these cannot be means and variances; nothing when they can."""
    return [
        f"{name} holds a negative variance"
        for name, values in statistics.items()
        if name.endswith(VARIANCE) and bool((values < 0).any())
    ]


def _middle(rows: NDArray[np.float64], shares: Sequence[float], strategy: StrategyName) -> NDArray[np.float64]:
    if strategy in ROBUST + TRUSTING:
        return np.median(rows, axis=0)
    middle: NDArray[np.float64] = np.asarray(shares, dtype=np.float64) @ rows
    return middle
