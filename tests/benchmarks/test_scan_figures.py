"""The benchmark of a scan: it runs, and its page is that of its figures."""

import json

import pytest

from benchmarks.scan import RESULTS, SCAN, SERIAL, main, render


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    assert (RESULTS / "scan.md").read_text() == render(json.loads((RESULTS / "scan.json").read_bytes()))


def test_the_committed_scan_was_faster_than_its_stages_one_after_another() -> None:
    seconds = json.loads((RESULTS / "scan.json").read_bytes())["seconds"]
    assert seconds[SCAN] < sum(seconds[stage] for stage in SERIAL)


def test_a_quick_run_times_every_stage_and_keeps_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = (RESULTS / "scan.json").read_bytes()
    main(["--quick"])
    text = capsys.readouterr().out
    assert all(text.count(f"| {stage} |") == 1 for stage in (*SERIAL, SCAN))
    assert "threads that decode and describe" in text
    assert (RESULTS / "scan.json").read_bytes() == before
