import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from manyheads_shared.metrics import (
    Area,
    BinaryMetrics,
    auroc,
    auroc_interval,
    auroc_loss,
    binary_metrics,
    clopper_pearson,
    contradictions,
    wilson,
)

counts = st.integers(1, 500).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(counts)
def test_wilson_is_that_of_scipy(pair: tuple[int, int]) -> None:
    share, reference = wilson(*pair), stats.binomtest(*pair).proportion_ci(method="wilson")

    assert share is not None
    assert (share.lower, share.upper) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert 0 <= share.lower <= share.value <= share.upper <= 1


@given(counts)
def test_clopper_pearson_is_that_of_scipy_and_wider_than_wilson_at_the_ends(pair: tuple[int, int]) -> None:
    share, reference = clopper_pearson(*pair), stats.binomtest(*pair).proportion_ci(method="exact")

    assert share is not None
    assert (share.lower, share.upper) == pytest.approx((reference.low, reference.high), abs=1e-9)
    assert share.lower <= share.value <= share.upper


def test_no_false_positive_in_three_hundred_bounds_at_about_one_percent() -> None:
    share = clopper_pearson(0, 300)

    assert share is not None
    assert share.upper == pytest.approx(0.0122, abs=1e-4)


def test_a_confidence_changes_the_width() -> None:
    narrow, wide = clopper_pearson(5, 50, 0.9), clopper_pearson(5, 50, 0.99)

    assert narrow is not None
    assert wide is not None
    assert wide.lower < narrow.lower < narrow.upper < wide.upper


def test_a_share_prints_in_percent_with_its_interval() -> None:
    assert str(wilson(98, 100)) == "98.0 % [93.0, 99.4]"


def test_nothing_out_of_nothing_is_no_share() -> None:
    assert wilson(0, 0) is None
    assert clopper_pearson(0, 0) is None
    assert auroc(np.array([]), np.array([1.0])) is None


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30), st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_auroc_is_the_chance_that_a_positive_scores_higher(negatives: list[int], positives: list[int]) -> None:
    pairs = [(p > n) + (p == n) / 2 for p in positives for n in negatives]

    assert auroc(np.array(negatives, float), np.array(positives, float)) == pytest.approx(sum(pairs) / len(pairs))


def test_auroc_is_that_of_mann_and_whitney() -> None:
    draw = np.random.default_rng(0)
    negatives, positives = draw.normal(size=200), draw.normal(0.8, 1, 90)
    statistic = stats.mannwhitneyu(positives, negatives).statistic

    assert auroc(negatives, positives) == pytest.approx(statistic / (200 * 90))


def test_precision_recall_and_f1_by_hand() -> None:
    metrics = binary_metrics(np.array([-2.0, -1.0, 0.0, 3.0]), np.array([-0.5, 0.5, 1.0, 2.0, 2.0, 4.0]))

    assert (metrics.true_positives, metrics.false_positives, metrics.true_negatives, metrics.false_negatives) == (5, 2, 2, 1)
    assert metrics.precision is not None
    assert metrics.precision.value == 5 / 7
    assert metrics.recall is not None
    assert metrics.recall.value == 5 / 6
    assert metrics.false_positive_rate is not None
    assert metrics.false_positive_rate.value == 2 / 4
    assert metrics.f1 is not None
    assert (metrics.f1.hits, metrics.f1.total) == (10, 13)


def test_the_interval_of_f1_is_that_of_the_true_positives_among_all_that_are_or_were_called_so() -> None:
    f1, among = BinaryMetrics(30, 10, 50, 20, None).f1, wilson(30, 60)

    assert f1 is not None
    assert among is not None
    assert f1.value == pytest.approx(60 / 90)
    assert f1.lower == pytest.approx(2 * among.lower / (1 + among.lower))
    assert f1.lower < f1.value < f1.upper


def test_a_network_that_never_says_yes_has_an_f1_of_0_and_no_precision() -> None:
    metrics = BinaryMetrics(0, 0, 50, 20, 0.5)

    assert metrics.precision is None
    assert metrics.f1 is not None
    assert (metrics.f1.hits, metrics.f1.lower) == (0, 0)


def test_a_score_on_the_threshold_counts_as_yes() -> None:
    assert binary_metrics(np.array([1.5]), np.array([1.5]), 1.5).false_positives == 1


def test_metrics_of_one_class_alone_are_none_where_they_mean_nothing() -> None:
    metrics = binary_metrics(np.array([-1.0, -2.0]), np.array([]))

    assert (metrics.precision, metrics.recall, metrics.f1, metrics.auroc) == (None, None, None, None)


def test_both_contradiction_rates_by_hand() -> None:
    detector, head = np.array([-1.0, -1.0, -1.0, 1.0, 1.0]), np.array([1.0, -1.0, -1.0, 1.0, 1.0])
    of_real, of_claims = contradictions(detector, head)

    assert of_real is not None
    assert of_claims is not None
    assert (of_real.hits, of_real.total) == (1, 3)
    assert (of_claims.hits, of_claims.total) == (1, 3)


def test_contradictions_follow_the_thresholds() -> None:
    of_real, of_claims = contradictions(np.array([0.5]), np.array([0.5]), detector_threshold=1.0, threshold=1.0)

    assert of_real is not None
    assert (of_real.hits, of_real.total) == (0, 1)
    assert of_claims is None


def test_an_area_has_delongs_interval() -> None:
    draw = np.random.default_rng(1)
    negatives, positives = draw.normal(0, 1, 400), draw.normal(1, 1, 300)
    area = auroc_interval(negatives, positives)

    assert area is not None
    assert area.value == pytest.approx(auroc(negatives, positives))
    areas = [auroc(draw.choice(negatives, 400), draw.choice(positives, 300)) for _ in range(400)]  # the bootstrap's
    assert (area.lower, area.upper) == pytest.approx(np.quantile(np.array(areas), [0.025, 0.975]), abs=0.01)


def test_a_loss_of_the_same_images_is_surer_than_two_areas() -> None:
    draw = np.random.default_rng(2)
    before = draw.normal(0, 1, 300), draw.normal(1.5, 1, 300)
    after = before[0] + draw.normal(0, 0.1, 300), before[1] + draw.normal(-0.3, 0.1, 300)
    loss, alone = auroc_loss(before, after), auroc_interval(*before)

    assert loss is not None
    assert alone is not None
    assert loss.value == pytest.approx((auroc(*before) or 0) - (auroc(*after) or 0))
    assert loss.upper - loss.lower < (alone.upper - alone.lower) / 2
    assert loss.lower > 0


def test_nothing_changed_is_no_loss_at_all_and_an_empty_side_has_none() -> None:
    sides = np.arange(20.0), np.arange(10.0) + 5
    empty = np.empty(0)

    assert auroc_loss(sides, sides) == Area(0.0, 0.0, 0.0)
    assert (auroc_loss((empty, empty), sides), auroc_interval(empty, sides[1])) == (None, None)
