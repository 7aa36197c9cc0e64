import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from manyheads_hub.evaluations import measure
from manyheads_hub.evaluations.measure import PICTURES, measure_catalogue, measure_head
from manyheads_hub.evaluations.scores import Scores, detector_logits, head_logits
from manyheads_hub.evaluations.suite import Suite, load_suite
from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.compute import choose_compute
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import NonFiniteScoreError
from manyheads_shared.image import decode_image
from manyheads_shared.networks import Primary
from manyheads_shared.scoring import Scorer
from tests.support.makers import SIZE, make_generator, make_head, make_primary, write_dataset

COMPUTE = choose_compute("cpu", "float32")
PRIMARY = make_primary()
HEAD = make_head(PRIMARY, make_generator("alpha"))
SOURCES = {"real/celeba": 6, "generated/beta": 5, "external/real/elsewhere": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "suite", SOURCES)


@pytest.fixture
def suite(folder: Path) -> Suite:
    return load_suite(folder, {})


@pytest.fixture
def proofs(tmp_path: Path) -> list[bytes]:
    folder = write_dataset(tmp_path / "proofs", {"generated/alpha": 12}, seed=99)
    return [path.read_bytes() for path in sorted((folder / "generated/alpha").iterdir())]


def measure_detector(primary: PrimaryArtifact, suite: Suite) -> Scores:
    return next(measure_catalogue(primary, [], suite, COMPUTE).each)


def test_every_image_is_scored_as_the_client_would_score_it(suite: Suite, proofs: list[bytes]) -> None:
    rows = measure_head(PRIMARY, HEAD, suite, proofs, COMPUTE).scores.rows
    pixels = {image.digest: image.decode().pixels for image in suite.images} | {
        digest_bytes(proof): decode_image(proof).pixels for proof in proofs
    }
    expected = Scorer(PRIMARY, [HEAD], COMPUTE).score([pixels[row.digest] for row in rows])
    np.testing.assert_allclose(np.stack([detector_logits(rows), head_logits(rows)], axis=1), expected, rtol=1e-5, atol=1e-6)


def test_a_score_document_names_suite_primary_head_and_machine(suite: Suite, proofs: list[bytes]) -> None:
    scores = measure_head(PRIMARY, HEAD, suite, proofs, COMPUTE).scores
    assert (scores.suite, scores.primary, scores.head) == (suite.digest, PRIMARY.digest, HEAD.digest)
    assert scores.device.startswith("CPU")
    assert "torch" in scores.software


def test_proof_images_are_marked_and_the_suites_are_not(suite: Suite, proofs: list[bytes]) -> None:
    rows = measure_head(PRIMARY, HEAD, suite, proofs, COMPUTE).scores.rows
    assert {row.digest for row in rows if row.proof} == {digest_bytes(proof) for proof in proofs}
    assert {(row.kind, row.source, row.external) for row in rows if row.proof} == {("generated", "alpha", False)}


def test_a_primarys_own_scores_have_no_head(suite: Suite) -> None:
    scores = measure_detector(PRIMARY, suite)
    assert scores.head is None
    assert {row.head for row in scores.rows} == {None}


def test_the_same_measurement_twice_gives_the_same_bytes(folder: Path, proofs: list[bytes]) -> None:
    (folder / "real/celeba/broken.png").write_bytes(b"no picture")
    suite = load_suite(folder, {})
    first, second = (measure_head(PRIMARY, HEAD, suite, proofs, COMPUTE) for _ in range(2))
    assert first.scores.to_bytes() == second.scores.to_bytes()
    assert first.pictures == second.pictures


def test_a_whole_catalogue_is_measured_like_each_of_its_heads(suite: Suite) -> None:
    heads = [HEAD, make_head(PRIMARY, make_generator("beta"), seed=5)]
    detector, *each = measure_catalogue(PRIMARY, heads, suite, COMPUTE).each
    assert detector == measure_detector(PRIMARY, suite)
    assert [scores.head for scores in each] == [head.digest for head in heads]
    for head, scores in zip(heads, each, strict=True):
        np.testing.assert_allclose(
            head_logits(scores.rows),
            head_logits(measure_head(PRIMARY, head, suite, [], COMPUTE).scores.rows),
            rtol=1e-5,
            atol=1e-6,
        )


def count_trunk_images(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Watch how many images each trunk pass takes; the four probe images of the feature contract come first."""
    passes: list[int] = []
    original = Primary.__init__

    def watched(self: Primary, *args: object) -> None:
        original(self, *args)  # type: ignore[arg-type]
        self.trunk.register_forward_hook(lambda _, inputs, __: passes.append(len(inputs[0])))

    monkeypatch.setattr(Primary, "__init__", watched)
    return passes


def test_every_image_passes_the_trunk_once(suite: Suite, proofs: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    passes = count_trunk_images(monkeypatch)
    measure_head(PRIMARY, HEAD, suite, proofs, COMPUTE)
    assert passes[0] == 4
    assert sum(passes[1:]) == len(suite.images) + len(proofs)


def test_a_catalogue_of_many_heads_takes_one_pass_an_image(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = count_trunk_images(monkeypatch)
    heads = [make_head(PRIMARY, make_generator(f"g{i}"), seed=i) for i in range(5)]
    list(measure_catalogue(PRIMARY, heads, suite, COMPUTE).each)
    assert sum(passes[1:]) == len(suite.images)


def test_undecodable_images_are_listed_and_the_rest_is_scored(folder: Path) -> None:
    (folder / "real/celeba/broken.png").write_bytes(b"no picture")
    scores = measure_detector(PRIMARY, load_suite(folder, {}))
    assert len(scores.rows) == sum(SOURCES.values())
    assert [unusable.digest for unusable in scores.unusable] == [digest_bytes(b"no picture")]


def test_images_of_several_sizes_are_scored_at_their_own_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(folder, {"generated/large": 3}, size=80)
    passes = count_trunk_images(monkeypatch)
    scores = measure_detector(make_primary(size=None), load_suite(folder, {}))
    assert len(scores.rows) == sum(SOURCES.values()) + 3
    assert 3 in passes


def test_large_images_come_in_smaller_batches(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "BATCH_PIXELS", 4 * SIZE * SIZE)
    passes = count_trunk_images(monkeypatch)
    assert len(measure_detector(PRIMARY, suite).rows) == len(suite.images)
    assert passes == [4, 4, 4, 4, 1]  # the probe, then 13 images


def test_an_image_too_small_for_the_primary_is_listed(folder: Path) -> None:
    spec = PRIMARY.manifest.preprocessing.model_copy(update={"fit": "crop"})
    cropping = replace(PRIMARY, manifest=PRIMARY.manifest.model_copy(update={"preprocessing": spec}))
    write_dataset(folder, {"generated/small": 2}, size=20)
    scores = measure_detector(cropping, load_suite(folder, {}))
    assert len(scores.rows) == sum(SOURCES.values())
    assert [unusable.reason for unusable in scores.unusable] == [
        "expected at least 32x32 pixels for this primary, got 20x20"
    ] * 2


def test_progress_is_told_after_every_batch(suite: Suite, proofs: list[bytes]) -> None:
    told: list[tuple[int, int]] = []
    measure_head(PRIMARY, HEAD, suite, proofs, COMPUTE, on_batch=lambda done, total: told.append((done, total)))
    assert told[-1] == (25, 25)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_head_whose_scores_overflow_is_refused(suite: Suite) -> None:
    wild = {name: tensor * np.float32(1e30) for name, tensor in HEAD.tensors.items()}
    with pytest.raises(NonFiniteScoreError, match="alpha@1"):
        measure_head(PRIMARY, replace(HEAD, tensors=wild), suite, [], COMPUTE)


def test_pictures_are_of_proofs_only_and_few(suite: Suite, proofs: list[bytes]) -> None:
    pictures = measure_head(PRIMARY, HEAD, suite, proofs, COMPUTE).pictures
    chosen = sorted(digest_bytes(proof) for proof in proofs)[:PICTURES]
    assert len(pictures) == PICTURES
    assert all(digest[:15] in picture.caption for digest, picture in zip(chosen, pictures, strict=True))


def test_a_picture_carries_the_logit_that_was_scored(suite: Suite, proofs: list[bytes]) -> None:
    measurement = measure_head(PRIMARY, HEAD, suite, proofs, COMPUTE)
    scored = {row.digest: row.head for row in measurement.scores.rows}
    shown = sorted(digest_bytes(proof) for proof in proofs)[:PICTURES]
    assert [picture.logit for picture in measurement.pictures] == [scored[digest] for digest in shown]


def test_a_picture_shows_image_and_overlay_side_by_side(suite: Suite, proofs: list[bytes]) -> None:
    picture = measure_head(PRIMARY, HEAD, suite, proofs, COMPUTE).pictures[0]
    image = Image.open(io.BytesIO(picture.png))
    assert image.size == (192 + 8 + 192, 192)


def test_the_sizes_of_what_was_scored_are_told_without_those_of_external_images(folder: Path) -> None:
    write_dataset(folder, {"generated/large": 1}, size=80)
    write_dataset(folder, {"external/real/huge": 1}, size=200)
    (folder / "real/celeba/broken.png").write_bytes(b"no picture")
    looks = measure_catalogue(PRIMARY, [], load_suite(folder, {}), COMPUTE).looks
    assert sorted(look.shorter_side for look in looks) == [SIZE] * 11 + [80]
    assert {(look.condition.width, look.condition.height) for look in looks} == {(SIZE, SIZE)}  # as the network sees them
