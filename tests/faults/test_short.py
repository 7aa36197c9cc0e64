"""The fault test, half a minute of it: so that it works when somebody asks for ten minutes."""

from pathlib import Path

import pytest

from tests.faults.report import to_text
from tests.faults.run import SHORT, run_faults


@pytest.mark.slow
def test_a_hub_whose_processes_are_killed_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    outcome = run_faults(tmp_path, seed=1, minutes=0.5, pace=SHORT, tell=print)
    assert outcome.holds, to_text(outcome)
    assert set(outcome.done.kills) >= {"api", "worker", "postgres", "s3"}
    assert outcome.evidence.of("taken")
    assert outcome.evidence.of("pulled")
