import numpy as np
import pytest
from numpy.typing import NDArray

from manyheads_contributor.audit.findings import Level, judge_cue
from manyheads_contributor.audit.separation import Separation, measure_separation


def _measure(no: NDArray[np.generic], yes: NDArray[np.generic]) -> Separation:
    values = np.concatenate([no, yes])
    side = np.arange(values.size) >= no.size
    separation = measure_separation(values, side, np.arange(values.size) % 2 == 0)
    assert separation is not None
    return separation


def test_a_word_that_names_the_class_separates_all() -> None:
    separation = _measure(np.array(["JPEG"] * 60), np.array(["PNG"] * 50))
    assert separation.balanced_accuracy == 1
    assert separation.lower > 0.9
    assert separation.auroc is None


def test_a_word_that_all_share_separates_nothing() -> None:
    assert _measure(np.array(["PNG"] * 500), np.array(["PNG"] * 50)).balanced_accuracy == 0.5


def test_numbers_that_differ_separate_and_the_auroc_says_which_way() -> None:
    draw = np.random.default_rng(0)
    separation = _measure(draw.normal(0, 1, 500), draw.normal(-8, 1, 500))
    assert separation.balanced_accuracy > 0.99
    assert separation.auroc is not None
    assert separation.auroc < 0.01


def test_a_two_sided_rule_is_found_where_the_auroc_sees_nothing() -> None:
    draw = np.random.default_rng(1)
    separation = _measure(draw.normal(0, 1, 1000), draw.choice([-6.0, 6.0], 1000) + draw.normal(0, 1, 1000))
    assert separation.balanced_accuracy > 0.9
    assert separation.auroc == pytest.approx(0.5, abs=0.05)


def test_chance_finds_no_rule_not_even_in_a_word_of_its_own_for_every_image() -> None:
    draw = np.random.default_rng(2)
    words = np.array([f"{number}x{number}" for number in range(400)])
    assert _measure(words[:200], words[200:]).balanced_accuracy == 0.5
    assert _measure(draw.normal(size=150), draw.normal(size=150)).balanced_accuracy == pytest.approx(0.5, abs=0.1)


def test_a_large_class_does_not_drown_a_small_one() -> None:
    draw = np.random.default_rng(3)
    assert _measure(draw.normal(0, 1, 20_000), draw.normal(6, 1, 100)).balanced_accuracy > 0.95


def test_a_group_without_images_in_a_half_is_not_measured() -> None:
    assert measure_separation([1.0, 2.0, 3.0], np.array([True, False, False]), np.array([True, False, True])) is None


def test_a_few_images_prove_nothing_blatant() -> None:
    assert judge_cue("file", _measure(np.array(["JPEG"] * 4), np.array(["PNG"] * 4))) < Level.BLATANT
    assert judge_cue("file", _measure(np.array(["JPEG"] * 40), np.array(["PNG"] * 40))) == Level.BLATANT


def test_content_is_never_blatant() -> None:
    perfect = Separation(1.0, 0.99, 1.0)
    assert judge_cue("content", perfect) == Level.NOTABLE
    assert judge_cue("trace", perfect) == Level.BLATANT
