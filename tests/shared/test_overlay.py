import numpy as np
import pytest

from manyheads_shared.overlay import draw_map, jet, overlay
from tests.support.makers import make_images


def test_jet_runs_from_dark_blue_over_green_to_dark_red() -> None:
    colours = jet(np.array([0.0, 0.5, 1.0], dtype=np.float32))
    assert colours.tolist() == [[0, 0, 0.5], [0.5, 1, 0.5], [0.5, 0, 0]]


def test_values_beyond_the_scale_take_the_colour_of_the_end() -> None:
    grey = np.full((8, 8, 3), 128, dtype=np.uint8)
    at_the_end = overlay(grey, np.full((2, 2), 3.0, dtype=np.float32), scale=3.0)
    beyond = overlay(grey, np.full((2, 2), 300.0, dtype=np.float32), scale=3.0)
    assert np.array_equal(at_the_end, beyond)


def test_the_same_logits_have_the_same_colour_whatever_else_is_in_the_map() -> None:
    grey = np.full((16, 16, 3), 128, dtype=np.uint8)
    alone = np.ones((1, 1), dtype=np.float32)
    beside_a_peak = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 9]], dtype=np.float32)
    assert np.array_equal(overlay(grey, alone, scale=2.0)[0, 0], overlay(grey, beside_a_peak, scale=2.0)[0, 0])


def test_the_map_lies_over_the_part_of_the_image_it_speaks_of() -> None:
    grey = np.full((16, 16, 3), 128, dtype=np.uint8)
    lower_right = np.array([[-1, -1], [-1, 1]], dtype=np.float32)
    result = overlay(grey, lower_right, scale=1.0).astype(int)
    assert result[15, 15, 0] > result[15, 15, 2]  # red
    assert result[0, 0, 2] > result[0, 0, 0]  # blue


def test_the_overlay_keeps_the_image_size_and_half_of_the_image() -> None:
    pixels = make_images(1, size=24)[0][:, :20]
    flat = overlay(pixels, np.zeros((3, 3), dtype=np.float32), scale=1.0)
    assert flat.shape == pixels.shape
    assert np.array_equal(flat, np.rint(0.5 * pixels + 0.5 * 255 * np.array([0.5, 1, 0.5])).astype(np.uint8))


def test_a_scale_of_nothing_and_a_stack_of_maps_are_refused() -> None:
    pixels = make_images(1)[0]
    with pytest.raises(ValueError, match="above 0"):
        overlay(pixels, np.zeros((2, 2), dtype=np.float32), scale=0.0)
    with pytest.raises(ValueError, match="one saliency map"):
        overlay(pixels, np.zeros((1, 2, 2), dtype=np.float32), scale=1.0)


def test_an_overlay_is_half_the_image_and_half_the_map() -> None:
    draw = np.random.default_rng(3)
    pixels, saliency = draw.integers(0, 256, (24, 30, 3), dtype=np.uint8), draw.normal(size=(6, 7)).astype(np.float32)

    halves = (pixels.astype(float) + draw_map(saliency, pixels.shape, scale=1.5)) / 2
    assert np.abs(overlay(pixels, saliency, scale=1.5) - halves).max() <= 1
