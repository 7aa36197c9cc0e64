from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from manyheads_contributor.run import RunFolder
from manyheads_contributor.submission import Offer, check_offer
from manyheads_shared.dataset import Dataset, Item
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import ArtifactError, DatasetError, StatementError, UsageError
from manyheads_shared.keys import generate_key
from manyheads_shared.statements import OwnerPredicate, sign_owner_statement
from tests.support.makers import TIME, make_generator, make_head_bytes, make_images, make_primary

PROOFS = 20


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """A packaged head with its statement, and twenty proofs in `proofs`."""
    primary = make_primary()
    data = make_head_bytes(primary)
    predicate = OwnerPredicate(generator=make_generator(), primary=primary.digest, created=TIME)
    (tmp_path / "head.safetensors.statement.json").write_bytes(
        sign_owner_statement(digest_bytes(data), predicate, generate_key())
    )
    (tmp_path / "proofs").mkdir()
    for i, pixels in enumerate(make_images(PROOFS)):
        Image.fromarray(pixels).save(tmp_path / f"proofs/{i:02d}.png")
    path = tmp_path / "head.safetensors"
    path.write_bytes(data)
    return path


def _check(head: Path, run: Path | None = None) -> Offer:
    return check_offer(head, head.parent / "proofs", run=run)


def test_a_whole_offer_names_every_file_by_digest(head: Path) -> None:
    offer = _check(head)
    assert offer.manifest.generator == make_generator()
    assert len(offer.files) == PROOFS + 2
    assert all(digest_bytes(path.read_bytes()) == digest for digest, path in offer.files.items())
    assert offer.request.proofs == list(offer.proofs)
    assert offer.with_metadata == 0


def test_a_file_that_is_no_head_is_refused(head: Path) -> None:
    head.write_bytes(b"weights")
    with pytest.raises(ArtifactError):
        _check(head)


def test_a_head_without_its_statement_is_refused(head: Path) -> None:
    (head.parent / "head.safetensors.statement.json").unlink()
    with pytest.raises(UsageError, match="package"):
        _check(head)


@pytest.mark.parametrize("statement", [b"{}", b"no JSON", b'{"payload": "%%%"}', b'{"payload": "e30="}'])
def test_a_statement_that_is_none_is_refused(head: Path, statement: bytes) -> None:
    (head.parent / "head.safetensors.statement.json").write_bytes(statement)
    with pytest.raises(StatementError, match="expected an owner's statement"):
        _check(head)


def test_a_statement_about_another_head_is_refused(head: Path) -> None:
    head.write_bytes(make_head_bytes(make_primary(), seed=7))
    with pytest.raises(StatementError, match="another head"):
        _check(head)


def test_too_few_proofs_are_refused(head: Path) -> None:
    (head.parent / "proofs/00.png").unlink()
    with pytest.raises(UsageError, match="20 to 2000 proof images"):
        _check(head)


def test_every_undecodable_or_repeated_proof_is_named(head: Path) -> None:
    proofs = head.parent / "proofs"
    (proofs / "03.png").write_bytes(b"no image")
    (proofs / "05.png").write_bytes((proofs / "04.png").read_bytes())
    with pytest.raises(DatasetError, match=r"2 of 20 .*03\.png: expected a PNG.*05\.png shows the same pixels as 04\.png"):
        _check(head)


def test_a_proof_that_was_trained_on_is_refused_in_whatever_file(head: Path, head_run: Path, dataset: Dataset) -> None:
    trained, tested = (RunFolder(head_run).read_split()[side] for side in ("train", "test"))
    proof = head.parent / "proofs/07.png"
    _show_instead(proof, next(item for item in dataset.items if item.digest in trained))
    with pytest.raises(UsageError, match=r"1 of 20 proof images were trained on .*07\.webp"):
        _check(head, head_run)
    _show_instead(proof, next(item for item in dataset.items if item.digest in tested))
    assert len(_check(head, head_run).proofs) == PROOFS


def _show_instead(proof: Path, item: Item) -> None:
    """Put an image of the dataset in a proof's place, as lossless WebP: other bytes, the same pixels."""
    proof.unlink(missing_ok=True)
    Image.open(item.path).save(proof.with_suffix(".webp"), lossless=True)


def test_metadata_that_would_go_along_is_counted(head: Path) -> None:
    words = PngInfo()
    words.add_text("prompt", "secret")
    proof = head.parent / "proofs/00.png"
    Image.open(proof).save(proof, pnginfo=words)
    assert _check(head).with_metadata == 1


def test_a_missing_proofs_folder_is_said_so(head: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        check_offer(head, head.parent / "none")
