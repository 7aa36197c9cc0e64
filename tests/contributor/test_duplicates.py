import io
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageFilter

from manyheads_contributor.duplicates import (
    HASH_RADIUS,
    Fingerprint,
    _close_hashes,
    find_duplicates,
    fingerprint,
    join,
    perceptual_hashes,
    read_fingerprints,
)
from manyheads_shared.errors import ImageError
from manyheads_shared.image import Pixels
from tests.support.pictures import draw_pictures


def _jpeg(pixels: Pixels, quality: int) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def test_the_hash_is_the_phash_of_imagehash() -> None:
    prints = [fingerprint(pixels) for pixels in draw_pictures(20)]
    ours = perceptual_hashes(np.stack([item.thumbnail for item in prints]))
    for pixels, value in zip(draw_pictures(20), ours, strict=True):
        assert f"{value:016x}" == str(imagehash.phash(Image.fromarray(pixels)))


@pytest.mark.parametrize("change", ["jpeg 30", "half", "blur", "darker"])
def test_a_resaved_copy_is_a_near_duplicate(change: str) -> None:
    pictures = draw_pictures(12)
    image = Image.fromarray(pictures[5])
    copies = {
        "jpeg 30": _jpeg(pictures[5], 30),
        "half": np.asarray(image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)),
        "blur": np.asarray(image.filter(ImageFilter.GaussianBlur(1))),
        "darker": (pictures[5] * 0.8).astype(np.uint8),
    }
    pairs = find_duplicates([fingerprint(pixels) for pixels in [*pictures, copies[change]]])
    assert pairs.tolist() == [[5, 12]]


def test_flat_images_are_duplicates_only_when_equal() -> None:
    shades = [np.full((32, 32, 3), value, dtype=np.uint8) for value in (0, 10, 200, 10)]
    assert find_duplicates([fingerprint(pixels) for pixels in shades]).tolist() == [[1, 3]]


def test_dark_noise_is_not_merged_with_other_dark_noise() -> None:
    draw = np.random.default_rng(0)
    dark = [draw.integers(0, 4, (64, 64, 3), dtype=np.uint8) for _ in range(50)]
    assert len(find_duplicates([fingerprint(pixels) for pixels in dark])) == 0


def test_every_hash_pair_within_the_radius_is_found() -> None:
    draw = np.random.default_rng(1)
    flips = (draw.random((400, 64)) < 0.07).astype(np.uint8)  # 4.5 of 64 bits on average, so 9 between two
    hashes = np.packbits(flips, axis=1).view(">u8").astype(np.uint64).ravel()
    close = np.argwhere(np.triu(np.bitwise_count(hashes[:, None] ^ hashes[None]) <= HASH_RADIUS, 1))
    found = {(int(i), int(j)) for left, right in _close_hashes(hashes) for i, j in zip(left, right, strict=True)}
    assert 0 < len(close) < 400 * 399 / 2
    assert found == {(int(i), int(j)) for i, j in close}


def test_chains_are_joined_into_one_group() -> None:
    labels = join(5, np.array([[0, 1], [1, 4]]))
    assert labels[0] == labels[1] == labels[4]
    assert len(set(labels.tolist())) == 3


def test_nothing_has_no_duplicates() -> None:
    assert find_duplicates([]).shape == (0, 2)


def test_an_undecodable_file_is_reported_in_its_place(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.fromarray(draw_pictures(1)[0]).save(good)
    bad.write_bytes(b"not an image")
    results = read_fingerprints([bad, good])
    assert isinstance(results[0], ImageError)
    assert isinstance(results[1], Fingerprint)
