import io

import numpy as np
import pytest
from PIL import Image

from manyheads_contributor.audit.history import GOOD_FIT, History, measure_history
from manyheads_contributor.audit.values import to_luma
from manyheads_shared.image import Pixels
from tests.support.pictures import draw_pictures, with_stripes

SIZE = 128


def _jpeg(pixels: Pixels, quality: int) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def _measure(images: list[Pixels]) -> list[History]:
    return [measure_history(to_luma(pixels)) for pixels in images]


def _mean_grid(images: list[Pixels]) -> float:
    return float(np.mean([history.grid for history in _measure(images)]))


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_the_quality_of_an_earlier_jpeg_is_read_off_the_pixels(quality: int) -> None:
    found = [history.lattice_quality for history in _measure([_jpeg(p, quality) for p in draw_pictures(8, size=SIZE)])]
    assert found.count(quality) >= 7


def test_the_coarser_of_two_compressions_still_shows() -> None:
    twice = [_jpeg(_jpeg(p, 60), 95) for p in draw_pictures(8, size=SIZE)]
    assert [history.lattice_quality for history in _measure(twice)].count(60) >= 7


def test_pictures_that_never_were_a_jpeg_show_none() -> None:
    assert all(history.lattice < GOOD_FIT / 2 for history in _measure(draw_pictures(20, size=SIZE)))


def test_block_edges_raise_the_grid() -> None:
    pictures = draw_pictures(12, size=SIZE)
    assert _mean_grid([_jpeg(p, 50) for p in pictures]) > 0.3 > abs(_mean_grid(pictures))


def test_a_crop_after_a_jpeg_raises_the_shifted_grid_only() -> None:
    pictures = draw_pictures(12, size=SIZE)
    cropped = _measure([_jpeg(p, 50)[3:-5, 3:-5] for p in pictures])
    plain = _measure([p[3:-5, 3:-5] for p in pictures])
    assert np.mean([h.shifted_grid for h in cropped]) > np.mean([h.shifted_grid for h in plain]) + 0.3
    assert np.mean([h.grid for h in cropped]) < 0.1


@pytest.mark.parametrize("period", [2, 4])
def test_the_pattern_of_an_up_convolution_is_not_taken_for_a_grid(period: int) -> None:
    patterned = [with_stripes(pixels, period, 12) for pixels in draw_pictures(12, size=SIZE)]
    assert abs(_mean_grid(patterned)) < 0.1


def test_a_pattern_of_period_8_looks_like_a_grid_and_fits_no_jpegs_steps() -> None:
    patterned = [with_stripes(pixels, 8, 2) for pixels in draw_pictures(12, size=SIZE)]
    assert _mean_grid(patterned) > 0.1
    assert all(history.lattice < GOOD_FIT / 2 for history in _measure(patterned))


def test_a_flat_image_has_no_history() -> None:
    history = measure_history(np.full((64, 64), 128, dtype=np.float32))
    assert history == History(grid=0.0, shifted_grid=0.0, lattice=0.0, lattice_quality=None)


def test_the_smallest_image_is_measured() -> None:
    history = measure_history(to_luma(draw_pictures(1, size=16)[0]))
    assert np.isfinite([history.grid, history.shifted_grid, history.lattice]).all()
