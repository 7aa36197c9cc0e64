"""Who holds which image: nobody trains on what others are measured with, and groups stay together."""

import shutil
from itertools import combinations
from pathlib import Path

import pytest
from PIL import Image

from deploy.demo.partition import Partition, make_partition
from manyheads_shared.dataset import scan_dataset
from manyheads_shared.errors import DatasetError
from tests.support.makers import make_images, write_dataset

SOURCES = {"real/photos": 150, "generated/alpha": 200, "generated/beta": 200, "external/generated/gamma": 20}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("world"), SOURCES)


@pytest.fixture(scope="module")
def partition(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Partition:
    return make_partition(world, tmp_path_factory.mktemp("parties"))


def digests(folder: Path, kind: str = "*") -> set[str]:
    """The contents of the files below a folder, as hex, of the sources that match."""
    return {path.read_bytes().hex() for path in folder.glob(f"{kind}/*.png")}


def test_suite_training_proofs_and_examples_share_no_image(partition: Partition) -> None:
    training = digests(partition.public, "[rg]*/*") | digests(partition.data("alpha"), "[rg]*/*")
    training |= digests(partition.data("beta"), "[rg]*/*")
    proofs = digests(partition.owner("alpha"), "proofs") | digests(partition.owner("beta"), "proofs")
    parties = {
        "training": training,
        "proofs": proofs,
        "suite": digests(partition.suite, "*/*"),
        "examples": digests(partition.examples, "[rg]*/*"),
    }
    assert all(parties.values())
    for (name, images), (other, others) in combinations(parties.items(), 2):
        assert not images & others, f"{name} and {other}"


def test_private_images_are_in_their_owners_folder_alone(partition: Partition) -> None:
    public = digests(partition.public, "generated/alpha")
    private = digests(partition.data("alpha"), "generated/alpha") - public
    assert len(private) > 30
    elsewhere = [
        folder for folder in partition.root.rglob("alpha") if partition.owner("alpha") not in (folder, *folder.parents)
    ]
    assert elsewhere
    for folder in elsewhere:
        assert not private & digests(folder.parent, folder.name), folder


def test_every_image_has_a_place(partition: Partition, world: Path) -> None:
    held = {item.digest for item in scan_dataset(partition.suite).items}
    held |= {item.digest for item in scan_dataset(partition.examples).items}
    for name in partition.generators:
        held |= {item.digest for item in scan_dataset(partition.data(name)).items}
    proofs = {path.read_bytes().hex() for path in partition.root.glob("owners/*/proofs/*.png")}
    missing = [item for item in scan_dataset(world).items if item.digest not in held]
    assert {item.path.read_bytes().hex() for item in missing} == proofs


def test_external_images_are_in_no_training_folder(partition: Partition) -> None:
    assert not (partition.public / "external").exists()
    assert not digests(partition.suite, "external/*/*") & digests(partition.examples, "external/*/*")


def test_files_of_one_group_are_held_by_one_party(tmp_path: Path) -> None:
    write_dataset(tmp_path / "world", {"real/photos": 100})
    folder = tmp_path / "world" / "generated" / "alpha"
    folder.mkdir(parents=True)
    for i, pixels in enumerate(make_images(360)):
        Image.fromarray(pixels).save(folder / f"epoch{i // 60}-latent{i % 60:03d}.png")
    partition = make_partition(tmp_path / "world", tmp_path / "out", group_pattern=r"latent(\d+)")
    places = [partition.suite / "generated/alpha", partition.proofs("alpha"), partition.data("alpha") / "generated/alpha"]
    held = [{path.stem.partition("-")[2] for path in place.iterdir()} for place in places]
    assert all(held)
    assert not any(one & other for one, other in combinations(held, 2))


def test_the_same_images_give_the_same_folders_under_any_name(world: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "renamed"
    for i, item in enumerate(reversed(scan_dataset(world).items)):
        target = renamed / item.path.relative_to(world).with_name(f"{i}.png")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.path, target)
    first, second = make_partition(world, tmp_path / "a"), make_partition(renamed, tmp_path / "b")
    assert scan_dataset(first.suite).digest == scan_dataset(second.suite).digest
    assert scan_dataset(first.data("beta")).digest == scan_dataset(second.data("beta")).digest


def test_too_few_images_for_proofs_are_refused(tmp_path: Path) -> None:
    world = write_dataset(tmp_path / "world", {"real/photos": 50, "generated/alpha": 30})
    with pytest.raises(DatasetError, match="proof images of alpha"):
        make_partition(world, tmp_path / "out")
