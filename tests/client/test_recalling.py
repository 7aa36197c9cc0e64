"""A head that was taken back: which records it had claimed, and where it was merely asked."""

import shutil
from pathlib import Path

import pytest

from manyheads_client import Bundle
from manyheads_client.recalling import Recalled, find_record_files, find_touched, read_recalled
from manyheads_client.records import read_latest
from manyheads_client.store import Store
from manyheads_shared.decision import Answer
from manyheads_shared.digest import Digest
from manyheads_shared.errors import ManifestError, UsageError
from manyheads_shared.evidence import Examined
from manyheads_shared.recall import Recall
from tests.support.dossier import make_scan
from tests.support.makers import NO_DIGEST, TIME

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def scan(lab: Path, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = sorted((lab / "images").iterdir())
    return make_scan(tmp_path_factory.mktemp("reports") / "scan.jsonl", images, bundle, None, stability=False)


def write_recall(path: Path, bundle: Bundle, state: str, number: int = 0) -> Path:
    entry = bundle.verified.manifest.heads[number]
    recall = Recall.new(
        hub="test-hub",
        generator=entry.generator,
        head=entry.head,
        state=state,
        reason="claims photographs of cats",
        since=TIME,
        owner_key=entry.owner_key,
        owner_key_revoked=None,
        bundles=(),
        created=TIME,
    )
    path.write_bytes(recall.to_bytes())
    return path


def test_the_newest_bundle_says_which_heads_were_yanked(store: Store) -> None:
    (recalled,) = read_recalled(store, []).values()
    assert (recalled.title, recalled.state, recalled.head) == ("omega@1", "yanked", NO_DIGEST)


@pytest.mark.parametrize("state", ["yanked", "quarantined"])
def test_a_hubs_recall_tells_apart_what_was_claimed_and_what_was_asked(
    scan: Path, bundle: Bundle, tmp_path: Path, state: str
) -> None:
    recalled = read_recalled(None, [write_recall(tmp_path / "recall.json", bundle, state)])
    (rest,) = find_touched(scan, recalled)
    records = [record for record in read_latest(scan) if isinstance(record, Examined)]
    claimed = [record.name for record in records if record.record.heads[0].answer is Answer.YES]
    assert [touched.name for touched in rest.claimed] == claimed
    assert len(rest.claimed) > 0
    assert len(rest.asked) == len(records) - len(claimed)


@pytest.mark.parametrize("state", ["listed", "replaced", "obsolete"])
def test_a_head_that_was_not_taken_back_touches_nothing(bundle: Bundle, tmp_path: Path, state: str) -> None:
    assert read_recalled(None, [write_recall(tmp_path / "recall.json", bundle, state)]) == {}


def test_a_head_that_was_never_asked_touches_nothing(scan: Path, store: Store) -> None:
    assert find_touched(scan, read_recalled(store, [])) == []


def test_records_of_the_first_version_are_searched_too(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "v1" / "evidence.json", tmp_path / "old.jsonl")
    with (tmp_path / "old.jsonl").open("ab") as file:
        file.write(b"\n")
    head = Digest("sha256:9ea740e3b03c170ea29cf698ff95141f92284e2a22cbf4928cb0b6e0863248f0")
    (rest,) = find_touched(tmp_path / "old.jsonl", {head: Recalled(head, "golden@1", "yanked", "", "a test")})
    assert (len(rest.claimed), [touched.name for touched in rest.asked]) == (0, ["picture.png"])


def test_in_folders_only_record_files_are_looked_at(scan: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    shutil.copy(scan, tmp_path / "deep" / "scan.jsonl")
    (tmp_path / "custody.jsonl").write_text('{"action":"case.opened"}\n')
    (tmp_path / "other.jsonl").write_text("notes\n")
    assert list(find_record_files([tmp_path])) == [tmp_path / "deep" / "scan.jsonl"]
    with pytest.raises(UsageError, match="no such file or folder"):
        list(find_record_files([tmp_path / "nowhere"]))


def test_a_document_that_is_no_recall_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_recalled(None, [tmp_path / "nowhere.json"])
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ManifestError):
        read_recalled(None, [tmp_path / "x.json"])
