"""Figures in words say neither more nor less than was measured."""

import re
from pathlib import Path

import pytest

from manyheads_hub.pages import words
from manyheads_shared.calibration import Band, Calibration
from tests.support.gallery import PRIMARY, SUITE, head_digest, make_evaluation, make_generator


@pytest.mark.parametrize(
    ("share", "figure"),
    [(0, "0"), (1, "100"), (0.983, "98.3"), (0.9999, "99.9"), (0.0004, "0.04"), (0.00001, "<0.01"), (0.25, "25.0")],
)
def test_a_share_is_never_rounded_to_none_or_to_all(share: float, figure: str) -> None:
    assert words.figure(share) == figure


def test_an_area_is_never_rounded_to_one() -> None:
    assert words.auroc(0.99996) == "0.999"
    assert words.auroc(1.0) == "1.000"


def test_times_and_numbers_are_written_for_people() -> None:
    assert words.moment("2026-01-02T03:04:05Z") == "2 January 2026, 03:04 UTC"
    assert words.number(-1.254) == "\u22121.25"
    assert words.megabytes(112_344) == "0.1\u202fMB"


def test_a_bundle_without_heads_promises_nothing_about_sharing() -> None:
    band = Band(low=-1.0, high=1.0, negatives=50, positives=50, resolved=False)
    calibration = Calibration.new(
        primary=PRIMARY, suite=SUITE, detector_alpha=0.01, heads_alpha=0.01, miss_alpha=0.05, detector=band, heads={}
    )
    said = " ".join(words.budgets(calibration))
    assert "share that budget" not in said
    assert "One band rests on too few images of some origin" in said


def test_one_head_has_the_whole_budget() -> None:
    band = Band(low=-1.0, high=1.0, negatives=500, positives=50, resolved=True)
    calibration = Calibration.new(
        primary=PRIMARY,
        suite=SUITE,
        detector_alpha=0.01,
        heads_alpha=0.02,
        miss_alpha=0.05,
        detector=band,
        heads={head_digest("dcgan-litalien"): band},
    )
    assert "One head has the whole of it, 2\u202f%" in " ".join(words.budgets(calibration))


def test_the_limits_name_the_smallest_source_without_a_false_positive() -> None:
    sentences = words.limits(make_evaluation("dcgan-litalien", recall=31), make_generator("dcgan-litalien"))
    assert any("40 images of began-anantzoid without one still allow a share of up to 8.8" in said for said in sentences)


def test_every_documented_reason_has_a_sentence_for_strangers() -> None:
    _, _, table = (Path(__file__).parents[2] / "docs/formats/api.md").read_text().partition("| reason | when |\n")
    documented = set(re.findall(r"^\| `([a-z-]+)`", table.partition("\n\n")[0], re.MULTILINE))
    assert documented | {"newer-version-listed"} == set(words.REASONS)
    assert words.reason("dataset") == words.ANOTHER_REASON
