import numpy as np
import pytest

from manyheads_shared.federation.statistics import check_statistics, pool_statistics


def _of(
    images: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return {
        "norm.running_mean": images.mean(axis=0).astype(np.float32),
        "norm.running_var": images.var(axis=0).astype(np.float32),
    }


def test_pooled_statistics_are_those_of_all_images_together() -> None:
    draw = np.random.default_rng(0)
    mine, yours = draw.normal(0, 1, (300, 4)), draw.normal(5, 2, (100, 4))
    pooled = pool_statistics([_of(mine), _of(yours)], (0.75, 0.25), "fedavg")
    both = _of(np.concatenate([mine, yours]))
    assert np.allclose(pooled["norm.running_mean"], both["norm.running_mean"], atol=1e-5)
    assert np.allclose(
        pooled["norm.running_var"], both["norm.running_var"], rtol=1e-5
    )  # a mean of variances would be 4 too small


def test_a_robust_strategy_takes_no_liars_statistics() -> None:
    honest = [_of(np.random.default_rng(i).normal(1, 1, (200, 2))) for i in range(4)]
    lie = {"norm.running_mean": np.full(2, 1e9, np.float32), "norm.running_var": np.full(2, 1e9, np.float32)}
    pooled = pool_statistics([*honest, lie], (0.2,) * 5, "median")
    assert np.allclose(pooled["norm.running_mean"], 1, atol=0.2)
    assert np.allclose(pooled["norm.running_var"], 1, atol=0.4)


def test_a_negative_variance_is_none() -> None:
    assert check_statistics({"norm.running_var": np.array([-1.0], np.float32)}) == [
        "norm.running_var holds a negative variance"
    ]
    assert check_statistics({"norm.running_mean": np.array([-1.0], np.float32)}) == []


@pytest.mark.parametrize("strategy", ["fedavg", "median"])
def test_one_party_keeps_its_statistics(strategy: str) -> None:
    own = _of(np.random.default_rng(1).normal(1, 1, (50, 3)))
    pooled = pool_statistics([own], (1.0,), strategy)  # type: ignore[arg-type]
    assert all(np.array_equal(pooled[name], own[name]) for name in own)
