import numpy as np
import pytest

from manyheads_shared.federation.aggregation import Moments, adam_step, aggregate, bulyan, krum_order, squared_distances
from manyheads_shared.federation.strategy import ROBUST, StrategyName, check_party_count, parties_needed

HONEST = np.ones(6)


def _changes(honest: int, *others: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """`honest` rows near 1 and a row far off for each of the others."""
    noise = np.random.default_rng(0).normal(scale=0.01, size=(honest, 6))
    return np.concatenate([HONEST + noise, *(np.full((1, 6), value) for value in others)])


@pytest.mark.parametrize("attack", [1e6, -1.0, -50.0])
@pytest.mark.parametrize(
    ("strategy", "honest", "faulty"),
    [("median", 5, 3), ("trimmed-mean", 5, 3), ("krum", 7, 3), ("multi-krum", 7, 3), ("bulyan", 9, 2)],
)
def test_a_robust_strategy_stays_with_the_honest(strategy: StrategyName, honest: int, faulty: int, attack: float) -> None:
    made = aggregate(_changes(honest, *[attack] * faulty), strategy, shares=(), faulty=faulty)
    assert np.allclose(made.change, HONEST, atol=0.03)


def test_a_plain_mean_does_not() -> None:
    made = aggregate(_changes(4, 1e6), "fedavg", shares=(0.2,) * 5, faulty=0)
    assert made.change[0] > 1e5


def test_a_mean_takes_every_row_by_its_share() -> None:
    made = aggregate(np.array([[1.0], [5.0]]), "fedavg", shares=(0.75, 0.25), faulty=0)
    assert made.change.tolist() == [2.0]
    assert made.influences == (0.75, 0.25)


def test_krum_takes_one_row_as_it_is_and_multi_krum_the_mean_of_several() -> None:
    changes = _changes(8, 9.0, 9.0)
    one, several = (aggregate(changes, name, shares=(), faulty=2) for name in ("krum", "multi-krum"))
    assert any(np.array_equal(one.change, row) for row in changes[:8])
    assert set(one.influences or ()) == {0, 1}
    assert (several.influences or ())[-2:] == (0, 0)


def test_krum_orders_by_the_distances_to_the_nearest() -> None:
    distances = squared_distances(np.array([[0.0], [1.0], [2.5], [3.5], [100.0]]))
    assert distances[0, 1:].tolist() == [1, 6.25, 12.25, 10_000]
    assert krum_order(distances, faulty=1) == [1, 2, 0, 3, 4]  # two neighbours: 3.25, 3.25, 7.25, 7.25, 18_817.5


def test_bulyan_averages_what_is_nearest_to_the_median() -> None:
    assert np.allclose(bulyan(np.array([[1.0], [1.0], [1.0], [1.0], [1.2], [0.8], [50.0]]), 1), 1.0)


@pytest.mark.parametrize(
    ("strategy", "faulty", "needed"),
    [("median", 2, 5), ("trimmed-mean", 1, 3), ("krum", 2, 7), ("multi-krum", 3, 9), ("bulyan", 1, 7), ("fedavg", 0, 1)],
)
def test_a_strategy_says_how_many_updates_it_needs(strategy: StrategyName, faulty: int, needed: int) -> None:
    assert parties_needed(strategy, faulty) == needed
    check_party_count(strategy, needed, faulty)


@pytest.mark.parametrize("strategy", ROBUST)
def test_a_strategy_that_would_be_robust_in_name_only_is_refused(strategy: StrategyName) -> None:
    with pytest.raises(ValueError, match="withstands none"):
        check_party_count(strategy, 10, 0)
    with pytest.raises(ValueError, match="needs"):
        check_party_count(strategy, parties_needed(strategy, 2) - 1, 2)


def test_a_mean_promises_nothing_against_faulty_parties() -> None:
    with pytest.raises(ValueError, match="a robust strategy"):
        check_party_count("fedavg", 10, 1)


def test_the_server_adam_is_the_published_one() -> None:
    change, start = np.array([2.0, -2.0]), Moments(np.zeros(2), np.zeros(2))
    step, moments = adam_step(change, start, learning_rate=0.1, betas=(0.9, 0.99), epsilon=1e-3)
    assert np.allclose(step, 0.1 * 0.1 * change / (np.sqrt(0.01 * 4) + 1e-3))
    assert np.allclose(moments.mean, 0.1 * change)
