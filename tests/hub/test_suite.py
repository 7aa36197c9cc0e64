from collections.abc import Sequence
from pathlib import Path
from typing import overload

import pytest

from manyheads_hub.evaluations.suite import DECODE_AHEAD, Suite, label_proofs, load_suite, work_ahead
from manyheads_shared.dataset import scan_dataset
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import DatasetError, DigestMismatchError, ImageError
from tests.support.makers import SIZE, write_dataset

SOURCES = {"real/celeba": 6, "generated/beta": 5, "external/real/elsewhere": 2, "external/generated/unseen": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "suite", SOURCES)


def read_all(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def decode_all(suite: Suite) -> None:
    list(work_ahead(suite.images, lambda image: image.decode().pixels.shape))


def parts(suite: Suite, label: str) -> list[str]:
    return sorted(image.part for image in suite.images if str(image.label) == label)


def test_a_suite_holds_every_image_under_its_label(folder: Path) -> None:
    assert load_suite(folder, {}).counts() == SOURCES


def test_each_source_is_halved(folder: Path) -> None:
    suite = load_suite(folder, {})
    assert parts(suite, "real/celeba") == ["calibration"] * 3 + ["test"] * 3
    assert parts(suite, "generated/beta") == ["calibration"] * 2 + ["test"] * 3


def test_a_suites_digest_is_the_datasets_whatever_the_files_are_called(folder: Path) -> None:
    before = load_suite(folder, {}).digest
    assert before == scan_dataset(folder).digest
    (folder / "real/celeba/0000.png").rename(folder / "real/celeba/zzz.png")
    assert load_suite(folder, {}).digest == before


def test_another_image_or_another_label_is_another_suite(folder: Path) -> None:
    before = load_suite(folder, {}).digest
    (folder / "real/celeba").rename(folder / "real/ffhq")
    relabelled = load_suite(folder, {}).digest
    (folder / "real/ffhq/0000.png").unlink()
    assert len({before, relabelled, load_suite(folder, {}).digest}) == 3


def test_proofs_of_catalogued_generators_join_as_their_images(folder: Path, tmp_path: Path) -> None:
    proofs = read_all(write_dataset(tmp_path / "more", {"real/x": 4}, seed=77) / "real/x")
    suite = load_suite(folder, {"gamma": proofs})
    assert suite.counts() == SOURCES | {"generated/gamma": 4}
    assert not any(image.proof for image in suite.images)
    assert suite.digest != load_suite(folder, {}).digest


def test_an_image_under_two_labels_is_set_aside_and_named(folder: Path) -> None:
    stolen = (folder / "real/celeba/0000.png").read_bytes()
    suite = load_suite(folder, {"gamma": [stolen]})
    assert suite.counts() == SOURCES | {"real/celeba": 5}
    assert [(u.digest, u.reason) for u in suite.set_aside] == [
        (digest_bytes(stolen), "stands under several labels: generated/gamma, real/celeba")
    ]


def test_an_image_twice_under_one_label_counts_once(folder: Path) -> None:
    (folder / "real/celeba/copy.png").write_bytes((folder / "real/celeba/0000.png").read_bytes())
    assert load_suite(folder, {}).counts() == SOURCES


def test_a_suite_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no image found"):
        load_suite(write_dataset(tmp_path, {}), {})


def test_an_image_that_changed_since_loading_is_refused(folder: Path) -> None:
    suite = load_suite(folder, {})
    (folder / "real/celeba/0000.png").write_bytes((folder / "generated/beta/0000.png").read_bytes())
    with pytest.raises(DigestMismatchError, match="suite image in real/celeba"):
        decode_all(suite)


def test_proofs_are_labelled_once_each_and_halved(folder: Path) -> None:
    proofs = read_all(folder / "generated/beta")
    labelled = label_proofs("beta", [*proofs, proofs[0]])
    assert [image.digest for image in labelled] == sorted(digest_bytes(proof) for proof in proofs)
    assert {(str(image.label), image.proof) for image in labelled} == {("generated/beta", True)}
    assert labelled[0].decode().pixels.shape == (SIZE, SIZE, 3)


def test_only_a_few_images_are_in_memory_before_their_turn(folder: Path) -> None:
    images = load_suite(folder, {}).images * 10
    begun = 0

    def work(_: object) -> None:
        nonlocal begun
        begun += 1

    for taken, _ in enumerate(work_ahead(images, work), start=1):
        assert begun <= taken + DECODE_AHEAD
    assert begun == len(images)


def test_an_error_that_is_not_about_the_image_passes_through(folder: Path) -> None:
    def work(_: object) -> None:
        raise OSError(5, "the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(work_ahead(load_suite(folder, {}).images, work))


def test_an_images_error_comes_in_its_turn(folder: Path) -> None:
    def work(_: object) -> None:
        raise ImageError("too small")

    assert {str(result) for _, result in work_ahead(load_suite(folder, {}).images, work)} == {"too small"}


class OneAtATime(Sequence[bytes]):
    """Proof images that are read from the disk each time; remembers the reads."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths, self.reads = paths, 0

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        assert isinstance(index, int)
        self.reads += 1
        return self.paths[index].read_bytes()

    def __len__(self) -> int:
        return len(self.paths)


def test_proof_images_are_read_once_for_their_digest_and_once_for_their_pixels(folder: Path) -> None:
    lazy = OneAtATime(sorted((folder / "generated/beta").iterdir()))
    suite = load_suite(folder / ".", {"beta": lazy})
    assert lazy.reads == 5
    assert suite.counts() == SOURCES
    decode_all(suite)
    assert lazy.reads == 10
