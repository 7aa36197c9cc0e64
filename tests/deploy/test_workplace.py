"""The demo throws away what it made, and nothing else."""

from pathlib import Path

import pytest

from deploy.demo.workplace import claim_folder
from manyheads_shared.errors import UsageError


def test_a_new_or_empty_folder_is_claimed_and_returned_to(tmp_path: Path) -> None:
    claim_folder(tmp_path / "new", None)
    (tmp_path / "new/hub").mkdir()
    claim_folder(tmp_path / "new", None)
    assert (tmp_path / "new/hub").is_dir()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, *, fresh: bool) -> None:
    (tmp_path / "hub/manyheads_hub").mkdir(parents=True)  # a checkout of ours, for instance
    with pytest.raises(UsageError, match="did not make"):
        claim_folder(tmp_path, None, fresh=fresh)
    assert [path.name for path in tmp_path.rglob("*")] == ["hub", "manyheads_hub"]


@pytest.mark.parametrize("out", [".", "faces", "other/../faces"])
def test_the_images_are_never_the_working_folder_or_in_it(tmp_path: Path, out: str) -> None:
    (tmp_path / "faces/real/photos").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="the folder of the images"):
        claim_folder(tmp_path / out, tmp_path / "faces", fresh=True)
    assert (tmp_path / "faces/real/photos").is_dir()


def test_fresh_throws_away_what_an_earlier_demo_left(tmp_path: Path) -> None:
    claim_folder(tmp_path / "work", None)
    (tmp_path / "work/hub").mkdir()
    (tmp_path / "work/results.json").write_text("{}")
    (tmp_path / "faces").mkdir()
    (tmp_path / "work/images").symlink_to(tmp_path / "faces")
    claim_folder(tmp_path / "work", None, fresh=True)
    assert [path.name for path in (tmp_path / "work").iterdir()] == [".manyheads-demo"]
    assert (tmp_path / "faces").is_dir()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("notes")
    with pytest.raises(UsageError, match="this is a file"):
        claim_folder(tmp_path / "work", None)
