import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads_client import Attribution, Bundle, Failure, analysis, attribute
from manyheads_client.inputs import Item
from manyheads_shared import preprocess
from manyheads_shared.bundle import verify_bundle
from manyheads_shared.compute import choose_compute
from manyheads_shared.decision import State
from manyheads_shared.digest import digest_file
from manyheads_shared.errors import UsageError
from manyheads_shared.image import DecodedImage, Pixels, decode_image
from manyheads_shared.manifest import Preprocessing
from tests.support.makers import TIME, make_bundle, make_primary_bytes
from tests.support.overflow import overflow_on


def paths_of(lab: Path) -> list[Path]:
    return sorted((lab / "images").iterdir())


def run(images: list[analysis.ImageSource], bundle: Bundle, **options: Any) -> list[Attribution | Failure]:
    return list(attribute(images, bundle, device="cpu", precision="float32", **options))


def bytes_but_for_time(results: list[Attribution | Failure]) -> list[bytes]:
    return [
        result.entry.record.model_copy(update={"created": TIME}).to_bytes()
        for result in results
        if isinstance(result, Attribution)
    ]


def test_every_state_occurs_and_each_image_has_one(bundle: Bundle, lab: Path) -> None:
    results = run([*paths_of(lab)], bundle)
    assert [result.name for result in results] == [str(path) for path in paths_of(lab)]
    assert {result.state for result in results if isinstance(result, Attribution)} == set(State)


def test_scores_are_those_of_the_scorer(bundle: Bundle, images: list[Pixels]) -> None:
    expected = bundle.scorer(choose_compute("cpu", "float32")).score(images[:5])
    records = [result.record for result in run([*images[:5]], bundle) if isinstance(result, Attribution)]
    measured = [[record.detector.logit, *(head.logit for head in record.heads)] for record in records]
    np.testing.assert_allclose(measured, expected, rtol=1e-3, atol=1e-9)


def test_a_record_identifies_its_file_and_its_instrument(bundle: Bundle, lab: Path) -> None:
    path = paths_of(lab)[0]
    (result,) = run([path], bundle)
    assert isinstance(result, Attribution)
    assert result.record.item.sha256 == digest_file(path)
    assert result.record.item.sha512 == hashlib.sha512(path.read_bytes()).hexdigest()
    assert (result.record.item.width, result.record.item.height, result.record.item.file_format) == (48, 48, "PNG")
    assert result.record.item.resampled
    assert result.record.instrument == result.entry.instrument.digest
    assert result.entry.instrument.bundle == bundle.verified.digest
    assert result.entry.instrument.titles == bundle.generators


def test_bytes_paths_and_pixels_of_one_image_agree(bundle: Bundle, lab: Path, images: list[Pixels]) -> None:
    path = paths_of(lab)[3]
    results = run([path, str(path), path.read_bytes(), images[3]], bundle)
    assert [result.name for result in results] == [str(path), str(path), "image 3", "image 4"]
    assert len({result.record.detector.logit for result in results if isinstance(result, Attribution)}) == 1


def test_what_cannot_be_examined_is_a_failure_in_its_place(bundle: Bundle, lab: Path, tmp_path: Path) -> None:
    good = paths_of(lab)[0]
    (tmp_path / "empty.png").touch()
    results = run([good, tmp_path / "empty.png", tmp_path / "gone.png", b"GIF89a", good], bundle)
    assert [isinstance(result, Failure) for result in results] == [False, True, True, True, False]
    reasons = [result.entry.reason for result in results if isinstance(result, Failure)]
    assert "empty file" in reasons[0]
    assert "cannot be read" in reasons[1]
    assert "expected a PNG, JPEG or WebP" in reasons[2]


@pytest.mark.timeout(60)
def test_a_pipe_named_like_an_image_does_not_hang_the_scan(bundle: Bundle, lab: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    pipe, image = run([tmp_path / "pipe.png", paths_of(lab)[0]], bundle)
    assert isinstance(pipe, Failure)
    assert pipe.entry.error == "UnreadableImageError"
    assert isinstance(image, Attribution)


@pytest.mark.parametrize("saliency", [True, False])
def test_a_head_that_overflows_on_one_image_costs_that_image_alone(
    bundle: Bundle, images: list[Pixels], *, saliency: bool
) -> None:
    head = bundle.verified.heads[1]
    artifact = overflow_on(images[3], [*images[:3], *images[4:8]], head.artifact, bundle.verified.primary)
    heads = (bundle.verified.heads[0], replace(head, artifact=artifact), bundle.verified.heads[2])
    results = run([*images[:8]], Bundle(replace(bundle.verified, heads=heads)), saliency=saliency)
    failures = {i: result.entry for i, result in enumerate(results) if isinstance(result, Failure)}
    assert list(failures) == [3]
    assert failures[3].error == "NonFiniteScoreError"
    assert failures[3].reason.startswith("head beta@1: expected finite scores")


def test_an_array_that_is_no_image_is_the_callers_mistake(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match=r"expected pixels uint8 \(H, W, 3\)"):
        run([np.zeros((64, 64), dtype=np.uint8)], bundle)


def test_a_tiny_array_is_a_failure_like_a_tiny_file(bundle: Bundle) -> None:
    (result,) = run([np.zeros((8, 8, 3), dtype=np.uint8)], bundle)
    assert isinstance(result, Failure)


def test_saliency_comes_when_asked_for(bundle: Bundle, lab: Path) -> None:
    (plain,), (full,) = run([paths_of(lab)[0]], bundle), run([paths_of(lab)[0]], bundle, saliency=True)
    assert isinstance(plain, Attribution)
    assert isinstance(full, Attribution)
    assert plain.saliency is None
    assert full.saliency is not None
    assert full.saliency.shape == (4, 4, 4)
    assert full.pixels.shape == (32, 32, 3)


def test_batching_does_not_change_an_answer(bundle: Bundle, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run([*paths_of(lab)[:10]], bundle)
    monkeypatch.setattr(analysis, "WINDOW_IMAGES", 3)
    small = run([*paths_of(lab)[:10]], bundle)
    assert bytes_but_for_time(whole) == bytes_but_for_time(small)


def test_images_are_read_no_further_ahead_than_needed(bundle: Bundle, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "WINDOW_IMAGES", 8)
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield paths_of(lab)[0]

    list(islice(attribute(endless(), bundle, device="cpu", precision="float32"), 20))
    assert taken <= 20 + 2 * 8 + 1


def test_items_that_hold_their_bytes_are_taken_no_further_ahead_than_memory_allows(
    bundle: Bundle, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = paths_of(lab)[0].read_bytes()
    monkeypatch.setattr(analysis, "HELD_BYTES", 3 * len(data))
    taken = 0

    def members() -> Iterator[Item]:
        nonlocal taken
        while True:
            taken += 1
            yield Item(f"{taken}.png", len(data), lambda: data)

    list(islice(attribute(members(), bundle, device="cpu", precision="float32"), 1))
    assert taken <= analysis.WINDOW_IMAGES + 4  # a window to score, three ahead, and one in hand


def test_large_images_are_not_decoded_beside_each_other(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "DECODING_PIXELS", 1_000_000)
    at_once, most = 0, 0

    def decode(data: bytes) -> DecodedImage:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            return decode_image(data)
        finally:
            at_once -= 1

    monkeypatch.setattr(analysis, "decode_image", decode)
    for i in range(6):
        Image.new("RGBA", (900, 900), (i, 0, 0, 255)).save(tmp_path / f"{i}.png")
    results = run([*sorted(tmp_path.iterdir())], bundle)
    assert all(isinstance(result, Attribution) for result in results)
    assert most == 1


def test_an_image_too_large_to_be_scored_as_it_is_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_bundle(("alpha",), primary_bytes=make_primary_bytes(size=None))
    native = Bundle(verify_bundle(made.data, made.read_object))
    monkeypatch.setattr(preprocess, "MAX_NATIVE_PIXELS", 128 * 128)  # what the probe images have
    small, large = run([np.zeros((128, 128, 3), np.uint8), np.zeros((129, 128, 3), np.uint8)], native)
    assert isinstance(small, Attribution)
    assert isinstance(large, Failure)
    assert large.entry.error == "ImageTooLargeError"
    assert "expected at most 16384 pixels for this primary" in large.entry.reason


def test_a_name_that_is_no_text_is_spelt_out(bundle: Bundle, images: list[Pixels], tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    Image.fromarray(images[0]).save(path)
    (result,) = run([path], bundle)
    assert isinstance(result, Attribution)
    assert result.name.endswith(r"\xff.png")


def test_a_device_that_is_not_there_is_refused(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="--device"):
        list(attribute([b""], bundle, device="abacus"))


def test_an_image_that_memory_has_no_room_for_fails_alone(bundle: Bundle, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = paths_of(lab)[:2]

    def fit(decoded: DecodedImage, spec: Preprocessing) -> DecodedImage:
        if (decoded.pixels == decode_image(first.read_bytes()).pixels).all():
            raise MemoryError
        return preprocess.fit_decoded(decoded, spec)

    monkeypatch.setattr(analysis, "fit_decoded", fit)
    failed, examined = run([first, second], bundle)
    assert isinstance(failed, Failure)
    assert failed.entry.error == "UnreadableImageError"
    assert "not enough memory" in failed.entry.reason
    assert isinstance(examined, Attribution)
