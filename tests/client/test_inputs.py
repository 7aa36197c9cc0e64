import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from manyheads_client.inputs import Inputs, find_item
from manyheads_shared.errors import UnreadableImageError, UsageError
from manyheads_shared.image import MAX_FILE_BYTES


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "deep/er/c.webp", "deep/.hidden.png", "notes.txt", "raw"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def names(root: Path, *paths: Path) -> list[str]:
    return [str(Path(item.name).relative_to(root)) for item in Inputs(paths).items()]


def test_folders_are_walked_in_order_to_the_last_corner(tree: Path) -> None:
    assert names(tree, tree) == ["a.JPG", "b.png", "deep/.hidden.png", "deep/er/c.webp"]


def test_other_files_are_passed_over_and_counted(tree: Path) -> None:
    inputs = Inputs([tree])
    list(inputs.items())
    assert inputs.passed_over == {".txt": 1, "": 1}


def test_a_file_named_outright_is_examined_whatever_its_name(tree: Path) -> None:
    assert names(tree, tree / "raw") == ["raw"]


def test_a_path_that_is_not_there_is_refused_before_any_work(tree: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        Inputs([tree / "nowhere"]).verify()


def test_a_pattern_means_what_it_matches(tree: Path) -> None:
    inputs = [tree / "**" / "*.webp"]
    Inputs(inputs).verify()
    assert names(tree, *inputs) == ["deep/er/c.webp"]
    with pytest.raises(UsageError, match="nothing matches"):
        Inputs([tree / "*.gif"]).verify()


@pytest.mark.parametrize(("end", "null"), [(b"\n", False), (b"\0", True)])
def test_a_list_names_files_and_folders(tree: Path, tmp_path: Path, end: bytes, *, null: bool) -> None:
    listed = tmp_path / "names"
    listed.write_bytes(end.join(os.fsencode(tree / name) for name in ("raw", "deep/er", "gone.png")) + end)
    found = [Path(item.name).name for item in Inputs([], [listed], null=null).items()]
    assert found == ["raw", "c.webp", "gone.png"]  # what is gone by then is a failure of its own


def test_standard_input_is_there_once(tree: Path) -> None:
    with pytest.raises(UsageError, match="given twice"):
        Inputs([Path("-"), tree], [Path("-")]).verify()


def test_images_in_archives_are_read_in_place(tree: Path, tmp_path: Path) -> None:
    (tree / "b.png").write_bytes(b"picture")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(tree / "b.png", "sub/b.png")
        archive.writestr("notes.txt", "no picture")
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as archive:
        archive.add(tree / "b.png", "../b.png")
    inputs = Inputs([tmp_path / "z.zip", tmp_path / "t.tar.gz"])
    items = list(inputs.items())
    assert [item.name for item in items] == [f"{tmp_path}/z.zip!/sub/b.png", f"{tmp_path}/t.tar.gz!/../b.png"]
    assert [item.read() for item in items] == [b"picture"] * 2
    assert [find_item(item.name).read() for item in items] == [b"picture"] * 2
    assert inputs.passed_over == {".txt": 1}


@pytest.mark.parametrize("name", ["broken.zip", "broken.tar", "broken.tar.xz"])
def test_a_broken_archive_is_one_failure(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no archive at all")
    (item,) = Inputs([tmp_path / name]).items()
    with pytest.raises(UnreadableImageError, match="archive is damaged"):
        item.read()


def test_an_encrypted_member_is_its_own_failure(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("a.png", b"a")
    data = bytearray((tmp_path / "z.zip").read_bytes())
    data[6] |= 1  # flag of the member
    data[data.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    (tmp_path / "z.zip").write_bytes(data)
    (item,) = Inputs([tmp_path / "z.zip"]).items()
    with pytest.raises(UnreadableImageError, match="encrypted"):
        item.read()


def test_no_more_of_a_member_is_read_than_a_file_may_have(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(MAX_FILE_BYTES + 100))
    (item,) = Inputs([tmp_path / "bomb.zip"]).items()
    assert len(item.read()) == MAX_FILE_BYTES + 1
