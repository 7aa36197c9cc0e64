"""The engine's benchmark: it runs, and its page is that of its figures."""

import json

import pytest

from benchmarks.engine import RESULTS, main, render


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    assert (RESULTS / "engine.md").read_text() == render(json.loads((RESULTS / "engine.json").read_bytes()))


def test_a_quick_run_measures_every_way_and_keeps_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = (RESULTS / "engine.json").read_bytes()
    main(["--quick"])
    text = capsys.readouterr().out
    for way in ("separate networks, float32", "a loop over the heads, float32", "folded, float32"):
        assert text.count(f"| {way} |") == 2
    assert "holds 0." in text
    assert (RESULTS / "engine.json").read_bytes() == before
