"""The contributor's way to a hub, with the real commands and a real hub."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from manyheads_contributor.cli import app
from manyheads_contributor.commands import status
from manyheads_contributor.hub_client import HubClient
from manyheads_hub.evaluations.worker import Worker
from manyheads_hub.hub import open_hub
from manyheads_shared.api import SubmissionInfo
from manyheads_shared.artifact import read_primary
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import PrimaryMismatchError, UsageError
from tests.support.live_hub import Owner, Process, enrol, make_hub, package, serving, wait_until, work
from tests.support.makers import make_generator, make_head_bytes, make_primary
from tests.support.proxy import proxy
from tests.support.weak_line import weak_line
from tests.support.world import trained_primary


@dataclass(frozen=True)
class Desk:
    """An owner's machine: a token, and what they package."""

    folder: Path
    owner: Owner
    url: str

    def write(self, name: str = "alpha", *, version: str = "1", head: bytes | None = None) -> Path:
        """Write a packaged head with its proofs."""
        offer = package(self.owner, make_generator(name, version), head=head)
        (self.folder / "token").write_text(self.owner.token + "\n")
        (self.folder / "proofs").mkdir(exist_ok=True)
        for i, proof in enumerate(offer.proofs):
            (self.folder / f"proofs/{i:03d}.png").write_bytes(proof)
        (self.folder / "head.safetensors.statement.json").write_bytes(offer.statement)
        path = self.folder / "head.safetensors"
        path.write_bytes(offer.head)
        return path

    def arguments(self, *more: str, url: str | None = None) -> list[str]:
        where = ["--hub", url or self.url, "--token-file", str(self.folder / "token")]
        return ["submit", str(self.folder / "head.safetensors"), *where, "--proofs", str(self.folder / "proofs"), *more]

    def submit(self, *more: str) -> SubmissionInfo:
        result = CliRunner().invoke(app, self.arguments("--json", *more), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        answer = json.loads(result.stdout)
        answer.pop("sent_bytes")
        return SubmissionInfo.model_validate(answer)

    def status(self, submission: SubmissionInfo, *more: str) -> tuple[int, str]:
        where = ["--hub", self.url, "--token-file", str(self.folder / "token")]
        result = CliRunner().invoke(app, ["status", submission.id, *where, *more], catch_exceptions=False)
        return result.exit_code, result.stdout


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return make_hub(tmp_path / "hub")


@pytest.fixture
def desk(tmp_path: Path, hub: Path) -> Iterator[Desk]:
    (tmp_path / "desk").mkdir()
    with open_hub(hub) as opened:
        owner = enrol(opened)
    with serving(hub) as url:
        yield Desk(tmp_path / "desk", owner, url)


def _evaluate(hub: Path) -> None:
    with open_hub(hub) as opened:
        work(opened)


def test_a_good_head_is_submitted_evaluated_and_published(hub: Path, desk: Desk) -> None:
    desk.write()
    submission = desk.submit()
    assert "waiting for its evaluation, place in the queue: 1" in desk.status(submission)[1]
    _evaluate(hub)
    code, words = desk.status(submission, "--wait")
    assert code == 0
    assert "alpha@1: accepted" in words
    assert "recognises" in words
    assert "published in bundle 2" in words


def test_waiting_for_an_accepted_head_ends_when_a_bundle_holds_it(
    hub: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "POLL_SECONDS", 0.05)
    desk.write()
    submission = desk.submit()
    with open_hub(hub) as opened:
        Worker(opened).run_once("evaluate")
    assert "not in a bundle yet" in desk.status(submission)[1]
    publishing = threading.Timer(0.5, _evaluate, [hub])
    publishing.start()
    words = desk.status(submission, "--wait")[1]
    publishing.join()
    assert "published in bundle 2" in words


def test_waiting_for_a_hub_without_its_offline_keys_ends_too(hub: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(status, "PUBLISH_SECONDS", 0.2)
    desk.write()
    submission = desk.submit()
    with open_hub(hub) as opened:
        Worker(opened).run_once("evaluate")
    assert "not in a bundle yet" in desk.status(submission, "--wait")[1]


def test_waiting_outlives_a_proxy_whose_hub_is_starting(hub: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "POLL_SECONDS", 0.05)
    desk.write()
    submission = desk.submit()
    with proxy(desk.url) as between:

        def break_then_evaluate() -> None:
            between.answer_instead = 503
            wait_until(lambda: between.refused > 2)
            _evaluate(hub)
            between.answer_instead = None

        broken = threading.Timer(0.3, break_then_evaluate)
        broken.start()
        code, words = replace(desk, url=between.url).status(submission, "--wait")
        broken.join()
    assert between.refused > 2
    assert (code, "alpha@1: accepted" in words) == (0, True)


def test_without_an_id_all_of_ones_own_are_listed(desk: Desk) -> None:
    where = ["status", "--hub", desk.url, "--token-file", str(desk.folder / "token")]
    (desk.folder / "token").write_text(desk.owner.token)
    assert "no submission yet" in CliRunner().invoke(app, where, catch_exceptions=False).stdout
    desk.write()
    submission = desk.submit()
    words = CliRunner().invoke(app, where, catch_exceptions=False).stdout
    assert words.startswith(f"submission {submission.id}, alpha@1: waiting for its evaluation")
    listed = json.loads(CliRunner().invoke(app, [*where, "--json"], catch_exceptions=False).stdout)
    assert [entry["id"] for entry in listed] == [submission.id]


def test_what_is_used_of_ones_share_is_told_before_anything_is_sent(desk: Desk) -> None:
    desk.write()
    where = ["--hub", desk.url, "--token-file", str(desk.folder / "token")]

    def ask() -> dict[str, Any]:
        told: dict[str, Any] = json.loads(CliRunner().invoke(app, ["budget", *where, "--json"], catch_exceptions=False).stdout)
        return told

    before = ask()
    desk.submit()
    after = ask()
    assert (before["submissions"], before["offers"]["used"], before["stored_bytes"]["used"]) == ({"used": 0, "limit": 50}, 0, 0)
    assert (after["submissions"]["used"], after["offers"]["used"]) == (1, 1)
    sent = [
        desk.folder / "head.safetensors",
        desk.folder / "head.safetensors.statement.json",
        *(desk.folder / "proofs").iterdir(),
    ]
    assert after["stored_bytes"] == {"used": sum(path.stat().st_size for path in sent), "limit": 8 << 30}
    text = CliRunner().invoke(app, ["budget", *where], catch_exceptions=False).stdout
    assert "submissions in 24 hours: 1 of 50" in text
    assert f"bytes kept: {after['stored_bytes']['used']:,} of 8,589,934,592" in text


def test_waiting_needs_an_id(desk: Desk) -> None:
    with pytest.raises(UsageError, match="name it"):
        CliRunner().invoke(app, ["status", "--hub", desk.url, "--wait"], catch_exceptions=False)


def test_a_head_that_recognises_nothing_is_refused_with_reasons_and_exit_code_1(hub: Path, desk: Desk) -> None:
    desk.write(head=make_head_bytes(read_primary(trained_primary()), make_generator()))
    submission = desk.submit()
    _evaluate(hub)
    code, words = desk.status(submission, "--wait")
    assert code == 1
    assert "alpha@1: refused" in words
    assert "(constant-head)" in words


def test_a_dry_run_sends_nothing_and_says_what_it_would(desk: Desk) -> None:
    desk.write()
    result = CliRunner().invoke(app, desk.arguments("--dry-run", "--json"), catch_exceptions=False)
    plan = json.loads(result.stdout)
    assert plan["files"] == plan["files_to_send"] == plan["proofs"] + 2
    assert plan["bytes_to_send"] > 0
    with HubClient(desk.url, desk.owner.token) as client:
        assert client.uploaded_bytes(plan["head"]) == (0, False)
        assert client.list_submissions() == []


def test_a_head_for_another_primary_is_refused_before_anything_is_sent(desk: Desk) -> None:
    primary = make_primary()
    desk.write()
    head = make_head_bytes(primary, make_generator())
    (desk.folder / "head.safetensors").write_bytes(head)
    statement = {"payload": _payload(digest_bytes(head))}
    (desk.folder / "head.safetensors.statement.json").write_text(json.dumps(statement))
    with pytest.raises(PrimaryMismatchError, match="train it again"):
        CliRunner().invoke(app, desk.arguments(), catch_exceptions=False)


def test_submitting_twice_is_one_submission(desk: Desk) -> None:
    desk.write()
    assert desk.submit() == desk.submit()


def test_a_killed_upload_goes_on_when_the_command_is_run_again(desk: Desk) -> None:
    desk.write()
    with weak_line(desk.url, after=40_000, breaks=99, silent=True) as line:
        command = [sys.executable, "-c", "from manyheads_contributor.cli import main; main()", *desk.arguments(url=line.url)]
        client = subprocess.Popen(command, env=os.environ | {"COLUMNS": "200"})
        deadline = time.monotonic() + 120
        while line.broken < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        client.send_signal(signal.SIGKILL)
        assert client.wait(60) == -signal.SIGKILL
    plan = json.loads(CliRunner().invoke(app, desk.arguments("--dry-run", "--json"), catch_exceptions=False).stdout)
    total = sum(path.stat().st_size for path in desk.folder.rglob("*") if path.name != "token")
    assert 0 < plan["bytes_to_send"] < total
    assert desk.submit().state in ("received", "evaluating")


def test_an_upload_outlives_a_killed_hub(tmp_path: Path, hub: Path) -> None:
    data = np.random.default_rng(0).bytes(12 << 20)
    path = tmp_path / "file"
    path.write_bytes(data)
    with open_hub(hub) as opened:
        token = enrol(opened).token
    processes = [Process(hub, "--no-worker")]

    def kill_once(position: int) -> None:
        if position > 6 << 20 and len(processes) == 1:
            processes[0].kill()
            port = processes[0].url.rpartition(":")[2]
            processes.append(Process(hub, "--no-worker", "--port", port))

    with HubClient(processes[0].url, token, pauses=(0.2,) * 20) as client:
        client.upload(digest_bytes(data), path, on_position=kill_once)
        assert client.uploaded_bytes(digest_bytes(data)) == (12 << 20, True)
    assert len(processes) == 2
    processes[1].kill()


def test_the_primary_is_fetched_by_command_and_not_fetched_twice(desk: Desk) -> None:
    out = desk.folder / "primary.safetensors"
    command = ["fetch-primary", desk.url, "--out", str(out), "--json"]
    answers = [json.loads(CliRunner().invoke(app, command, catch_exceptions=False).stdout) for _ in range(2)]
    assert [answer["new"] for answer in answers] == [True, False]
    assert out.read_bytes() == trained_primary()


def _payload(digest: str) -> str:
    statement = {"subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}}]}
    return base64.b64encode(json.dumps(statement).encode()).decode()
