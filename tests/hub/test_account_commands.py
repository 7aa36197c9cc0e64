"""The commands of accounts, tokens, keys, aliases, the audit log and webhooks, as a maintainer types them."""

import json
from pathlib import Path

import pytest

from manyheads_hub.auth import authenticate
from manyheads_hub.errors import ConflictError, NotFoundError, UnauthorisedError
from manyheads_hub.hub import Hub
from manyheads_shared.errors import UsageError
from manyheads_shared.keys import generate_key, public_pem
from tests.hub.test_commands import run, run_json
from tests.support.live_hub import Owner, package, submit, work
from tests.support.makers import make_generator

WHY = ("--reason", "because")


@pytest.fixture
def folder(hub: Hub) -> Path:
    return hub.settings.folder


@pytest.fixture
def accepted(hub: Hub, ada: Owner) -> str:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    work(hub)
    return submission


def audit_length(folder: Path) -> object:
    return run_json("audit", "verify", folder)["sequence"]


def test_a_reviewer_gets_an_account_and_a_token_and_loses_both(hub: Hub, folder: Path) -> None:
    run_json("accounts", "add", folder, "grace", "--role", "reviewer")
    issued = run_json("tokens", "issue", folder, "grace", "--label", "desk", "--scope", "review", "--days", "7")
    token = str(issued["token"])
    with hub.database.read() as session:
        assert authenticate(session, token).scopes == {"review"}
    assert token not in run("tokens", "list", folder).stdout
    run_json("accounts", "close", folder, "grace", *WHY)
    with hub.database.read() as session, pytest.raises(UnauthorisedError, match="because"):
        authenticate(session, token)


def test_an_owner_has_no_account_without_being_enrolled(folder: Path) -> None:
    with pytest.raises(UsageError, match="enrolled or invited"):
        run("accounts", "add", folder, "ada", "--role", "owner")


def test_a_token_is_revoked_by_its_number(folder: Path, hub: Hub, ada: Owner) -> None:
    (row,) = json.loads(run("tokens", "list", folder, "--account", "ada", "--json").stdout)
    run_json("tokens", "revoke", folder, row["id"], *WHY)
    with hub.database.read() as session, pytest.raises(UnauthorisedError):
        authenticate(session, ada.token)


def test_a_key_is_replaced_and_the_old_one_revoked_with_its_heads(
    folder: Path, ada: Owner, accepted: str, tmp_path: Path, hub: Hub
) -> None:
    (tmp_path / "new.pub").write_text(public_pem(generate_key().public_key))
    run_json("owner-keys", "replace", folder, "ada", "--key", tmp_path / "new.pub", *WHY)
    revoked = run_json("owner-keys", "revoke", folder, ada.key.public_key.keyid, "--yank-heads", *WHY)
    assert (revoked["signed"], revoked["yanked"]) == (["alpha@1"], ["alpha@1"])
    assert work(hub) == 1
    recall = run_json("recall", folder, "alpha@1")
    assert (recall["state"], recall["owner_key_revoked"] is None) == ("yanked", False)
    with pytest.raises(ConflictError, match="was enrolled for ada"):
        run("owner-keys", "replace", folder, "ada", "--key", write(tmp_path / "old.pub", ada), *WHY)


def write(path: Path, owner: Owner) -> Path:
    path.write_text(public_pem(owner.key.public_key))
    return path


DRY = [
    ("accounts", "add", "FOLDER", "grace", "--role", "reader"),
    ("accounts", "close", "FOLDER", "ada", *WHY),
    ("tokens", "issue", "FOLDER", "ada", "--label", "ci"),
    ("tokens", "revoke", "FOLDER", "1", *WHY),
    ("invite", "FOLDER", "bob", "--generator", "gamma"),
    ("owner-keys", "replace", "FOLDER", "ada", "--key", "KEY", *WHY),
    ("owner-keys", "revoke", "FOLDER", "KEYID", "--yank-heads", *WHY),
    ("quarantine", "FOLDER", "alpha@1", *WHY),
    ("aliases", "move", "FOLDER", "court", "1", *WHY),
    ("webhooks", "add", "FOLDER", "https://lab.example/hook"),
]


@pytest.mark.parametrize("options", [("--dry-run",), ("--dry-run", "--json")])
def test_a_dry_run_changes_nothing(folder: Path, ada: Owner, accepted: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "key.pub").write_text(public_pem(generate_key().public_key))
    names = {"FOLDER": folder, "KEY": tmp_path / "key.pub", "KEYID": ada.key.public_key.keyid}
    before = audit_length(folder)
    for arguments in DRY:
        result = run(*(names.get(part, part) for part in arguments), *options)
        assert (result.exit_code, "mh_" in result.stdout, "mhw_" in result.stdout) == (0, False, False), arguments
    assert audit_length(folder) == before
    assert [token["revoked"] for token in json.loads(run("tokens", "list", folder, "--json").stdout)] == [None]


def test_an_alias_is_moved_listed_and_its_history_kept(folder: Path) -> None:
    run_json("aliases", "move", folder, "court", 1, *WHY)
    run_json("aliases", "move", folder, "court", *WHY)
    assert [alias["alias"] for alias in json.loads(run("aliases", "list", folder, "--json").stdout)] == ["latest"]
    assert [move["sequence"] for move in json.loads(run("aliases", "history", folder, "court", "--json").stdout)] == [None, 1]


def test_the_log_is_exported_and_verified_without_the_hub(folder: Path, ada: Owner, tmp_path: Path) -> None:
    run("audit", "export", folder, "--out", tmp_path / "audit.jsonl")
    here, there = run_json("audit", "verify", folder), run_json("audit", "verify", "--file", tmp_path / "audit.jsonl")
    assert (here, here["intact"]) == (there, True)
    run_json("audit", "verify", folder, "--anchor", f"{here['sequence']}:{here['digest']}")
    lines = (tmp_path / "audit.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "audit.jsonl").write_bytes(b"".join(lines[:1] + lines[2:]))
    broken = run("audit", "verify", "--file", tmp_path / "audit.jsonl")
    assert (broken.exit_code, "expected line 2, got line 3" in broken.stdout) == (1, True)


@pytest.mark.parametrize("anchor", ["", "7", "seven:sha256:00", "1:sha256:00"])
def test_what_is_no_anchor_is_refused(folder: Path, anchor: str) -> None:
    with pytest.raises(UsageError, match="--anchor"):
        run("audit", "verify", folder, "--anchor", anchor)


def test_a_subscription_is_made_tested_and_ended(folder: Path) -> None:
    made = run_json("webhooks", "add", folder, "https://lab.example/hook", "--event", "head.yanked")
    assert str(made["secret"]).startswith("mhw_")
    run_json("webhooks", "test", folder, made["id"])
    (message,) = json.loads(run("webhooks", "deliveries", folder, "--json").stdout)
    assert (message["event"], message["state"]) == ("webhook.tested", "waiting")
    run_json("webhooks", "remove", folder, made["id"], *WHY)
    assert json.loads(run("webhooks", "list", folder, "--json").stdout) == []
    with pytest.raises(NotFoundError):
        run("webhooks", "replay", folder, message["id"])


def test_a_waiting_submission_is_refused(folder: Path, hub: Hub, ada: Owner) -> None:
    submission = submit(hub, ada, package(ada, make_generator("alpha")))
    run_json("refuse", folder, submission, *WHY)
    assert work(hub) == 0
    with pytest.raises(ConflictError, match="is refused"):
        run("refuse", folder, submission, *WHY)
