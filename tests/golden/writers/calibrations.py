"""The calibrations after the first."""

from pathlib import Path

import numpy as np

from manyheads_shared.calibration import (
    BoundedCalibration,
    BoundedEvidence,
    Calibration,
    Evidence,
    FullCalibration,
    Reach,
    Sides,
    fit_thresholds,
)
from manyheads_shared.condition import Usual
from manyheads_shared.likelihood import fit_likelihood
from manyheads_shared.ratio_bounds import bound_ratio
from manyheads_shared.statements import (
    Bound,
    SourceResult,
)
from tests.golden.writers.parts import write_once


def write_worth(root: Path) -> None:
    """Write version 2, which says what scores are worth."""
    first = Calibration.from_bytes((root / "v1" / "calibration.json").read_bytes())
    real, own = np.linspace(-2, 0.25, 150, dtype=np.float32), np.linspace(0, 2, 60, dtype=np.float32)
    share = Bound(share=0.975, lower=0.8680, upper=0.9987, hits=39, total=40)
    none = Bound(share=0.0, lower=0.0, upper=0.0881, hits=0, total=40)
    rung = Reach(ladder="jpeg", strength=75.0, recall=share, real=none, worst=None, valid=False)
    worst = SourceResult(kind="generated", source="old", external=False, yes=none)

    def evidence(*reach: Reach) -> Evidence:
        return Evidence(
            likelihood=fit_likelihood({"real": real}, own),
            thresholds=fit_thresholds({("real", "p"): real}, head_count=1),
            reach=reach,
        )

    calibration = FullCalibration.new(
        **first.model_dump(exclude={"format"}),
        detector_evidence=evidence(rung),
        heads_evidence={head: evidence(rung.model_copy(update={"worst": worst, "valid": True})) for head in first.heads},
    )
    write_once({root / "v2" / "calibration.json": calibration.to_bytes()})


def write_bounds(root: Path) -> None:
    """Write version 3, which says how sure ratios are, and what sizes they rest on."""
    second = FullCalibration.from_bytes((root / "v2" / "calibration.json").read_bytes())
    real, own = np.linspace(-2, 0.25, 150, dtype=np.float32), np.linspace(0, 2, 60, dtype=np.float32)

    def bounded(evidence: Evidence) -> BoundedEvidence:
        return BoundedEvidence(
            likelihood=bound_ratio(evidence.likelihood, {"real": real}, own),
            thresholds=evidence.thresholds,
            reach=evidence.reach,
        )

    bands = Calibration.from_bytes((root / "v1" / "calibration.json").read_bytes())
    calibration = BoundedCalibration.new(
        **bands.model_dump(exclude={"format"}),
        sides=Sides(shortest=64, longest=1024),
        usual=Usual(jpeg=85, scale=0.35, blur=1.2, noise=2.5),
        detector_evidence=bounded(second.detector_evidence),
        heads_evidence={head: bounded(evidence) for head, evidence in second.heads_evidence.items()},
    )
    write_once({root / "v3" / "calibration.json": calibration.to_bytes()})
