"""The commands that make evidence stand up, as a laboratory and the other party type them."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from manyheads_client.case import read_case
from manyheads_client.case_verification import verify_case
from manyheads_client.cli import app
from manyheads_client.exporting import export_bundle
from manyheads_client.store import Store
from manyheads_shared.errors import DatasetError, UsageError
from manyheads_shared.keys import read_public_half
from tests.support.dossier import edit_scan, put
from tests.support.processes import start_client


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)


def value(*arguments: object) -> object:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture(scope="module")
def bench(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A laboratory's bench: a key, images, a scan of them that was sealed at its end. Not to be changed."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "images").mkdir()
    for number in range(4):
        shutil.copy(lab / "images" / f"00{number}.png", folder / "images")
    assert run("key", "new", folder / "lab.key").exit_code == 0
    arguments = ("--store", lab / "store", "--jsonl", folder / "scan.jsonl", "--device", "cpu")
    done = run("attribute", folder / "images", *arguments, "--seal-with", folder / "lab.key", "--report", folder / "a.html")
    assert done.exit_code == 0, done.exception
    assert "scan.jsonl.seal.json" in done.stdout
    return folder


@pytest.fixture
def desk(bench: Path, tmp_path: Path) -> Path:
    """A copy of the bench, to be changed."""
    return Path(shutil.copytree(bench, tmp_path / "desk"))


def test_a_report_states_the_files_digest_and_whose_seal_lies_beside_it(bench: Path) -> None:
    page = (bench / "a.html").read_text()
    seal = value("seal", bench / "scan.jsonl", "--key", bench / "lab.key")
    assert isinstance(seal, dict)
    assert seal["seal"]["records"] in page
    assert f"sealed by key {seal['key_id']} on " in page


def test_sealing_again_with_names_is_told(desk: Path) -> None:
    named = ("--case", "2026-117", "--examiner", "A. Lovelace", "--laboratory", "Lab 4")
    assert "4 images examined and 0 failed" in run("seal", desk / "scan.jsonl", "--key", desk / "lab.key", *named).stdout
    run("report", desk / "scan.jsonl", "--out", desk / "b.html", "--store", desk / "nowhere")
    assert "examiner A. Lovelace, case 2026-117" in (desk / "b.html").read_text()


def test_what_is_not_finished_or_no_record_file_is_not_sealed(desk: Path) -> None:
    whole = (desk / "scan.jsonl").read_bytes()
    (desk / "scan.jsonl").write_bytes(whole[:-5])
    for path in (desk / "scan.jsonl", desk / "images" / "000.png", desk / "nowhere.jsonl"):
        assert isinstance(run("seal", path, "--key", desk / "lab.key").exception, UsageError)
    assert isinstance(run("seal", desk / "scan.jsonl", "--key", desk / "lab.key", "--case", "x" * 501).exception, UsageError)


def test_seal_with_needs_a_record_file_and_a_key_before_any_work(bench: Path, lab: Path) -> None:
    scan = ("attribute", bench / "images", "--store", lab / "store")
    assert "--jsonl" in str(run(*scan, "--seal-with", bench / "lab.key").exception)
    assert "no key at" in str(run(*scan, "--jsonl", bench / "x.jsonl", "--seal-with", bench / "no.key").exception)
    assert not (bench / "x.jsonl").exists()


def test_a_keys_passphrase_comes_from_the_environment(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHEADS_KEY_PASSPHRASE", "correct horse")
    assert "encrypted" in run("key", "new", desk / "other.key").stdout
    assert run("seal", desk / "scan.jsonl", "--key", desk / "other.key").exit_code == 0
    monkeypatch.delenv("MANYHEADS_KEY_PASSPHRASE")
    assert isinstance(run("seal", desk / "scan.jsonl", "--key", desk / "other.key").exception, UsageError)
    assert "BEGIN PUBLIC KEY" in run("key", "show", desk / "other.key.pub").stdout


ALONE = """
import sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"{event}: no network here")

sys.addaudithook(refuse)
from manyheads_client.cli import main
sys.argv = ["manyheads", *sys.argv[1:]]
main()
"""


def run_alone(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `manyheads` where no store is and no socket may be made."""
    home.mkdir(exist_ok=True)
    kept = {name: content for name, content in os.environ.items() if not name.startswith(("MANYHEADS_", "XDG_"))}
    return subprocess.run(
        [sys.executable, "-c", ALONE, *map(str, arguments)],
        env=kept | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_other_party_verifies_without_a_store_and_without_a_network(desk: Path, lab: Path) -> None:
    store, home = Store(lab / "store"), desk / "home"
    export_bundle(store, desk / "bundle.pack")
    root = store.read_root()
    assert root is not None
    (desk / "root.json").write_bytes(root)
    given = (
        "--key",
        desk / "lab.key.pub",
        "--pack",
        desk / "bundle.pack",
        "--root",
        desk / "root.json",
        "--images",
        desk / "images",
    )
    done = run_alone(home, "verify-report", desk / "scan.jsonl", *given, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    assert [step["outcome"] for step in json.loads(done.stdout)["steps"]] == ["holds"] * 5
    edit_scan(desk / "scan.jsonl", put("1.detector.logit", lambda logit: logit + 50))
    changed = run_alone(home, "verify-report", desk / "scan.jsonl", *given)
    assert changed.returncode == 1
    assert "line 2, " in changed.stdout
    assert "the record says" in changed.stdout
    assert "not checked: The scores themselves" in changed.stdout
    assert list(home.iterdir()) == []


def test_verify_report_takes_a_store_or_a_pack(bench: Path, lab: Path) -> None:
    both = run("verify-report", bench / "scan.jsonl", "--store", lab / "store", "--pack", bench / "x.pack")
    assert isinstance(both.exception, UsageError)
    assert run("verify-report", bench / "scan.jsonl", "--store", lab / "store").exit_code == 0
    elsewhere = run("verify-report", bench / "scan.jsonl", "--store", bench / "nowhere")
    assert (elsewhere.exit_code, "never adopted here" in elsewhere.stdout) == (1, True)


def test_a_report_is_rendered_at_any_time_with_pictures_where_they_can_be_drawn(desk: Path, lab: Path) -> None:
    written = ("--out", desk / "late.html", "--csv", desk / "late.csv")
    assert run("report", desk / "scan.jsonl", *written, "--store", lab / "store", "--device", "cpu").exit_code == 0
    assert (desk / "late.html").read_text().count("as scored") == 4
    assert len((desk / "late.csv").read_text().splitlines()) == 5
    (desk / "images").rename(desk / "elsewhere")
    moved = ("--images", desk / "elsewhere", "--device", "cpu")
    run("report", desk / "scan.jsonl", *written, "--store", lab / "store", *moved)
    assert "as scored" in (desk / "late.html").read_text()
    alone = run("report", desk / "scan.jsonl", *written, "--store", desk / "nowhere")
    assert "as scored" not in (desk / "late.html").read_text()
    assert "no pictures" in alone.stderr
    assert isinstance(run("report", desk / "scan.jsonl").exception, UsageError)


def test_a_report_says_when_the_seal_beside_it_does_not_hold(desk: Path) -> None:
    edit_scan(desk / "scan.jsonl", put("1.item.notes", ["shown to a witness"]))
    run("report", desk / "scan.jsonl", "--out", desk / "b.html", "--store", desk / "nowhere")
    assert "does not hold: it seals another content" in (desk / "b.html").read_text()


def test_diff_report_shows_what_changed_as_a_small_matrix(desk: Path) -> None:
    shutil.copy(desk / "scan.jsonl", desk / "later.jsonl")
    edit_scan(desk / "later.jsonl", put("1.state", "real"))
    shown = run("diff-report", desk / "scan.jsonl", desk / "later.jsonl")
    assert (shown.exit_code, "4 images in both" in shown.stdout, "before \\ now" in shown.stdout) == (0, True, True)
    found = value("diff-report", desk / "scan.jsonl", desk / "later.jsonl")
    assert isinstance(found, dict)
    assert sum(each["images"] for each in found["transitions"]) == 4


def test_replay_answers_no_when_something_differs(desk: Path, bench: Path, lab: Path) -> None:
    arguments = ("replay", desk / "scan.jsonl", "--store", lab / "store", "--device", "cpu")
    same = run(*arguments)
    assert (same.exit_code, "4 equal; largest difference of a logit 0" in same.stdout) == (0, True), same.stdout
    edit_scan(desk / "scan.jsonl", put("1.heads.0.logit", lambda logit: logit + 1))
    assert run(*arguments).exit_code == 1
    assert run(*arguments, "--only", bench / "images" / "001.png").exit_code == 0  # the scan names its images there
    assert isinstance(run(*arguments, "--only", "nobody.png").exception, UsageError)


def test_recall_answers_no_when_a_claim_is_touched(bench: Path, lab: Path) -> None:
    clean = run("recall", bench, "--store", lab / "store")
    assert (clean.exit_code, "omega@1 yanked" in clean.stdout) == (0, True)
    assert "1 record files, 1 of them without a claim that is touched" in clean.stdout
    assert value("recall", bench / "scan.jsonl", "--store", lab / "store")["files"][0]["heads"] == []  # type: ignore[index]


def test_a_case_from_its_opening_to_its_verification(desk: Path, lab: Path) -> None:
    case, key = desk / "case", ("--key", desk / "lab.key")
    named = ("--id", "2026-117", "--examiner", "A. Lovelace", "--laboratory", "Lab 4")
    assert "case 2026-117 of Lab 4" in run("case", "new", case, *named, *key).stdout
    assert "4 files added" in run("case", "add", case, desk / "images").stdout
    assert run("case", "note", case, "received in a sealed bag").exit_code == 0
    examined = run("case", "examine", case, *key, "--store", lab / "store", "--device", "cpu", "--examiner", "G. Hopper")
    assert "4 images examined and 0 failed, sealed by key" in examined.stdout
    shown = run("case", "show", case).stdout
    assert all(words in shown for words in ("case.opened", "sealed bag", "G. Hopper", "scan.sealed", "000.png"))
    verified = run("case", "verify", case, "--key", desk / "lab.key.pub", "--store", lab / "store")
    assert (verified.exit_code, verified.stdout.count("holds")) == (0, 5), verified.stdout
    assert run_alone(desk / "home", "case", "verify", case).returncode == 0
    assert [line["action"] for line in value("case", "show", case)["log"]].count("evidence.added") == 4  # type: ignore[index]
    next((case / "evidence").iterdir()).unlink()
    assert run("case", "verify", case).exit_code == 1


def test_the_laboratorys_key_may_be_named_by_the_environment(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHEADS_KEY", str(desk / "lab.key"))
    assert run("seal", desk / "scan.jsonl").exit_code == 0


def test_a_case_killed_anywhere_holds_and_goes_on(desk: Path, lab: Path) -> None:
    case, draw, kills = desk / "case", random.Random(3), 0
    run("case", "new", case, "--id", "1", "--examiner", "Ada", "--laboratory", "Lab", "--key", desk / "lab.key")
    key = read_public_half(desk / "lab.key.pub")
    for delay in (0.05, 0.2, 0.4, 0.8, 1.6):
        process = start_client("case", "add", str(case), str(lab / "images"))
        time.sleep(delay * draw.uniform(0.5, 1.5))
        kills += process.is_alive()
        process.kill()
        process.join()
        assert verify_case(case, key).holds
    examine = ("case", "examine", str(case), "--key", str(desk / "lab.key"), "--store", str(lab / "store"), "--device", "cpu")
    run("case", "add", case, lab / "images")
    for delay in (1, 2, 3):
        process = start_client(*examine)
        time.sleep(delay * draw.uniform(0.5, 1.5))
        kills += process.is_alive()
        process.kill()
        process.join()
        assert verify_case(case, key).holds
    assert run(*examine).exit_code == 0
    verification = verify_case(case, key)
    assert (verification.holds, kills > 0) == (True, True)
    assert len({evidence.digest for evidence in read_case(case).evidence}) == 40
    assert read_case(case).scans[-1].sealed is not None


def test_nothing_to_examine_in_attribute_is_still_an_error(bench: Path, lab: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    arguments = ("--store", lab / "store", "--jsonl", tmp_path / "scan.jsonl", "--seal-with", bench / "lab.key")
    assert isinstance(run("attribute", tmp_path, *arguments).exception, DatasetError)
    assert (tmp_path / "scan.jsonl.seal.json").exists()  # that nothing could be examined is a finding too
