"""Each operation does what its name says, by measurement."""

import io
from collections.abc import Callable, Iterable
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from manyheads_shared.errors import ImageError
from manyheads_shared.image import Pixels
from manyheads_shared.operations import (
    ENLARGING,
    SHRINKING,
    Operation,
    blur,
    blur_as_run,
    crop,
    double_jpeg,
    jpeg,
    jpeg_as_run,
    noise,
    noise_as_run,
    rescale,
    screenshot,
    sharpen,
    webp,
)
from tests.support.makers import make_images
from tests.support.pictures import draw_pictures

GREY = np.full((200, 200, 3), 128, np.uint8)
AS_WRITTEN_SIGMAS = {3: 0.8, 5: 1.1, 7: 1.4, 9: 1.7}
AS_RUN_SIGMAS = dict.fromkeys((3, 5, 7, 9), 4.0)


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _compressed(pixels: Pixels, file_format: str, quality: int, subsampling: str = "4:2:0") -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, file_format, quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(stream))


def _qualities(
    pixels: Pixels, result: Pixels, file_format: str = "JPEG", qualities: Iterable[int] = range(1, 101)
) -> list[int]:
    """The qualities that make `result` of an image."""
    return [quality for quality in qualities if np.array_equal(_compressed(pixels, file_format, quality), result)]


# Blur


def _line_response(operation: Operation, seed: int, axis: int) -> tuple[int, float]:
    """Kernel and sigma of a blur, measured on what it makes of a white line."""
    line = np.zeros((21, 21, 3), np.uint8)
    line.swapaxes(0, axis)[10] = 255
    profile = operation(line, _rng(seed)).swapaxes(0, axis)[:, 10, 0].astype(float)
    kernel = int(np.count_nonzero(profile))
    reach = kernel // 2
    return kernel, reach / float(np.sqrt(2 * np.log(profile[10] / profile[10 + reach])))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("operation", "sigmas"), [(blur, AS_WRITTEN_SIGMAS), (blur_as_run, AS_RUN_SIGMAS)])
def test_blur_spreads_a_line_by_the_sigma_of_its_kernel(operation: Operation, sigmas: dict[int, float], axis: int) -> None:
    measured = dict(_line_response(operation, seed, axis) for seed in range(40))

    assert measured.keys() == sigmas.keys()
    assert all(measured[kernel] == pytest.approx(sigmas[kernel], rel=0.08) for kernel in sigmas)


def test_blur_as_run_is_nearly_a_box() -> None:
    line = np.zeros((9, 9, 3), np.uint8)
    line[:, 4] = 255
    (narrow, *_) = (r for r in (blur_as_run(line, _rng(seed))[4, :, 0] for seed in range(40)) if np.count_nonzero(r) == 3)

    assert narrow[3:6].tolist() == [84, 87, 84]  # 0.330, 0.340, 0.330 of 255


@pytest.mark.parametrize("operation", [blur, blur_as_run])
def test_blur_reflects_the_border_without_its_last_pixel(operation: Operation) -> None:
    beside = np.zeros((21, 21, 3), np.uint8)
    beside[:, 1] = 255
    inside = np.roll(beside, 9, axis=1)

    for seed in range(8):
        edge, middle = (operation(pixels, _rng(seed))[10, :, 0].astype(int) for pixels in (beside, inside))
        assert abs(edge[0] - 2 * middle[9]) <= 1  # column 1 is seen on both sides of column 0


@pytest.mark.parametrize("operation", [blur, blur_as_run])
def test_blur_leaves_a_flat_image_flat(operation: Operation) -> None:
    np.testing.assert_array_equal(operation(GREY, _rng(0)), GREY)


# Crop


def test_crop_cuts_5_to_20_percent_and_enlarges_the_rest() -> None:
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[np.newaxis, :, np.newaxis], 200, axis=0).repeat(3, axis=2)
    kept, starts = [], []
    for seed in range(60):
        line = crop(ramp, _rng(seed))[100, 20:180, 0].astype(float)
        slope = float(np.polyfit(np.arange(20, 180), line, 1)[0])
        kept.append(slope)
        starts.append(float(line[0]) - 20 * slope)

    assert 0.795 < min(kept) < 0.82
    assert 0.93 < max(kept) < 0.955
    assert max(starts) - min(starts) > 10  # not always from the same side


# JPEG


def test_jpeg_quality_really_varies_between_10_and_75() -> None:
    (pixels,) = make_images(1, size=32)
    made = {_compressed(pixels, "JPEG", quality).tobytes(): quality for quality in range(1, 101)}
    draw = _rng(0)
    drawn = [made[jpeg(pixels, draw).tobytes()] for _ in range(400)]

    assert (min(drawn), max(drawn)) == (10, 75)
    assert len(set(drawn)) > 60


def test_jpeg_as_run_is_quality_95_and_no_other_with_red_and_blue_swapped() -> None:
    (pixels,) = draw_pictures(1)
    result = jpeg_as_run(pixels, _rng(0))
    swapped = np.ascontiguousarray(pixels[..., ::-1])

    assert _qualities(swapped, result[..., ::-1]) == [95]
    assert _qualities(pixels, result) == []
    assert not np.array_equal(_compressed(swapped, "JPEG", 95, "4:4:4"), result[..., ::-1])


def test_jpeg_as_run_does_the_same_whatever_is_drawn() -> None:
    (pixels,) = draw_pictures(1)

    assert len({jpeg_as_run(pixels, _rng(seed)).tobytes() for seed in range(65)}) == 1


def test_jpeg_as_run_does_a_fraction_of_what_is_written() -> None:
    pictures = draw_pictures(20)

    def error(operation: Operation) -> float:
        return float(np.mean([(operation(p, _rng(seed)).astype(float) - p) ** 2 for seed, p in enumerate(pictures)]))

    assert error(jpeg_as_run) < error(jpeg) / 3


# Noise


def _added(operation: Operation, seed: int) -> NDArray[np.float64]:
    return operation(GREY, _rng(seed)).astype(float) - 128


def test_noise_has_a_variance_between_5_and_20() -> None:
    variances = [float(_added(noise, seed).var()) for seed in range(40)]

    assert 5 < min(variances) < 7
    assert 18 < max(variances) < 20.5


def test_noise_as_run_has_a_standard_deviation_between_5_and_20() -> None:
    deviations = [float(_added(noise_as_run, seed).std()) for seed in range(40)]

    assert 4.9 < min(deviations) < 6
    assert 19 < max(deviations) < 20.1


def test_noise_is_rounded_and_noise_as_run_truncated() -> None:
    assert np.mean([_added(noise, seed).mean() for seed in range(20)]) == pytest.approx(0, abs=0.02)
    assert np.mean([_added(noise_as_run, seed).mean() for seed in range(20)]) == pytest.approx(-0.5, abs=0.05)


@pytest.mark.parametrize("operation", [noise, noise_as_run])
def test_noise_is_independent_between_channels(operation: Operation) -> None:
    added = _added(operation, 0)

    assert abs(np.corrcoef(added[..., 0].ravel(), added[..., 1].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("operation", [noise, noise_as_run])
def test_noise_is_clipped_not_wrapped(operation: Operation) -> None:
    assert operation(np.full((64, 64, 3), 255, np.uint8), _rng(0)).min() > 128
    assert operation(np.zeros((64, 64, 3), np.uint8), _rng(0)).max() < 128


# Laundering


def test_rescale_goes_down_to_a_quarter_with_every_pair_of_filters() -> None:
    (pixels,) = make_images(1, size=16)
    made: dict[bytes, tuple[int, Image.Resampling, Image.Resampling]] = {}
    for side, down, up in product(range(1, 16), SHRINKING, ENLARGING):
        made[np.asarray(Image.fromarray(pixels).resize((side, side), down).resize((16, 16), up)).tobytes()] = (side, down, up)
    drawn = [made.get(rescale(pixels, _rng(seed)).tobytes()) for seed in range(400)]
    told = [found for found in drawn if found]

    assert {side for side, _, _ in told} == set(range(4, 16))
    assert {(down, up) for _, down, up in told} == set(product(SHRINKING, ENLARGING))
    assert drawn.count(None) < 40  # those that stayed at 16 pixels


def _grid(operation: Operation, seed: int) -> tuple[int, int]:
    """Where an operation's 8 x 8 blocks begin, (row, column): there the picture is least smooth."""
    results = [operation(pixels, _rng(seed)).astype(float).mean(axis=2) for pixels in draw_pictures(24)]

    def begin(axis: int) -> int:
        jumps = np.abs(np.diff(results, n=3, axis=axis + 1)).mean(axis=(0, 2 - axis))  # centred on the edge of two pixels
        return int(np.argmax([jumps[(offset - 2) % 8 :: 8].mean() for offset in range(8)]))

    return begin(0), begin(1)


def test_the_second_jpeg_lies_on_another_grid() -> None:
    grids = [_grid(double_jpeg, seed) for seed in range(8)]

    assert {_grid(jpeg, seed) for seed in range(8)} == {(0, 0)}
    assert (0, 0) not in grids
    assert len(set(grids)) > 5


def test_double_jpeg_is_not_one_jpeg_on_any_grid() -> None:
    (pixels,) = make_images(1, size=16)
    once = set()
    for down, right, quality in product(range(8), range(8), range(50, 86)):
        shifted = np.pad(pixels, ((down, 0), (right, 0), (0, 0)), mode="edge")
        once.add(_compressed(shifted, "JPEG", quality)[down:, right:].tobytes())

    assert once.isdisjoint(double_jpeg(pixels, _rng(seed)).tobytes() for seed in range(40))


def test_webp_quality_varies_between_50_and_90() -> None:
    (pixels,) = make_images(1)
    drawn = [_qualities(pixels, webp(pixels, _rng(seed)), "WEBP", range(45, 96)) for seed in range(60)]

    assert all(drawn)
    assert 50 <= min(map(max, drawn)) < 55
    assert 85 < max(map(min, drawn)) <= 90


def _slope(axis: int) -> Pixels:
    """A picture that rises along one axis by 1.37 levels a pixel: no whole number, so that rounding averages out."""
    line = np.rint(20 + 1.37 * np.arange(128)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(line[:, None, None], (128, 128, 3)).swapaxes(0, axis))


@pytest.mark.parametrize("axis", [0, 1])
def test_screenshot_shifts_by_a_part_of_a_pixel(axis: int) -> None:
    before = _slope(axis)
    inner = (slice(8, -8), slice(8, -8))
    shifts = [(screenshot(before, _rng(seed))[inner].astype(float) - before[inner]).mean() / 1.37 for seed in range(40)]

    assert max(map(abs, shifts)) < 0.5 / 1.1 + 0.02
    assert min(shifts) < -0.2
    assert max(shifts) > 0.2


def test_screenshot_softens() -> None:
    (pixels,) = make_images(1, size=64)

    assert all(0.2 < screenshot(pixels, _rng(seed)).var() / pixels.var() < 0.9 for seed in range(20))


def test_sharpen_overshoots_at_an_edge_and_nowhere_else() -> None:
    edge = np.full((32, 32, 3), 80, np.uint8)
    edge[:, 16:] = 160

    for seed in range(20):
        row = sharpen(edge, _rng(seed))[16, :, 0]
        assert row.min() < 75
        assert row.max() > 165
        assert (row[0], row[-1]) == (80, 160)


# All


@pytest.mark.parametrize("operation", [jpeg, jpeg_as_run, double_jpeg, webp])
def test_an_image_too_wide_for_a_format_is_refused_with_its_size(operation: Callable[..., Pixels]) -> None:
    with pytest.raises(ImageError, match="70000x1 pixels do not fit into a"):
        operation(np.zeros((1, 70_000, 3), np.uint8), _rng(0))
