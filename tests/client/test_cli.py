import json
import os
import shutil
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from manyheads_client.cli import app
from manyheads_client.errors import FreezeError
from manyheads_client.records import read_records
from manyheads_client.store import Store
from manyheads_shared.clock import now
from manyheads_shared.digest import digest_file
from manyheads_shared.errors import DatasetError, UsageError, VerificationError
from manyheads_shared.evidence import Examined
from tests.support.hub_simulator import HubSimulator
from tests.support.packs import entries_of, write_entries


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)


def test_attribute_prints_a_line_an_image_and_a_summary(lab: Path) -> None:
    result = run("attribute", lab / "images", "--store", lab / "store")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["image", "verdict", "claimed", "by", "detector", "nearest", "head"]
    assert sum(str(lab / "images") in line for line in lines) == 40
    assert "covers: alpha@1, beta@1, gamma@1." in result.stdout
    assert "Left out of it: omega@1" in result.stdout
    assert "contradictory: detector and heads disagree." in result.stdout


def test_attribute_writes_records_and_a_report(lab: Path, tmp_path: Path) -> None:
    jsonl, page = tmp_path / "scan.jsonl", tmp_path / "scan.html"
    assert run("attribute", lab / "images", "--store", lab / "store", "--jsonl", jsonl, "--report", page).exit_code == 0
    assert sum(isinstance(record, Examined) for record in read_records(jsonl)) == 40
    assert page.read_text().count('<article class="card') == 40


def test_reports_name_the_record_file_that_stays(lab: Path, tmp_path: Path) -> None:
    jsonl, page, paper = tmp_path / "scan.jsonl", tmp_path / "scan.html", tmp_path / "scan.pdf"
    arguments = ("attribute", lab / "images" / "000.png", "--store", lab / "store", "--report", page, "--report", paper)
    assert run(*arguments).exit_code == 0
    assert "Record file" not in page.read_text()
    assert run(*arguments, "--jsonl", jsonl).exit_code == 0
    assert f"Record file {digest_file(jsonl)}, not sealed." in page.read_text()
    assert paper.read_bytes().startswith(b"%PDF-")


def test_a_report_for_which_a_library_is_missing_is_refused_before_the_scan(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "manyheads_client.pdf.document", raising=False)
    monkeypatch.setitem(sys.modules, "reportlab.lib.styles", None)  # as if it were not installed
    result = run("attribute", lab / "images", "--store", lab / "store", "--report", tmp_path / "scan.pdf")
    assert isinstance(result.exception, UsageError)
    assert "pip install 'manyheads[pdf]'" in str(result.exception)


def test_a_scan_taken_up_again_examines_only_what_is_left(lab: Path, tmp_path: Path) -> None:
    jsonl = tmp_path / "scan.jsonl"
    images = sorted((lab / "images").iterdir())
    run("attribute", *images[:5], "--store", lab / "store", "--jsonl", jsonl)
    jsonl.write_bytes(jsonl.read_bytes()[:-20])
    result = run("attribute", *images[:8], "--store", lab / "store", "--jsonl", jsonl)
    assert "4 were recorded before" in result.stdout
    names = [record.name for record in read_records(jsonl) if isinstance(record, Examined)]
    assert names == [str(image) for image in images[:8]]


def test_a_file_examined_again_counts_once(lab: Path, tmp_path: Path) -> None:
    jsonl, image = tmp_path / "scan.jsonl", tmp_path / "a.png"
    os.mkfifo(image)  # it cannot be read
    good = lab / "images" / "000.png"
    run("attribute", image, good, "--store", lab / "store", "--jsonl", jsonl)
    image.unlink()
    image.write_bytes(good.read_bytes())
    result = run("attribute", image, good, "--store", lab / "store", "--jsonl", jsonl, "--json")
    assert [record["format"] for record in json.loads(result.stdout)["records"]] == ["manyheads.evidence/2"] * 2
    assert len(list(read_records(jsonl))) == 3
    assert "failed" not in run("show", jsonl).stdout


def test_attribute_json_is_the_records_and_nothing_else(lab: Path) -> None:
    result = run("attribute", lab / "images" / "000.png", "--store", lab / "store", "--json")
    value = json.loads(result.stdout)
    ((record,), (instrument,)) = value["records"], value["instruments"]
    assert record["format"] == "manyheads.evidence/2"
    assert len(record["heads"]) == len(instrument["heads"]) == 3


def test_lists_archives_and_tables_go_together(lab: Path, tmp_path: Path) -> None:
    images = sorted((lab / "images").iterdir())
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(images[0], "a.png")
    (tmp_path / "names").write_text(f"{images[1]}\n{tmp_path / 'gone.png'}\n")
    table = tmp_path / "t.csv"
    result = run("attribute", tmp_path / "z.zip", "--list", tmp_path / "names", "--store", lab / "store", "--csv", table)
    assert result.exit_code == 0
    assert f"{tmp_path}/z.zip!/a.png" in result.stdout
    assert table.read_text().count("\n") == 4


def test_one_image_on_standard_input(lab: Path) -> None:
    image = (lab / "images" / "000.png").read_bytes()
    result = CliRunner().invoke(app, ["attribute", "-", "--store", str(lab / "store"), "--json"], input=image)
    (record,) = json.loads(result.stdout)["records"]
    assert record["item"]["name"] == "stdin"


def test_nothing_to_examine_says_what_to_do(lab: Path) -> None:
    result = run("attribute", "--store", lab / "store")
    assert isinstance(result.exception, DatasetError)
    assert "name images or folders" in str(result.exception)


def test_a_report_of_an_unknown_kind_is_refused_before_any_work(lab: Path, tmp_path: Path) -> None:
    result = run("attribute", lab / "images", "--store", lab / "store", "--report", tmp_path / "report.docx")
    assert isinstance(result.exception, UsageError)
    assert "ends in .html" in str(result.exception)


def test_failures_are_listed_and_do_not_stop_the_others(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    result = run("attribute", tmp_path, lab / "images" / "000.png", "--store", lab / "store")
    assert result.exit_code == 0
    assert "expected an image, got an empty file" in result.stdout
    assert "1  failed" in result.stdout


def test_not_one_image_examined_is_an_error(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    result = run("attribute", tmp_path, "--store", lab / "store")
    assert isinstance(result.exception, DatasetError)
    assert result.exception.exit_code == 5


def test_a_folder_without_images_is_an_error_that_says_what_is_there(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "scene.heic").touch()
    result = run("attribute", tmp_path, "--store", lab / "store")
    assert isinstance(result.exception, DatasetError)
    assert "1 .heic" in str(result.exception)


@pytest.mark.parametrize("option", ["--jsonl", "--report"])
def test_nowhere_to_write_is_found_before_any_work(lab: Path, tmp_path: Path, option: str) -> None:
    result = run("attribute", lab / "images", "--store", lab / "store", option, tmp_path)
    assert isinstance(result.exception, UsageError)


def test_pull_and_pull_again(tmp_path: Path) -> None:
    hub = HubSimulator()
    (tmp_path / "root.json").write_bytes(hub.root_bytes)
    with hub.serve() as address:
        first = run("pull", address, "--root", tmp_path / "root.json", "--store", tmp_path / "store", "--json")
        second = run("pull", "--store", tmp_path / "store")
    assert json.loads(first.stdout)["new"] is True
    assert "already at bundle 1 of hub test-hub" in second.stdout.replace("\n", " ")


def test_pull_without_a_root_file_that_is_there(tmp_path: Path) -> None:
    result = run("pull", "http://127.0.0.1:9", "--root", tmp_path / "none.json", "--store", tmp_path / "store")
    assert isinstance(result.exception, UsageError)


def test_verify_lists_what_holds(lab: Path) -> None:
    result = run("verify", "--store", lab / "store")
    assert result.exit_code == 0
    assert "holds  bundle 1 (current)" in result.stdout
    assert "timestamp metadata: valid until" in result.stdout


def test_verify_names_what_fails(lab: Path, tmp_path: Path) -> None:
    shutil.copytree(lab / "store", tmp_path / "store", symlinks=True)
    store = Store(tmp_path / "store")
    store.object_path(store.current().bundle).write_bytes(b"changed")
    result = run("verify", "--store", store.folder, "--json")
    assert isinstance(result.exception, VerificationError)
    failed = [finding["subject"] for finding in json.loads(result.stdout) if not finding["holds"]]
    assert "bundle 1 (current)" in failed
    assert len(failed) == 3  # the object, the objects, the bundle


def test_show_tells_the_current_bundle(lab: Path) -> None:
    result = run("show", "--store", lab / "store")
    assert result.exit_code == 0
    assert "left out: omega@1, yanked" in result.stdout
    assert "gamma@1" in result.stdout
    assert json.loads(run("show", "--store", lab / "store", "--json").stdout)["history"][0]["sequence"] == 1


def test_show_tells_a_record_file(lab: Path, tmp_path: Path) -> None:
    run("attribute", lab / "images", "--store", lab / "store", "--jsonl", tmp_path / "scan.jsonl")
    assert "inconclusive: not enough evidence." in run("show", tmp_path / "scan.jsonl").stdout
    assert len(json.loads(run("show", tmp_path / "scan.jsonl", "--json").stdout)["records"]) == 40


def test_a_bundle_goes_from_store_to_store_in_a_file(lab: Path, tmp_path: Path) -> None:
    pack, other = tmp_path / "bundle.pack", tmp_path / "store"
    exported = json.loads(run("export", pack, "--store", lab / "store", "--json").stdout)
    root = ("--root", lab / "store" / "root.json")
    tried = json.loads(run("import", pack, *root, "--store", other, "--dry-run", "--json").stdout)
    assert (tried["dry_run"], tried["new"], other.exists()) == (True, True, False)
    assert "now at bundle 1 of hub test-hub" in run("import", pack, *root, "--store", other).stdout
    again = run("import", pack, "--store", other)
    assert "already at bundle 1 of hub test-hub" in again.stdout
    assert exported["pack"] in again.stdout
    assert tried["pack"] == exported["pack"]


def test_an_import_past_its_date_says_so_loudly_and_in_every_record(tmp_path: Path, lab: Path) -> None:
    hub, store, pack = HubSimulator(), tmp_path / "store", tmp_path / "pack"
    hub.expire("timestamp", datetime.now(UTC).replace(microsecond=0) - timedelta(days=12, hours=1))
    (tmp_path / "root.json").write_bytes(hub.root_bytes)
    write_entries(pack, entries_of(hub))
    strict = run("import", pack, "--root", tmp_path / "root.json", "--store", store, "--max-age", 12)
    assert isinstance(strict.exception, FreezeError)
    imported = run("import", pack, "--root", tmp_path / "root.json", "--store", store, "--max-age", 13)
    assert "12 days ago: the hub may have published newer bundles" in imported.stderr
    page, image = tmp_path / "report.html", lab / "images" / "000.png"
    (instrument,) = json.loads(run("attribute", image, "--store", store, "--json", "--report", page).stdout)["instruments"]
    assert instrument["metadata"]["confirmed"] is None
    assert instrument["metadata"]["expires"]["timestamp"] < now()
    assert "12 days before: the hub may have published a newer one since" in page.read_text()


def test_show_and_verify_tell_that_a_bundle_was_imported(lab: Path, tmp_path: Path) -> None:
    pack, other = tmp_path / "pack", tmp_path / "store"
    digest = json.loads(run("export", pack, "--store", lab / "store", "--json").stdout)["pack"]
    run("import", pack, "--root", lab / "store" / "root.json", "--store", other)
    shown = run("show", "--store", other).stdout
    assert f"imported from pack {digest}" in shown
    assert "never confirmed by its hub from here" in shown
    assert f"imported from pack {digest}" in run("verify", "--store", other).stdout
    assert "pulled from http://hub.test" in run("verify", "--store", lab / "store").stdout


@pytest.mark.parametrize("command", ["pull", "attribute", "verify", "show", "export", "import"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert f"Example: manyheads {command}" in run(command, "--help").stdout


def test_what_is_asked_of_a_cluster_needs_one(lab: Path) -> None:
    result = run("attribute", lab / "images", "--store", lab / "store", "--ray-actors", "2")
    assert isinstance(result.exception, UsageError)
    assert "need --engine ray" in str(result.exception)
