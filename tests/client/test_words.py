from pathlib import Path

from manyheads_client.words import sizes_tested, worth
from manyheads_shared.calibration import FullCalibration, Sides, read_calibration

GOLDEN = Path(__file__).parents[1] / "golden"


def read_golden(version: str) -> FullCalibration:
    calibration = read_calibration((GOLDEN / version / "calibration.json").read_bytes())
    assert isinstance(calibration, FullCalibration)
    return calibration


def test_what_scores_are_worth_is_said_with_its_bound_and_its_reach() -> None:
    calibration = read_golden("v2")
    (head,) = calibration.heads_evidence.values()
    assert worth("golden@1", head) == ("golden@1: its scores support an answer at most 150 to 1; validated up to jpeg 75")
    assert worth("detector", calibration.detector_evidence).endswith("validated up to unchanged images alone")


def test_a_bound_on_the_strongest_support_is_said_where_the_hub_gives_one() -> None:
    assert worth("detector", read_golden("v3").detector_evidence) == (
        "detector: its scores support an answer at most 150 to 1, the highest at least 23 to 1 at 95 %; "
        "validated up to unchanged images alone"
    )


def test_the_sizes_that_figures_rest_on_are_said() -> None:
    assert sizes_tested(Sides(shortest=64, longest=1024)).endswith("whose shorter side has 64 to 1024 pixels.")
    assert sizes_tested(Sides(shortest=64, longest=64)).endswith("has 64 pixels.")
