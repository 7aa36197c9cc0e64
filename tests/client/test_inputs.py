from pathlib import Path

import pytest

from manyheads_client.inputs import collect_inputs
from manyheads_shared.errors import UsageError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "deep/er/c.webp", "deep/.hidden.png", "notes.txt", "raw"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def names(root: Path, *paths: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in collect_inputs(paths).images]


def test_folders_are_walked_in_order_to_the_last_corner(tree: Path) -> None:
    assert names(tree, tree) == ["a.JPG", "b.png", "deep/.hidden.png", "deep/er/c.webp"]


def test_other_files_are_passed_over_and_counted(tree: Path) -> None:
    assert collect_inputs([tree]).passed_over == {".txt": 1, "": 1}


def test_a_file_named_outright_is_examined_whatever_its_name(tree: Path) -> None:
    assert names(tree, tree / "raw") == ["raw"]


def test_a_file_reached_twice_counts_once(tree: Path) -> None:
    (tree / "link.png").symlink_to(tree / "b.png")
    assert names(tree, tree / "b.png", tree) == ["b.png", "a.JPG", "deep/.hidden.png", "deep/er/c.webp"]


def test_a_path_that_is_not_there_is_refused(tree: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        collect_inputs([tree / "nowhere"])
