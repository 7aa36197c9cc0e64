"""Fuzzing, a moment of it for each target, always the same; and every value of every document replaced by an odd one."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.odd_values import with_odd_values
from tests.fuzz.runner import fuzz
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import CANARY, TARGETS

EXECUTIONS = 250
SECONDS = 30  # at most, on a machine that does other work
ODD = 75  # changes of one seed, drawn from all of them
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_no_mutation_makes_a_reader_break_its_promise(name: str, tmp_path: Path) -> None:
    outcome = fuzz(name, tmp_path, seed=1, executions=EXECUTIONS, seconds=SECONDS)
    assert outcome.holds, outcome.tail
    assert outcome.executions > 0


@pytest.mark.parametrize("name", ["artifact", "document", "statement", "metadata", "records"])
def test_no_odd_value_makes_a_reader_break_its_promise(name: str) -> None:
    draw = random.Random(1)
    for seed in seeds(name):
        lines = seed.split(b"\n")
        for i, line in enumerate(lines):
            changes = list(with_odd_values(line)) if line.startswith(b"{") else []
            for changed in draw.sample(changes, min(ODD, len(changes))):
                TARGETS[name].check(b"\n".join((*lines[:i], changed, *lines[i + 1 :])))


def test_a_broken_promise_is_found_kept_and_repeated(tmp_path: Path) -> None:
    outcome = fuzz(CANARY, tmp_path, seed=1, seconds=SECONDS)
    assert not outcome.holds
    (kept,) = outcome.findings
    assert kept.read_bytes().startswith(b"bug")
    again = [sys.executable, "-m", "tests.fuzz", "--repeat", str(kept)]
    repeated = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, check=False)
    assert repeated.returncode == 1
    assert "RecursionError: found" in repeated.stderr


def test_a_run_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    first = fuzz("records", tmp_path, seed=1, executions=150, seconds=SECONDS)
    second = fuzz("records", tmp_path, seed=2, executions=150, seconds=SECONDS)
    assert second.corpus >= first.corpus > len(seeds("records"))
