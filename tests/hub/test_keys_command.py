import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from manyheads_hub.audit import log
from manyheads_hub.commands.keys import app
from manyheads_hub.hub import build_database, open_hub
from manyheads_hub.migrations.run import upgrade
from manyheads_hub.settings import Settings
from manyheads_hub.signing.keyring import MissingKeysError, create_keys
from manyheads_hub.signing.ledger import DatabaseLedger
from manyheads_hub.signing.repository import TufRepository
from manyheads_hub.storage.directory import DirectoryStorage


def make_hub(folder: Path, *, days_ago: int = 0) -> Path:
    settings = Settings(folder, "test-hub")
    settings.write()
    database = build_database(settings)
    upgrade(database)
    TufRepository(
        DirectoryStorage(folder),
        database.alone,
        DatabaseLedger(database),
        create_keys(settings.keys),
        clock=lambda: datetime.now(UTC) - timedelta(days=days_ago),
    ).create()
    return folder


def keys(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def read(result: Result) -> Any:
    return json.loads(result.stdout)


def test_show_lists_all_eight_keys_and_where_they_are(tmp_path: Path) -> None:
    folder = make_hub(tmp_path / "hub")
    (folder / "keys" / "offline").rename(tmp_path / "safe")
    rows = read(keys("show", str(folder), "--json"))
    assert [(row["name"], row["folder"], row["here"]) for row in rows] == [
        *[("root", "offline", False)] * 3,
        *[("targets", "offline", False)] * 2,
        ("snapshot", "online", True),
        ("timestamp", "online", True),
        ("evaluation", "online", True),
    ]


def test_show_for_people_is_a_table(tmp_path: Path) -> None:
    result = keys("show", str(make_hub(tmp_path)))
    assert "2 of 3" in result.stdout
    assert "offline" in result.stdout


def test_check_is_silent_about_a_fresh_hub(tmp_path: Path) -> None:
    result = keys("check", str(make_hub(tmp_path)), "--json")
    assert result.exit_code == 0
    assert {row["role"]: row["late"] for row in read(result)} == dict.fromkeys(
        ("timestamp", "snapshot", "targets", "root"), False
    )


def test_check_warns_a_given_number_of_days_before_the_offline_keys_are_needed(tmp_path: Path) -> None:
    folder = str(make_hub(tmp_path))
    result = keys("check", folder, "--within", "100", "--json")
    assert result.exit_code == 1
    assert [row["role"] for row in read(result) if row["late"]] == ["targets"]
    assert "keys refresh" in keys("check", folder, "--within", "100").stdout


def test_check_tells_that_the_server_does_not_refresh(tmp_path: Path) -> None:
    result = keys("check", str(make_hub(tmp_path, days_ago=2)))
    assert result.exit_code == 1
    assert "Is `serve` running?" in result.stdout


def test_refresh_repairs_what_check_complains_of(tmp_path: Path) -> None:
    folder = str(make_hub(tmp_path, days_ago=6))
    assert read(keys("refresh", folder, "--json")) == {"dry_run": False, "signed": ["snapshot", "timestamp"]}
    assert keys("check", folder).exit_code == 0


def test_a_dry_run_says_what_would_be_signed_and_signs_nothing(tmp_path: Path) -> None:
    folder = make_hub(tmp_path)
    before = sorted((path, path.read_bytes()) for path in (folder / "tuf").rglob("*.json"))
    result = keys("refresh", str(folder), "--all", "--dry-run")
    assert result.stdout == "would sign again: root, targets, snapshot, timestamp\n"
    assert sorted((path, path.read_bytes()) for path in (folder / "tuf").rglob("*.json")) == before


def test_renewing_everything_needs_the_offline_keys(tmp_path: Path) -> None:
    folder = make_hub(tmp_path / "hub")
    (folder / "keys" / "offline").rename(tmp_path / "safe")
    assert isinstance(keys("refresh", str(folder), "--all").exception, MissingKeysError)


def test_what_signs_for_the_hub_changes_by_a_line_in_the_audit_log(tmp_path: Path) -> None:
    folder = make_hub(tmp_path / "hub")
    rotated, overtaken = read(keys("rotate", str(folder), "snapshot", "--json")), read(keys("overtake", str(folder), "--json"))
    draft = str(tmp_path / "next.json")
    keys("draft-root", str(folder), draft, "--threshold", "root=1")
    for key in sorted((folder / "keys" / "offline").glob("root-?"))[:2]:
        assert keys("sign", draft, "--key", str(key), "--yes").exit_code == 0
    assert keys("install", str(folder), draft).exit_code == 0
    with open_hub(folder) as hub, hub.database.read() as session:
        lines = [(line.action, line.subject, line.details) for line in log.entries(session)]
        root = hub.repository.key_ids()["root"]
    assert lines == [
        ("role.rotated", "snapshot", {"removed": rotated["removed"], "added": rotated["added"]}),
        ("hub.overtaken", "test-hub", overtaken["signed"]),
        ("root.installed", "4", {"keys": sorted(root)}),
    ]


@pytest.mark.parametrize("command", ["show", "check", "refresh"])
def test_every_command_has_an_example(command: str) -> None:
    assert f"Example: manyheads-hub keys {command}" in keys(command, "--help").stdout
