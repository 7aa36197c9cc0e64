import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manyheads_contributor.cli import app as contributor
from manyheads_hub.cli import app
from manyheads_hub.federation.folder import FederationFolder
from manyheads_hub.hub import Hub
from manyheads_hub.upgrades import candidates
from manyheads_shared.artifact import read_primary
from manyheads_shared.digest import digest_file
from manyheads_shared.errors import UsageError
from manyheads_shared.keys import make_key_files
from tests.support.federation import Federation, make_federation
from tests.support.makers import make_primary_bytes


def _run(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["federate", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key_files(tmp_path / "maintainer.pem").private


def test_a_plan_is_written_signed_and_its_run_told(tmp_path: Path, key: Path) -> None:
    _run("plan", tmp_path / "plan.toml")
    told = json.loads(_run("prepare", tmp_path / "training", tmp_path / "plan.toml", "--key", key, "--json"))
    assert told["plan"] == FederationFolder(tmp_path / "training").read().plan.digest
    assert "flwr run" in told["command"]


def test_preparing_dry_writes_nothing(tmp_path: Path, key: Path) -> None:
    _run("plan", tmp_path / "plan.toml")
    _run("prepare", tmp_path / "training", tmp_path / "plan.toml", "--key", key, "--dry-run")
    assert not (tmp_path / "training").exists()


def test_a_training_without_privacy_says_so(tmp_path: Path, key: Path) -> None:
    _run("plan", tmp_path / "plan.toml")
    assert "privacy  none" in _run("prepare", tmp_path / "a", tmp_path / "plan.toml", "--key", key)
    text = (tmp_path / "plan.toml").read_text() + "[privacy]\nclip_norm = 1.0\nnoise_multiplier = 40.0\ndelta = 1e-5\n"
    (tmp_path / "plan.toml").write_text(text)
    assert "privacy  epsilon 0.9" in _run("prepare", tmp_path / "b", tmp_path / "plan.toml", "--key", key)


def test_a_training_starts_from_a_published_primary(tmp_path: Path, key: Path) -> None:
    _run("plan", tmp_path / "plan.toml")
    (tmp_path / "p.safetensors").write_bytes(make_primary_bytes(size=64))
    _run("prepare", tmp_path / "a", tmp_path / "plan.toml", "--key", key, "--initial", tmp_path / "p.safetensors")
    folder = FederationFolder(tmp_path / "a")
    start = folder.read_state(folder.read()).tensors
    assert (
        start["trunk.conv1.weight"] == read_primary((tmp_path / "p.safetensors").read_bytes()).tensors["trunk.conv1.weight"]
    ).all()
    (tmp_path / "q.safetensors").write_bytes(make_primary_bytes(size=32))
    with pytest.raises(UsageError, match="image_size"):
        _run("prepare", tmp_path / "b", tmp_path / "plan.toml", "--key", key, "--initial", tmp_path / "q.safetensors")


def test_status_package_and_verify_speak_of_one_training(tmp_path: Path) -> None:
    federation: Federation = make_federation(tmp_path, 2)
    federation.run()
    primary = tmp_path / "faces.safetensors"
    packaged = json.loads(_run("package", federation.folder.path, "--out", primary, "--key", federation.key, "--json"))
    status = json.loads(_run("status", federation.folder.path, "--json"))
    assert status["primary"] == packaged["digest"]
    assert status["parties"] == {"party0": ["accepted"] * 2, "party1": ["accepted"] * 2}
    told = CliRunner().invoke(contributor, ["federate", "verify", packaged["record"], "--primary", str(primary)]).stdout
    assert "differential privacy: none" in told
    assert "whoever that is" in told


def test_what_a_federation_makes_is_what_a_hub_measures_to_promote(tmp_path: Path, hub: Hub) -> None:
    federation, primary = make_federation(tmp_path, 2, version="2"), tmp_path / "faces.safetensors"
    federation.run()
    _run("package", federation.folder.path, "--out", primary, "--key", federation.key)
    done = CliRunner().invoke(app, ["candidate", str(hub.settings.folder), str(primary), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with hub.database.read() as session:
        (offered,) = candidates.list_candidates(session)
    assert (offered.digest, offered.state) == (digest_file(primary), "measured")
