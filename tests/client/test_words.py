from pathlib import Path

from manyheads_client.words import worth
from manyheads_shared.calibration import FullCalibration, read_calibration

GOLDEN = Path(__file__).parents[1] / "golden" / "v2" / "calibration.json"


def test_what_scores_are_worth_is_said_with_its_bound_and_its_reach() -> None:
    calibration = read_calibration(GOLDEN.read_bytes())
    assert isinstance(calibration, FullCalibration)
    (head,) = calibration.heads_evidence.values()
    assert worth("golden@1", head) == ("golden@1: its scores support an answer at most 151 to 1; validated up to jpeg 75")
    assert worth("detector", calibration.detector_evidence).endswith("validated up to unchanged images alone")
