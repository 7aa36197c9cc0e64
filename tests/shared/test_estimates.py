import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads_shared import operations
from manyheads_shared.condition import Condition, strata
from manyheads_shared.digest import digest_bytes
from manyheads_shared.estimates import estimate_condition
from manyheads_shared.estimates.quantisation import nearest_quality
from manyheads_shared.image import Pixels, decode_image
from manyheads_shared.rungs import RUNGS, Rung, climb
from tests.support.makers import make_images
from tests.support.pictures import draw_pictures

DIGEST = digest_bytes(b"an image")


def _save(pixels: Pixels, file_format: str = "PNG", *, mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, file_format, **options)
    return stream.getvalue()


def _estimate(data: bytes) -> Condition:
    return estimate_condition(decode_image(data))


def _of_pixels(pixels: Pixels) -> Condition:
    return _estimate(_save(pixels))


@pytest.fixture(scope="module")
def picture() -> Pixels:
    """Texture and sharp-edged patches, 128 pixels a side."""
    (pixels,) = draw_pictures(1, size=128, seed=3)
    draw = np.random.default_rng(3)
    for _ in range(24):
        top, left = draw.integers(0, 112, 2)
        pixels[top : top + 16, left : left + 12] = pixels[top : top + 16, left : left + 12] // 2 + draw.integers(20, 100, 3)
    return pixels


@pytest.mark.parametrize("quality", range(1, 101))
def test_the_quality_of_a_file_with_standard_tables_is_exact(quality: int) -> None:
    condition = _estimate(_save(make_images(1, size=16)[0], "JPEG", quality=quality))

    assert (condition.jpeg_quality, condition.jpeg_from) == (quality, "tables")


def test_a_grey_file_has_a_quality_too() -> None:
    condition = _estimate(_save(make_images(1, size=16)[0], "JPEG", mode="L", quality=63))
    assert (condition.jpeg_quality, condition.jpeg_from) == (63, "tables")


def test_tables_of_another_kind_get_the_nearest_quality() -> None:
    flat = [12] * 64  # coarser in low frequencies than the standard table of quality 89, finer in high ones

    assert _estimate(_save(make_images(1)[0], "JPEG", qtables=[flat, flat])).jpeg_quality == nearest_quality(flat) == 89


def test_larger_steps_never_mean_a_higher_quality() -> None:
    qualities = [nearest_quality([step] * 64) for step in (1, 2, 4, 8, 16, 32, 64, 128, 255, 65535)]

    assert qualities == sorted(qualities, reverse=True)
    assert (qualities[0], qualities[-1]) == (100, 1)


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 95])
def test_a_compression_leaves_its_quality_in_a_png(picture: Pixels, quality: int) -> None:
    condition = _of_pixels(operations.jpeg_at(picture, quality))

    assert (condition.jpeg_quality, condition.jpeg_from) == (quality, "traces")


def test_a_jpeg_given_as_pixels_is_told_by_its_traces(picture: Pixels) -> None:
    decoded = decode_image(_save(picture, "JPEG", quality=75))
    condition = estimate_condition(replace(decoded, quantisation=()))

    assert (condition.jpeg_quality, condition.jpeg_from) == (75, "traces")


def test_the_traces_of_a_large_image_are_found_in_its_centre() -> None:
    (pixels,) = draw_pictures(1, size=1100)  # the centre begins at 38, its blocks at 32
    condition = _of_pixels(operations.jpeg_at(pixels, 75))

    assert (condition.width, condition.height, condition.jpeg_quality) == (1100, 1100, 75)


def test_another_grid_hides_a_compression(picture: Pixels) -> None:
    assert _of_pixels(np.ascontiguousarray(operations.jpeg_at(picture, 50)[3:, 5:])).jpeg_quality is None


def test_an_unchanged_picture_is_called_nothing(picture: Pixels) -> None:
    assert strata(_of_pixels(picture)) == ()


def _climbed(picture: Pixels, ladder: str) -> Sequence[Condition]:
    return [_of_pixels(climb(picture, rung, digest=DIGEST)) for rung in RUNGS if rung.ladder == ladder]


def test_blur_rises_along_its_ladder(picture: Pixels) -> None:
    sigmas = [_of_pixels(picture).blur, *(condition.blur for condition in _climbed(picture, "blur"))]

    assert sigmas == sorted(sigmas)
    assert sigmas[2:] == pytest.approx([1, 2], rel=0.25)


def test_noise_is_measured_within_a_fifth(picture: Pixels) -> None:
    assert [condition.noise for condition in _climbed(picture, "noise")] == pytest.approx([2, 5, 10], rel=0.2)


def test_scale_falls_along_its_ladder(picture: Pixels) -> None:
    shares = [condition.scale for condition in _climbed(picture, "scale")]

    assert shares == sorted(shares, reverse=True)
    assert shares[1:] == pytest.approx([0.5, 0.25], rel=0.2)


def test_noise_on_a_grey_picture_is_seen() -> None:
    grey = np.full((64, 64, 1), 128) + np.random.default_rng(0).normal(0, 5, (64, 64, 1))

    assert _of_pixels(np.repeat(np.rint(grey), 3, axis=2).astype(np.uint8)).noise == pytest.approx(5, rel=0.15)


def test_a_crop_shows_on_no_ladder(picture: Pixels) -> None:
    assert all(stratum.ladder != "crop" for stratum in strata(_of_pixels(climb(picture, Rung("crop", 0.1), digest=DIGEST))))


@pytest.mark.parametrize("shape", [(16, 16), (16, 17), (19, 300), (2000, 16), (16, 4097)])
def test_any_shape_has_a_condition(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)

    assert (_of_pixels(pixels).height, _of_pixels(pixels).width) == shape


@pytest.mark.parametrize("level", [0, 77, 255])
@pytest.mark.parametrize("side", [16, 64])
def test_a_constant_image_is_neutral(level: int, side: int) -> None:
    condition = _of_pixels(np.full((side, side, 3), level, np.uint8))

    assert (condition.jpeg_quality, condition.blur, condition.noise, condition.scale) == (None, 0, 0, 1)


def test_random_pixels_are_noise_beyond_the_last_rung_and_nothing_else() -> None:
    (stratum,) = strata(_of_pixels(make_images(1, size=64)[0]))

    assert (stratum.ladder, stratum.rung) == ("noise", None)


def test_the_same_image_has_the_same_condition_in_few_digits(picture: Pixels) -> None:
    once, again = _of_pixels(picture), _of_pixels(picture.copy())

    assert once.model_dump_json() == again.model_dump_json()
    assert all(float(f"{value:.2g}") == value for value in (once.blur, once.noise, once.scale))
