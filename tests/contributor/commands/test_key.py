import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manyheads_contributor.cli import app
from manyheads_shared.errors import UsageError
from manyheads_shared.keys import parse_public_key, read_private_key


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["key", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_new_key_is_private_and_its_public_half_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "owner.pem"
    answer = json.loads(_run("new", str(path), "--json"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_private_key(path).public_key == parse_public_key((tmp_path / "owner.pem.pub").read_text())
    assert answer["key_id"] == read_private_key(path).public_key.keyid
    assert answer["encrypted"] is False


def test_the_passphrase_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "owner.pem"
    monkeypatch.setenv("MANYHEADS_KEY_PASSPHRASE", "correct horse")
    shown = json.loads(_run("new", str(path), "--json"))
    assert "ENCRYPTED" in path.read_text()
    assert json.loads(_run("show", str(path), "--json"))["key_id"] == shown["key_id"]
    monkeypatch.delenv("MANYHEADS_KEY_PASSPHRASE")
    with pytest.raises(UsageError, match="MANYHEADS_KEY_PASSPHRASE"):
        _run("show", str(path))


@pytest.mark.parametrize("taken", ["owner.pem", "owner.pem.pub"])
def test_nothing_is_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("precious")
    with pytest.raises(UsageError, match=r"never overwritten|expected an Ed25519 private key"):
        _run("new", str(tmp_path / "owner.pem"))
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "precious"


def test_a_key_without_its_public_half_gets_it(tmp_path: Path) -> None:
    path, public = tmp_path / "owner.pem", tmp_path / "owner.pem.pub"
    _run("new", str(path))
    private, half = path.read_bytes(), public.read_bytes()
    public.unlink()
    _run("new", str(path))
    assert (path.read_bytes(), public.read_bytes()) == (private, half)


def test_either_half_shows_the_same_key(tmp_path: Path) -> None:
    _run("new", str(tmp_path / "owner.pem"))
    assert _run("show", str(tmp_path / "owner.pem")) == _run("show", str(tmp_path / "owner.pem.pub"))


def test_no_key_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="key new"):
        _run("show", str(tmp_path / "none.pem"))
