"""What an operator sees of a running hub."""

import json
import logging
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from manyheads_hub.hub import Hub
from manyheads_hub.monitoring.listener import Address, read_address
from manyheads_hub.monitoring.logs import build_formatter
from manyheads_hub.monitoring.readiness import check_readiness
from manyheads_hub.monitoring.requests import HEADER
from manyheads_hub.monitoring.state import HubState
from manyheads_hub.signing.ledger import DatabaseLedger
from manyheads_hub.signing.repository import TufRepository
from manyheads_shared.errors import UsageError
from tests.support.live_hub import Owner, package, running, serving, submit
from tests.support.makers import make_generator
from tests.support.ports import free_port

ALL_OK = {"database": "ok", "blobs": "ok", "signatures": "ok"}


def read_samples(told: str) -> dict[tuple[str, ...], float]:
    """Samples by name and labels, the labels in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }


def state(hub: Hub) -> dict[tuple[str, ...], float]:
    """What the hub's state comes to."""
    registry = CollectorRegistry()
    registry.register(HubState(hub))
    return read_samples(generate_latest(registry).decode())


def test_a_sound_hub_is_ready_and_says_so(hub: Hub) -> None:
    with serving(hub.settings.folder) as url:
        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
        answer = httpx.get(f"{url}/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": ALL_OK})


def test_a_hub_without_its_blobs_is_not_ready_and_tells_strangers_no_path(hub: Hub) -> None:
    (hub.settings.folder / "blobs").rename(hub.settings.folder / "elsewhere")
    with serving(hub.settings.folder) as url:
        answer = httpx.get(f"{url}/ready")
    assert (answer.status_code, answer.json()["checks"]["blobs"]) == (503, "cannot be reached")
    assert str(hub.settings.folder) not in answer.text


def test_signatures_that_ran_out_make_a_hub_unready(hub: Hub) -> None:
    parts = hub.storage, hub.database.alone, DatabaseLedger(hub.database), hub.keyring
    TufRepository(*parts, clock=lambda: datetime.now(UTC) - timedelta(days=2)).refresh()
    assert check_readiness(hub) == ALL_OK | {"signatures": "are missing or have run out"}


def test_a_lost_database_makes_a_hub_unready_and_its_metrics_say_it_is_down(hub: Hub) -> None:
    hub.database.close()
    hub.settings.sqlite.unlink()
    assert check_readiness(hub)["database"] != "ok"
    found = state(hub)
    assert (found["manyheads_hub_up", "database"], found["manyheads_hub_up", "signatures"]) == (0.0, 1.0)


def test_state_counts_jobs_submissions_and_what_signatures_have_left(hub: Hub, ada: Owner) -> None:
    submit(hub, ada, package(ada, make_generator("alpha")))
    found = state(hub)
    assert found["manyheads_hub_jobs", "evaluate", "queued"] == 1
    assert found["manyheads_hub_submissions", "received"] == 1
    assert found["manyheads_hub_bundle_sequence",] == 1
    assert 0 < found["manyheads_hub_signature_seconds_left", "timestamp"] <= 86400


def test_requests_are_counted_by_endpoint_and_never_by_what_strangers_type(hub: Hub) -> None:
    port = free_port()
    with running(hub.settings.folder, "--no-worker", "--metrics", f"127.0.0.1:{port}") as process:
        for path in (
            "/v1/bundles/1",
            "/v1/bundles/2",
            "/no/such/thing",
            "/v1/bundles/1",
            "/health",
        ):  # the last may not be counted yet
            httpx.get(process.url + path)
        told = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert httpx.get(f"{process.url}/metrics").status_code == 404  # not on the hub's own port
    found = read_samples(told)
    assert found["manyheads_hub_requests_total", "get_bundle", "GET", "200"] == 2
    assert found["manyheads_hub_requests_total", "other", "other", "404"] == 1
    assert "/no/such" not in told
    assert "manyheads_hub_up" in told
    assert "process_resident_memory_bytes" in told


def test_a_request_has_an_id_that_its_log_lines_carry(hub: Hub) -> None:
    with running(hub.settings.folder, "--no-worker", "--log", "json") as process:
        given = httpx.get(f"{process.url}/v1/health", headers={HEADER: "from-a-proxy"})
        made = httpx.get(f"{process.url}/v1/health", headers={HEADER: 'bad "id"'})
        assert process.stop() == 0
    lines = [json.loads(line) for line in (hub.settings.folder.parent / "hub.log").read_text().splitlines()]
    requests = {line["request"]: line for line in lines if "request" in line}
    assert given.headers[HEADER] == "from-a-proxy"
    assert set(requests) == {"from-a-proxy", made.headers[HEADER]}
    line = requests["from-a-proxy"]
    assert (line["method"], line["path"], line["status"], line["level"]) == ("GET", "/v1/health", 200, "INFO")


def test_a_path_with_a_line_break_makes_no_second_line(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="manyheads_hub")
    with serving(hub.settings.folder) as url:
        httpx.get(f"{url}/nowhere%0a2026-01-02%20INFO%20forged")
    said = [line.getMessage() for line in caplog.records if line.name.startswith("manyheads_hub")]
    assert "GET /nowhere\\n2026-01-02 INFO forged 404" in said[-1]


def test_a_traceback_stays_one_line_of_json() -> None:
    error = ValueError("two\nlines")
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "it %s", ("failed",), (ValueError, error, None))
    text = build_formatter("json").format(record)
    assert "\n" not in text
    assert json.loads(text)["message"] == "it failed"
    assert "two\nlines" in json.loads(text)["exc_info"]


@pytest.mark.parametrize("text", ["9100", ":9100", "localhost:", "localhost:x", "localhost:70000"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected HOST:PORT"):
        read_address(text)


def test_an_address_may_be_ipv6() -> None:
    assert read_address("[::1]:9100") == Address("::1", 9100)


def test_a_metrics_port_that_is_taken_is_told(hub: Hub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        code = "from manyheads_hub.cli import main; main()"
        command = [sys.executable, "-c", code, "worker", str(hub.settings.folder), "--once", "--metrics", where]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "--metrics: cannot listen" in done.stderr) == (2, True)
