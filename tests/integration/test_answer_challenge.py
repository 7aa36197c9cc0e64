"""The ownership challenge with the real command and a real hub."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manyheads_contributor.cli import app
from manyheads_hub.evaluations.policy import Policy, write_policy
from manyheads_hub.hub import Hub, open_hub
from manyheads_shared.errors import DatasetError, UsageError
from manyheads_shared.keys import write_private_key
from tests.support.live_hub import Owner, enrol, find, make_hub, package, serving, submit, work
from tests.support.makers import make_generator
from tests.support.world import draw_images, encode

ASKED = 24


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with open_hub(make_hub(tmp_path / "hub")) as hub:
        write_policy(hub.settings.policy, Policy.new(challenge_images=ASKED))
        yield hub


@pytest.fixture
def ada(tmp_path: Path, hub: Hub) -> Owner:
    owner = enrol(hub)
    write_private_key(tmp_path / "ada.pem", owner.key)
    (tmp_path / "token").write_text(owner.token)
    return owner


def run(tmp_path: Path, url: str, *arguments: str) -> str:
    where = ["--hub", url, "--token-file", str(tmp_path / "token")]
    result = CliRunner().invoke(app, ["answer-challenge", *arguments, *where], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_challenge_is_shown_answered_by_seed_and_met(tmp_path: Path, hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    work(hub)
    with serving(hub.settings.folder) as url:
        challenge = json.loads(run(tmp_path, url, submission, "--json"))
        assert (challenge["state"], len(challenge["seeds"])) == ("open", ASKED)
        fresh = tmp_path / "fresh"
        fresh.mkdir()
        for seed, image in zip(challenge["seeds"], draw_images("alpha", ASKED, seed=77), strict=True):
            (fresh / f"{seed}.png").write_bytes(encode(image))
        signed = [submission, str(fresh), "--key", str(tmp_path / "ada.pem")]
        assert f"would send {ASKED} images" in run(tmp_path, url, *signed, "--dry-run")
        assert f"sent {ASKED} images" in run(tmp_path, url, *signed)
        assert "answered" in run(tmp_path, url, *signed)  # again, as after a kill: the same answer
        work(hub)
        assert "met" in run(tmp_path, url, submission)
    assert find(hub, submission).state == "accepted"


def test_status_waits_for_an_answer_to_be_measured_and_for_no_answer_to_be_given(tmp_path: Path, hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    work(hub)
    with serving(hub.settings.folder) as url:
        where = ["--hub", url, "--token-file", str(tmp_path / "token")]
        wait = ["status", submission, "--wait", *where]
        assert "waiting for your answer" in CliRunner().invoke(app, wait, catch_exceptions=False).stdout
        seeds = json.loads(run(tmp_path, url, submission, "--json"))["seeds"]
        for seed, image in zip(seeds, draw_images("alpha", ASKED, seed=77), strict=True):
            (tmp_path / f"{seed}.png").write_bytes(encode(image))
        run(tmp_path, url, submission, str(tmp_path), "--key", str(tmp_path / "ada.pem"))
        worker = threading.Timer(0.5, work, [hub])
        worker.start()
        waited = CliRunner().invoke(app, wait, catch_exceptions=False)
        worker.join()
    assert "published in bundle 2" in waited.stdout


def test_a_missing_seed_and_a_missing_key_are_told_before_anything_is_sent(tmp_path: Path, hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    work(hub)
    with serving(hub.settings.folder) as url:
        with pytest.raises(UsageError, match="--key"):
            run(tmp_path, url, submission, str(tmp_path))
        with pytest.raises(DatasetError, match="run the generator with that seed"):
            run(tmp_path, url, submission, str(tmp_path), "--key", str(tmp_path / "ada.pem"))
