import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from manyheads_shared.likelihood import MAX_KNOTS, LikelihoodRatio, fit_likelihood, likelihood_cost


def normal(mean: float, count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng([seed, count]).normal(mean, 1, count).astype(np.float32)


def test_what_separates_wholly_says_no_more_than_its_images_can_bear() -> None:
    curve = fit_likelihood({"real": normal(-20, 99)}, normal(20, 49))
    assert curve.cap == pytest.approx(2)  # 99 photographs: 1 in 100
    assert curve.of(1000.0) == pytest.approx(math.log10(100), abs=0.02)
    assert curve.of(-1000.0) == pytest.approx(-math.log10(50), abs=0.02)
    assert curve.of(0.0) == pytest.approx(0, abs=0.2)  # where no image lies, the middle of both


def test_known_distributions_give_the_known_ratio() -> None:
    curve = fit_likelihood({"real": normal(-1, 20_000)}, normal(1, 20_000, seed=1))
    for score in (-1.0, 0.0, 1.0):  # the ratio of two such normals is exp(2 s)
        assert curve.of(score) == pytest.approx(2 * score / math.log(10), abs=0.15)


def test_the_smaller_of_both_origins_counts() -> None:
    tame, close = normal(-20, 500), normal(0, 100, seed=2)
    curve = fit_likelihood({"real": tame, "generated": close}, normal(2, 100, seed=3))
    alone = fit_likelihood({"generated": close}, normal(2, 100, seed=3))
    assert curve.of(2.0) == pytest.approx(alone.of(2.0), abs=1e-4)
    assert curve.negatives == 100


def test_scores_that_say_nothing_have_a_ratio_near_one_and_cost_a_bit() -> None:
    curve = fit_likelihood({"real": normal(0, 500)}, normal(0, 500, seed=5))
    assert abs(curve.of(0.0)) < 0.15
    cost = likelihood_cost(curve, {"real": normal(0, 500, seed=6)}, normal(0, 500, seed=7))
    assert cost is not None
    assert 0.9 < cost < 1.15


def test_a_good_head_costs_little_on_images_it_was_not_fitted_on() -> None:
    curve = fit_likelihood({"real": normal(-3, 200)}, normal(3, 100))
    cost = likelihood_cost(curve, {"real": normal(-3, 200, seed=8)}, normal(3, 100, seed=9))
    assert cost is not None
    assert cost < 0.1


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=40), st.lists(st.integers(-20, 20), min_size=1, max_size=40))
def test_a_curve_never_falls_and_stays_between_floor_and_cap(no: list[int], yes: list[int]) -> None:
    curve = fit_likelihood({"real": np.array(no, dtype=np.float32)}, np.array(yes, dtype=np.float32))
    values = [curve.of(score) for score in np.linspace(-25, 25, 101)]
    assert values == sorted(values)
    assert curve.floor <= values[0] <= values[-1] <= curve.cap
    assert len(curve.logits) <= MAX_KNOTS


def test_an_empty_side_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one negative"):
        fit_likelihood({"real": np.array([], dtype=np.float32)}, normal(0, 3))


@pytest.mark.parametrize(
    "change", [{"logits": (1.0, 0.0)}, {"log10_ratios": (1.0, 0.0)}, {"logits": (0.0,)}, {"cap": 0.5}, {"cost": math.nan}]
)
def test_a_curve_that_is_none_is_refused(change: dict[str, object]) -> None:
    curve = {"logits": (0.0, 1.0), "log10_ratios": (0.0, 1.0), "cap": 1.0, "floor": -1.0, "positives": 9, "negatives": 9}
    LikelihoodRatio.model_validate(curve | {"cost": None})
    with pytest.raises(ValueError, match=r"expected|finite"):
        LikelihoodRatio.model_validate(curve | {"cost": None} | change)
