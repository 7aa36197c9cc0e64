import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manyheads_contributor.cli import app
from manyheads_contributor.federation.site import read_site
from manyheads_shared.errors import UsageError
from tests.support.federation import make_site


def _run(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["federate", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_owner_makes_a_node_key_and_a_policy(tmp_path: Path) -> None:
    made = json.loads(_run("key", tmp_path / "node", "--json"))
    assert Path(made["public"]).read_text().startswith("ecdsa-sha2-nistp384 ")
    _run("site", tmp_path / "site.toml", "--party", "ada")
    assert read_site(tmp_path / "site.toml").party == "ada"


def test_joining_dry_says_what_would_be_shared_and_starts_nothing(tmp_path: Path) -> None:
    for name in ("maintainer.pub", "superlink.pem"):
        (tmp_path / name).write_text("")
    _run("key", tmp_path / "node")
    site = make_site(tmp_path, "ada", Path("maintainer.pub"))
    told = json.loads(_run("join", site, "--dry-run", "--json"))
    assert (told["party"], told["real"], told["generated"]) == ("ada", 20, 20)
    assert not (tmp_path / "work").exists()


def test_a_policy_is_not_overwritten_and_a_record_must_be_there(tmp_path: Path) -> None:
    _run("site", tmp_path / "site.toml", "--party", "ada")
    with pytest.raises(UsageError, match="exists"):
        _run("site", tmp_path / "site.toml", "--party", "ben")
    with pytest.raises(UsageError, match="record"):
        _run("verify", tmp_path / "none.jsonl", "--primary", tmp_path / "none.safetensors")
