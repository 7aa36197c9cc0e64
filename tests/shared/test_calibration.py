from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from manyheads_shared.calibration import (
    Band,
    BoundedCalibration,
    Calibration,
    FullCalibration,
    Sides,
    Sources,
    build_calibration,
    fit_band,
    fit_thresholds,
    head_alpha,
    read_bands,
    read_calibration,
)
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import ManifestError, UnsupportedVersionError
from tests import golden
from tests.support.makers import NO_DIGEST

logits = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=60).map(lambda scores: np.array(scores, np.float32))
NO_GAP = np.full(20, -100, np.float32)  # positives below every negative: `high` stays where the negatives put it


def _photos(scores: NDArray[np.float32]) -> Sources:
    return {("real", "photos"): scores}


def _draw(count: int, *, mean: float = 0.0, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(mean, 1, count).astype(np.float32)


@pytest.mark.parametrize(("alpha", "negatives"), [(0.01, 100), (0.05, 40), (0.01, 250)])
def test_fresh_negatives_are_claimed_at_most_alpha_of_the_time(alpha: float, negatives: int) -> None:
    draw = np.random.default_rng(1)
    claimed = [
        float((draw.standard_cauchy(500).astype(np.float32) >= fit_band(_photos(sample), NO_GAP, alpha=alpha).high).mean())
        for sample in draw.standard_cauchy((600, negatives)).astype(np.float32)
    ]

    assert np.mean(claimed) <= alpha * 1.1  # the guarantee is on the average over calibration sets
    assert np.mean(claimed) >= alpha / 3  # and it is not bought by saying no to everything


def test_many_tame_images_of_another_generator_buy_no_claims_on_photographs() -> None:
    draw = np.random.default_rng(4)
    claimed = []
    for _ in range(400):
        photos, tame = draw.normal(0, 1, 100).astype(np.float32), draw.normal(-5, 1, 400).astype(np.float32)
        band = fit_band({("real", "photos"): photos, ("generated", "tame"): tame}, NO_GAP, alpha=0.01)
        claimed.append(float((draw.normal(0, 1, 500) >= band.high).mean()))

    assert np.mean(claimed) <= 0.01 * 1.1  # one quantile of them all would claim 4.7 %


def test_a_large_generator_hides_no_small_one() -> None:
    draw = np.random.default_rng(5)
    claimed = []
    for _ in range(400):
        small, tame = draw.normal(0, 1, 28).astype(np.float32), draw.normal(-5, 1, 2000).astype(np.float32)
        band = fit_band({("generated", "small"): small, ("generated", "tame"): tame}, NO_GAP, alpha=0.01)
        claimed.append(float((draw.normal(0, 1, 500) >= band.high).mean()))
        assert not band.resolved  # 28 images cannot promise 1 %

    assert np.mean(claimed) <= 1 / 29 * 1.1  # but they promise what the highest of 28 can


def test_small_sources_of_a_kind_are_bounded_together_and_resolve_what_none_does_alone() -> None:
    small: Sources = {("generated", f"g{i}"): _draw(40, seed=i) for i in range(5)}
    together = np.concatenate(list(small.values()))
    band = fit_band(small, NO_GAP, alpha=0.01)

    assert (band.high, band.negatives, band.resolved) == (fit_band(_photos(together), NO_GAP, alpha=0.01).high, 200, True)
    assert band.high < together.max()


def test_fresh_positives_are_called_negative_at_most_as_often_as_tolerated() -> None:
    draw = np.random.default_rng(2)
    missed = [
        float(
            (
                draw.normal(1, 1, 500).astype(np.float32)
                < fit_band(_photos(_draw(200)), sample, alpha=0.01, miss_alpha=0.05).low
            ).mean()
        )
        for sample in draw.normal(1, 1, (400, 99)).astype(np.float32)
    ]

    assert np.mean(missed) <= 0.05 * 1.1


def test_a_photograph_is_claimed_by_any_of_many_heads_at_most_the_budget() -> None:
    draw, heads, budget = np.random.default_rng(3), 8, 0.08
    any_claims = []
    for _ in range(150):
        calibration, fresh = (draw.normal(size=(heads, count)).astype(np.float32) for count in (400, 400))
        highs = [fit_band(_photos(scores), NO_GAP, alpha=head_alpha(budget, heads)).high for scores in calibration]
        any_claims.append(float((fresh >= np.array(highs)[:, np.newaxis]).any(axis=0).mean()))

    assert np.mean(any_claims) <= budget * 1.1


def test_every_head_gets_its_part_of_the_budget() -> None:
    assert [head_alpha(0.01, count) for count in (0, 1, 4)] == [0.01, 0.01, 0.0025]


def test_ninety_nine_negatives_resolve_one_percent_and_ninety_eight_do_not() -> None:
    positives = _draw(50, mean=9)

    assert fit_band(_photos(_draw(99)), positives, alpha=0.01).resolved
    assert not fit_band(_photos(_draw(98)), positives, alpha=0.01).resolved


def test_an_unresolved_edge_lies_above_the_largest_negative() -> None:
    negatives = np.array([-1, 0, 3], np.float32)
    band = fit_band(_photos(negatives), np.array([2, 2.5], np.float32), alpha=0.01)

    assert band.high == float(np.nextafter(np.float32(3), np.float32(np.inf)))
    assert (band.low, band.negatives, band.positives, band.resolved) == (2.0, 3, 2, False)


def test_a_gap_between_the_sides_is_split_in_the_middle() -> None:
    band = fit_band(_photos(np.linspace(-2, -1, 200, dtype=np.float32)), np.linspace(1, 3, 200, dtype=np.float32), alpha=0.01)

    assert band.low == band.high
    assert -1.1 < band.low < 0.2


def test_sides_that_overlap_leave_a_band_of_doubt() -> None:
    band = fit_band(_photos(_draw(300)), _draw(300, mean=1, seed=1), alpha=0.01)

    assert band.low < 0.0 < band.high


def test_equal_scores_on_both_sides_are_never_yes() -> None:
    same = np.zeros(300, np.float32)
    band = fit_band(_photos(same), same, alpha=0.01)

    assert band.low <= 0.0 < band.high


@given(logits, logits, st.floats(0.001, 0.5))
def test_no_more_negatives_than_tolerated_lie_above_and_the_edges_are_ordered(
    negatives: NDArray[np.float32], positives: NDArray[np.float32], alpha: float
) -> None:
    band = fit_band(_photos(negatives), positives, alpha=alpha)

    assert band.low <= band.high
    assert (negatives >= band.high).sum() <= alpha * (negatives.size + 1)
    assert (positives < band.low).sum() <= 0.05 * (positives.size + 1)


@pytest.mark.parametrize(("negatives", "positives"), [(0, 3), (3, 0)])
def test_a_band_on_nothing_is_refused(negatives: int, positives: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        fit_band(_photos(_draw(negatives)), _draw(positives), alpha=0.01)


def test_a_stricter_rate_never_has_a_lower_threshold() -> None:
    tame, claimed = np.zeros(100, dtype=np.float32), np.full(100, 5, dtype=np.float32)
    sources: Sources = {("generated", f"g{i}"): tame for i in range(200)} | {("generated", "framed"): claimed}
    thresholds = fit_thresholds(sources, head_count=1, rates=(0.1, 0.009))  # alone at the first, pooled at the second
    assert thresholds[1].logit >= thresholds[0].logit > 5


def test_a_calibration_spends_one_budget_on_all_heads_and_reads_back() -> None:
    detector = _photos(_draw(150)), _draw(150, mean=5)
    digests = [digest_bytes(bytes([i])) for i in range(4)]
    heads = {digest: (_photos(_draw(150, seed=i)), _draw(30, mean=5, seed=i)) for i, digest in enumerate(digests)}
    calibration = build_calibration(primary=NO_DIGEST, suite=NO_DIGEST, detector=detector, heads=heads)

    assert calibration.detector == fit_band(*detector, alpha=0.01)
    assert calibration.heads == {digest: fit_band(*heads[digest], alpha=0.0025) for digest in digests}
    assert not any(band.resolved for band in calibration.heads.values())  # 399 negatives would be needed
    assert Calibration.from_bytes(calibration.to_bytes()) == calibration


def test_edges_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="low <= high"):
        Band(low=1.0, high=0.0, negatives=1, positives=1, resolved=False)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_a_tolerance_that_is_none_is_refused(alpha: float) -> None:
    band = fit_band(_photos(_draw(5)), _draw(5), alpha=0.1)

    with pytest.raises(ManifestError, match="heads_alpha"):
        Calibration.new(
            primary=NO_DIGEST, suite=NO_DIGEST, detector_alpha=0.1, heads_alpha=alpha, miss_alpha=0.1, detector=band, heads={}
        )


def read_golden(version: str) -> bytes:
    return (Path(golden.__path__[0]) / version / "calibration.json").read_bytes()


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_the_bands_of_a_full_calibration_are_read_without_the_rest(version: str) -> None:
    whole = read_calibration(read_golden(version))
    assert isinstance(whole, FullCalibration)
    bands = read_bands(whole.to_bytes())
    assert (type(bands), bands.heads, bands.detector) == (Calibration, whole.heads, whole.detector)


def test_a_calibration_of_a_later_version_is_refused_by_its_number() -> None:
    with pytest.raises(UnsupportedVersionError, match="reads version 3, the document is version '4'"):
        read_calibration(read_golden("v3").replace(b"calibration/3", b"calibration/4"))


def test_bounds_without_the_version_that_has_them_are_refused() -> None:
    with pytest.raises(ManifestError, match="Extra inputs"):
        read_calibration(read_golden("v3").replace(b"calibration/3", b"calibration/2"))
    with pytest.raises(ManifestError, match="places"):
        read_calibration(read_golden("v2").replace(b"calibration/2", b"calibration/3"))


def test_sides_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="shortest <= longest"):
        Sides(shortest=65, longest=64)


def test_evidence_is_for_exactly_the_heads_with_a_band() -> None:
    whole = BoundedCalibration.from_bytes(read_golden("v3"))
    with pytest.raises(ManifestError, match="exactly the heads"):
        BoundedCalibration.new(**whole.model_dump(exclude={"format", "heads_evidence"}), heads_evidence={})
