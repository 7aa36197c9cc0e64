"""Many updates to one: weighted mean, median, trimmed mean, Krum, Multi-Krum, Bulyan, trust; Adam on the server. Pure numpy.

Rows are parties: float64 (n, d), the change each made to the d weights. Preconditions are `strategy.check_party_count`'s;
here they are asserted, never worked around.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.federation.strategy import StrategyName, parties_needed
from manyheads_shared.federation.weighting import trusted_influences

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Aggregate:
    """One change for all, and who is in it."""

    change: Vector  # (d,)
    influences: tuple[float, ...] | None  # of each row; None where every coordinate has its own


@dataclass(frozen=True)
class Trust:
    """Whose change the others are held against."""

    row: int
    cap: float  # on every other row's influence


def aggregate(
    changes: Matrix, strategy: StrategyName, *, shares: Sequence[float], faulty: int, trust: Trust | None = None
) -> Aggregate:
    """Aggregate by a strategy.

    Args:
        changes: float64 (n, d).
        shares: of each row, for the means (`weighting.influences`).
        faulty: rows that a robust strategy must withstand.
        trust: whom the strategy `trust` trusts; nothing to the others.
    """
    assert len(changes) >= parties_needed(strategy, faulty)
    count = len(changes)
    match strategy:
        case "fedavg" | "fedprox" | "fedadam":
            return Aggregate(weighted_mean(changes, shares), tuple(shares))
        case "median":
            return Aggregate(np.median(changes, axis=0), None)
        case "trimmed-mean":
            return Aggregate(trimmed_mean(changes, faulty), None)
        case "krum" | "multi-krum":
            chosen = krum_order(squared_distances(changes), faulty)[: 1 if strategy == "krum" else count - faulty - 2]
            return Aggregate(changes[chosen].mean(axis=0), tuple(1 / len(chosen) if i in chosen else 0.0 for i in range(count)))
        case "bulyan":
            return Aggregate(bulyan(changes, faulty), None)
        case "trust":
            assert trust is not None
            return trusting_mean(changes, trust)


def weighted_mean(changes: Matrix, shares: Sequence[float]) -> Vector:
    """The mean, each row by its share."""
    mean: Vector = np.asarray(shares, dtype=np.float64) @ changes
    return mean


def trimmed_mean(changes: Matrix, trim: int) -> Vector:
    """The mean of each coordinate without its `trim` largest and smallest values."""
    assert 0 < 2 * trim < len(changes)
    mean: Vector = np.sort(changes, axis=0)[trim : len(changes) - trim].mean(axis=0)
    return mean


def trusting_mean(changes: Matrix, trust: Trust) -> Aggregate:
    """FLTrust (Cao et al. 2021): the mean of the changes, all in the trusted one's length, by how far each goes its way.

    A row that goes against the trusted one, or square to it, counts for nothing, and none counts for more than that one.
    """
    norms = np.sqrt(np.einsum("nd,nd->n", changes, changes))
    shares = trusted_influences(cosine_trust(changes, norms, trust.row), trust.row, trust.cap)
    factors = np.asarray(shares) * norms[trust.row] / norms
    return Aggregate(factors @ changes, shares)


def cosine_trust(changes: Matrix, norms: Vector, trusted: int) -> tuple[float, ...]:
    """The cosine of each row with the trusted one, and 0 in place of a negative one."""
    cosines = changes @ changes[trusted] / (norms * norms[trusted])
    return tuple(1.0 if i == trusted else float(np.clip(cosine, 0, 1)) for i, cosine in enumerate(cosines))


def squared_distances(changes: Matrix) -> Matrix:
    """Squared distances between rows, (n, n); infinite to itself."""
    squares = np.einsum("nd,nd->n", changes, changes)
    distances: Matrix = np.maximum(squares[:, None] + squares[None, :] - 2 * changes @ changes.T, 0)
    np.fill_diagonal(distances, np.inf)
    return distances


def krum_order(distances: Matrix, faulty: int) -> list[int]:
    """Rows from the most to the least in line: by the sum of squared distances to their n - faulty - 2 nearest others."""
    neighbours = len(distances) - faulty - 2
    assert neighbours >= 1
    scores = np.sort(distances, axis=1)[:, :neighbours].sum(axis=1)
    return [int(i) for i in np.argsort(scores, kind="stable")]


def bulyan(changes: Matrix, faulty: int) -> Vector:
    """Choose n - 2 faulty rows by Krum, one after the other; of each coordinate average the values nearest to their median."""
    distances = squared_distances(changes)
    left, chosen = list(range(len(changes))), []
    for _ in range(len(changes) - 2 * faulty):
        # the last choices leave 2 faulty + 1 rows: fewer may be assumed faulty then, for Krum needs a neighbour to compare with
        among = distances[np.ix_(left, left)]
        best = left[krum_order(among, min(faulty, len(left) - 3))[0]]
        chosen.append(best)
        left.remove(best)
    rows = changes[sorted(chosen)]
    nearest = np.argsort(np.abs(rows - np.median(rows, axis=0)), axis=0, kind="stable")[: len(rows) - 2 * faulty]
    mean: Vector = np.take_along_axis(rows, nearest, axis=0).mean(axis=0)
    return mean


@dataclass(frozen=True)
class Moments:
    """What Adam on the server remembers of earlier rounds."""

    mean: Vector  # (d,)
    square: Vector  # (d,)


def adam_step(
    change: Vector, moments: Moments, *, learning_rate: float, betas: tuple[float, float], epsilon: float
) -> tuple[Vector, Moments]:
    """FedAdam (Reddi et al. 2021, algorithm 2): the step for all, and the moments for the next round."""
    mean = betas[0] * moments.mean + (1 - betas[0]) * change
    square = betas[1] * moments.square + (1 - betas[1]) * change**2
    return learning_rate * mean / (np.sqrt(square) + epsilon), Moments(mean, square)
