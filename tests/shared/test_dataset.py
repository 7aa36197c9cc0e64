import shutil
from pathlib import Path

import pytest

from manyheads_shared.dataset import dataset_digest, scan_dataset
from manyheads_shared.digest import digest_file
from manyheads_shared.errors import DatasetError
from tests.support.makers import write_dataset

LAYOUT = {"real/photos": 3, "generated/alpha": 2, "external/real/phones": 1, "external/generated/omega": 2}


def test_every_image_gets_the_label_of_its_folder(tmp_path: Path) -> None:
    dataset = scan_dataset(write_dataset(tmp_path, LAYOUT))

    assert [(item.kind, item.source, item.external) for item in dataset.items] == [
        *[("generated", "alpha", False)] * 2,
        *[("generated", "omega", True)] * 2,
        ("real", "phones", True),
        *[("real", "photos", False)] * 3,
    ]
    assert all(item.digest == digest_file(item.path) for item in dataset.items)


def test_selections_are_by_kind_source_and_externality(tmp_path: Path) -> None:
    dataset = scan_dataset(write_dataset(tmp_path, LAYOUT))

    assert len(dataset.select()) == 8
    assert len(dataset.select(kind="real", external=False)) == 3
    assert len(dataset.select(source="omega")) == 2
    assert dataset.sources("generated") == ("alpha",)
    assert dataset.sources("generated", external=True) == ("omega",)


def test_only_images_in_view_are_taken(tmp_path: Path) -> None:
    photos = write_dataset(tmp_path, {"real/photos": 1}) / "real" / "photos"
    for name in (".hidden.png", "notes.txt", "README"):
        (photos / name).write_bytes(b"x")
    (photos / "folder.png").mkdir()
    (tmp_path / "real" / ".cache").mkdir()
    shutil.copy(photos / "0000.png", photos / "UPPER.PNG")

    assert [item.path.name for item in scan_dataset(tmp_path).items] == ["0000.png", "UPPER.PNG"]


def test_the_digest_names_the_set_whatever_the_file_names(tmp_path: Path) -> None:
    first = scan_dataset(write_dataset(tmp_path / "a", LAYOUT))
    renamed = write_dataset(tmp_path / "b", LAYOUT)
    (renamed / "real/photos/0000.png").rename(renamed / "real/photos/zebra.png")

    assert scan_dataset(renamed).digest == first.digest


def test_the_digest_changes_with_a_label_or_an_image(tmp_path: Path) -> None:
    first = scan_dataset(write_dataset(tmp_path, LAYOUT))
    relabelled = [*first.items[:-1], first.items[0]]

    assert dataset_digest(first.items[1:]) != first.digest
    assert dataset_digest(relabelled) != first.digest


@pytest.mark.parametrize("name", ["My Photos", "Ünicode", "-dash", "x" * 65])
def test_a_source_that_cannot_be_a_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "real" / name).mkdir(parents=True)

    with pytest.raises(DatasetError, match="rename the folder"):
        scan_dataset(tmp_path)


def test_a_folder_without_images_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="real/SOURCE"):
        scan_dataset(tmp_path)


def test_an_absent_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        scan_dataset(tmp_path / "absent")
