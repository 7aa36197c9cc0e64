"""The load test works: the parts that need nothing but the hub, and the whole of it where nginx and wrk are."""

import json
from pathlib import Path

import pytest

import benchmarks
from benchmarks.hub_load.__main__ import run
from benchmarks.hub_load.figures import outcome, p50_p99, percentile
from benchmarks.hub_load.report import render
from benchmarks.hub_load.scales import QUICK
from benchmarks.hub_load.tools import find_tools
from manyheads_shared.errors import UsageError

RESULTS = Path(benchmarks.__path__[0]) / "results" / "hub-load.json"


@pytest.mark.slow
def test_a_small_load_test_measures_everything_without_an_error() -> None:
    found = dict(run(QUICK, ("reads", "pulls", "submissions", "growth"), find_tools()))
    assert [server["errors"] for cell in found["reads"] for server in cell["servers"].values()] == [0] * 11
    assert all(row[kind]["errors"] == 0 for row in found["pulls"] for kind in ("cold", "warm"))
    for row in found["submissions"]:
        assert row["recorded"] == {"answered": 3, "rows": 3, "rows_as_answered": 3, "jobs": 3}
    first, second = found["growth"]
    assert second["incremental_pull"]["objects"] == 4 < second["cold_pull"]["objects"]
    assert second["warm_pull"]["objects"] == 0
    assert first["manifest_bytes"] < second["manifest_bytes"]


def test_what_is_missing_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"wrk.*apt-get install"):
        find_tools()


def test_the_percentile_of_few_is_their_largest() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert p50_p99([float(i) for i in range(1, 101)]) == {"p50": 50.0, "p99": 99.0}


def test_a_client_that_failed_is_counted_and_told_and_its_seconds_are_not() -> None:
    met = outcome([{"seconds": 1.0, "error": None}, {"seconds": 99.0, "error": "HubUnreachableError: no answer"}])
    assert (met["clients"], met["errors"], met["error_texts"]) == (2, 1, ["HubUnreachableError: no answer"])
    assert met["seconds"] == {"p50": 1.0, "p99": 1.0}


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    assert RESULTS.with_suffix(".md").read_text() == render(json.loads(RESULTS.read_bytes()))
