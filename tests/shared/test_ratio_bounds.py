import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from manyheads_shared.dataset import Kind
from manyheads_shared.likelihood import Interval, Logits, fit_likelihood
from manyheads_shared.ratio_bounds import BoundedRatio, bound_ratio

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
TrueRatio = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def normal(mean: float) -> Draw:
    return lambda draw, count: draw.normal(mean, 1, count)


def fit(negatives: Mapping[Kind, NDArray[np.floating]], positives: NDArray[np.floating]) -> BoundedRatio:
    sides: dict[Kind, Logits] = {kind: scores.astype(np.float32) for kind, scores in negatives.items()}
    yes = positives.astype(np.float32)
    return bound_ratio(fit_likelihood(sides, yes), sides, yes)


def holds(curve: BoundedRatio, scores: NDArray[np.float64], log10_ratios: NDArray[np.float64]) -> float:
    """The share of scores whose interval holds the true ratio."""
    intervals = [curve.interval(score) for score in scores]
    return float(
        np.mean(
            [
                (lower is None or lower <= ratio) and (upper is None or ratio <= upper)
                for (lower, upper), ratio in zip(intervals, log10_ratios, strict=True)
            ]
        )
    )


KNOWN: dict[str, tuple[Draw, Draw, TrueRatio]] = {  # scores of the answer no, of the answer yes, log10 of their ratio
    "alike": (normal(0), normal(1), lambda s: (s - 0.5) / math.log(10)),
    "a usual head": (normal(0), normal(4), lambda s: (4 * s - 8) / math.log(10)),
    "long tails, where the ratio is level": (
        lambda draw, count: draw.laplace(0, 1, count),
        lambda draw, count: draw.laplace(3, 1, count),
        lambda s: (np.abs(s) - np.abs(s - 3)) / math.log(10),
    ),
    "skew": (
        lambda draw, count: draw.exponential(1, count),
        lambda draw, count: draw.exponential(5, count),
        lambda s: (0.8 * s - math.log(5)) / math.log(10),
    ),
}


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize(("negatives", "positives"), [(50, 30), (200, 50), (1000, 250)])
def test_an_interval_holds_the_true_ratio_at_nineteen_of_twenty_scores(known: str, negatives: int, positives: int) -> None:
    draw, (no, yes, ratio) = np.random.default_rng([negatives, positives]), KNOWN[known]
    held: list[list[float]] = []
    for _ in range(60):
        curve = fit({"real": no(draw, negatives)}, yes(draw, positives))
        held.append([holds(curve, scores, ratio(scores)) for scores in (no(draw, 100), yes(draw, 100))])
    assert min(np.mean(held, axis=0)) >= 0.95  # whichever the answer


def test_it_holds_it_with_two_origins_whose_ratios_are_the_same() -> None:
    draw, (no, yes, ratio) = np.random.default_rng(2), KNOWN["a usual head"]
    held = []
    for _ in range(60):
        curve = fit({"real": no(draw, 400), "generated": no(draw, 200)}, yes(draw, 100))
        scores = yes(draw, 100)
        held.append(holds(curve, scores, ratio(scores)))
    assert np.mean(held) >= 0.95


def test_it_is_not_bought_by_saying_nothing() -> None:
    draw = np.random.default_rng(3)
    curve = fit({"real": draw.normal(0, 1, 2000)}, draw.normal(2, 1, 2000))
    lower, upper = curve.interval(2.0)  # the true ratio is 7 to 1
    assert lower is not None
    assert upper is not None
    assert lower < curve.of(2.0) < upper
    assert upper - lower < 1


def test_what_separates_wholly_has_no_bound_on_its_far_sides() -> None:
    curve = fit({"real": np.linspace(-3, -2, 1000)}, np.linspace(2, 3, 200))
    lower, upper = curve.interval(3.0)
    assert lower == pytest.approx(math.log10(1000 / 5.5), abs=0.02)  # 5.5: none of 1,000 above, at a sixth of 2.5 %
    assert (upper, curve.interval(-3.0).lower) == (None, None)
    weakest = curve.interval(2.0).lower  # no yes lies below: nothing is known of the lowest one
    assert weakest is None


def test_the_least_of_the_yes_are_worth_less_than_the_most_of_them() -> None:
    curve = fit({"real": np.linspace(-3, 0, 1000)}, np.linspace(1, 3, 200))
    assert curve.of(1.01) == pytest.approx(curve.of(3.0), abs=0.1)  # one pool
    near, far = curve.interval(1.5).lower, curve.interval(3.0).lower
    assert near is not None
    assert far is not None
    assert near < far - 0.5


def test_the_interval_of_two_origins_is_that_of_the_smaller_ratio() -> None:
    draw = np.random.default_rng(5)
    tame, close, own = draw.normal(-20, 1, 500), draw.normal(0, 1, 100), draw.normal(2, 1, 100)
    both, alone = fit({"real": tame, "generated": close}, own), fit({"generated": close}, own)
    assert both.interval(2.0).lower == pytest.approx(alone.interval(2.0).lower, abs=0.2)


def test_scores_that_are_all_the_same_bound_nothing() -> None:
    curve = fit({"real": np.zeros(50)}, np.zeros(50))
    assert curve.interval(0.0) == Interval(None, None)


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=40), st.lists(st.integers(-20, 20), min_size=1, max_size=40))
def test_an_interval_encloses_the_ratio_and_never_falls(no: list[int], yes: list[int]) -> None:
    curve = fit({"real": np.array(no, dtype=np.float32)}, np.array(yes, dtype=np.float32))
    scores = np.linspace(-25, 25, 101)
    lower = [-math.inf if end is None else end for end in (curve.interval(score).lower for score in scores)]
    upper = [math.inf if end is None else end for end in (curve.interval(score).upper for score in scores)]
    assert lower == sorted(lower)
    assert upper == sorted(upper)
    assert all(low <= curve.of(score) <= high for low, score, high in zip(lower, scores, upper, strict=True))


def test_a_ratio_without_bounds_says_so() -> None:
    assert fit_likelihood({"real": np.zeros(3, np.float32)}, np.ones(3, np.float32)).interval(0.5) is None


@pytest.mark.parametrize(
    "change",
    [
        {"places": (1.0, 0.0)},
        {"places": (0.0,)},
        {"lower": (0.0, None)},
        {"upper": (None, 1.0)},
        {"lower": (0.5, 1.0)},
        {"upper": (0.0, 0.5)},
        {"lower": (-math.inf, 0.0)},
    ],
)
def test_an_interval_that_is_none_is_refused(change: dict[str, object]) -> None:
    curve = {"logits": (0.0, 1.0), "log10_ratios": (0.0, 1.0), "cap": 1.0, "floor": -1.0, "positives": 9, "negatives": 9}
    curve |= {"cost": None, "places": (0.0, 1.0), "lower": (None, 0.5), "upper": (0.5, None)}
    BoundedRatio.model_validate(curve)
    with pytest.raises(ValueError, match=r"expected|finite"):
        BoundedRatio.model_validate(curve | change)
