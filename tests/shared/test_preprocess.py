import numpy as np
import pytest
from PIL import Image
from scipy import fft

from manyheads_shared.errors import ImageError
from manyheads_shared.image import Pixels
from manyheads_shared.manifest import Preprocessing
from manyheads_shared.preprocess import LOG_EPS, Preprocessor, dct_statistics, fit_image, is_resampled, log_dct
from tests.support.makers import make_images, make_primary


def _spec(fit: str = "resize", size: int | None = 32, representation: str = "pixel") -> Preprocessing:
    return Preprocessing.model_validate({"representation": representation, "image_size": size, "fit": fit})


def _grey(pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """ITU-R 601 in 16-bit fixed point, rounded to whole grey levels."""
    return np.floor((pixels.astype(np.float64) @ [19595, 38470, 7471] + 0x8000) / 0x10000)


def _dct_matrix(size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The orthonormal type-II DCT by its definition: c_k(m) = s_k cos(pi (2m + 1) k / 2n)."""
    k, m = np.mgrid[0:size, 0:size]
    scale = np.where(k == 0, np.sqrt(1 / size), np.sqrt(2 / size))
    matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = scale * np.cos(np.pi * (2 * m + 1) * k / (2 * size))
    return matrix


def test_pixels_map_to_minus_one_and_one() -> None:
    pixels = np.full((32, 32, 3), 255, np.uint8)
    pixels[0, 0] = 0
    network = Preprocessor(_spec())(pixels)

    assert network.dtype == np.float32
    assert network.shape == (3, 32, 32)
    assert (network.min(), network.max()) == (-1.0, 1.0)


def test_every_grey_level_is_where_the_formula_says() -> None:
    levels = np.broadcast_to(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), (16, 16, 3))
    expected = np.arange(256).reshape(16, 16) / 127.5 - 1

    np.testing.assert_allclose(Preprocessor(_spec("native", None))(levels)[1], expected, atol=1e-7)


def test_channels_stay_red_green_blue() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 255

    assert Preprocessor(_spec())(red)[:, 0, 0].tolist() == [1.0, -1.0, -1.0]


@pytest.mark.parametrize("size", [16, 32, 128])
def test_log_dct_is_that_of_scipy_in_float64(size: int) -> None:
    (pixels,) = make_images(1, size=size)
    expected = np.log(np.abs(fft.dct(fft.dct(_grey(pixels), axis=0, norm="ortho"), axis=1, norm="ortho")) + LOG_EPS)

    assert log_dct(pixels).dtype == np.float64
    np.testing.assert_allclose(log_dct(pixels), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("size", [16, 32, 128])
def test_log_dct_is_that_of_the_definition_by_matrices(size: int) -> None:
    (pixels,) = make_images(1, size=size, seed=1)
    matrix = _dct_matrix(size)

    np.testing.assert_allclose(log_dct(pixels), np.log(np.abs(matrix @ _grey(pixels) @ matrix.T) + LOG_EPS), atol=1e-6)


def test_a_flat_image_has_one_coefficient_and_no_infinity() -> None:
    spectrum = log_dct(np.full((16, 16, 3), 112, np.uint8))

    assert spectrum[0, 0] == pytest.approx(np.log(112 * 16))
    assert np.isfinite(spectrum).all()
    assert spectrum.ravel()[1:].max() < np.log(1e-11)


def test_dct_statistics_are_population_mean_and_deviation() -> None:
    images = make_images(7, size=16)
    spectra = np.stack([log_dct(image) for image in images])
    mean, std = dct_statistics(iter(images))

    np.testing.assert_allclose(mean, spectra.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, spectra.std(axis=0), rtol=1e-5)


def test_a_dct_primary_normalises_by_the_statistics_it_carries() -> None:
    primary = make_primary("khoo2022-dct")
    networks = Preprocessor.of(primary).batch(make_images(8))  # the images its statistics were made of

    assert networks.shape == (8, 1, 32, 32)
    np.testing.assert_allclose(networks.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(networks.std(axis=0), 1, atol=1e-3)


def test_a_dct_preprocessor_without_statistics_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="mean and std"):
        Preprocessor(_spec(representation="dct"))(make_images(1)[0])


def test_statistics_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        dct_statistics([])


def test_resize_leaves_an_image_of_the_right_size_untouched() -> None:
    (pixels,) = make_images(1)

    np.testing.assert_array_equal(fit_image(pixels, _spec()), pixels)
    assert not is_resampled(32, 32, _spec())


@pytest.mark.parametrize(("height", "width"), [(48, 100), (100, 48)])
def test_resize_takes_the_centre_square_and_lanczos(height: int, width: int) -> None:
    pixels = make_images(1, size=100)[0][:height, :width]
    top, left = (height - 48) // 2, (width - 48) // 2
    expected = Image.fromarray(pixels[top : top + 48, left : left + 48]).resize((32, 32), Image.Resampling.LANCZOS)

    np.testing.assert_array_equal(fit_image(pixels, _spec()), np.asarray(expected))
    assert is_resampled(width, height, _spec())


def test_resize_only_cuts_where_the_short_side_fits() -> None:
    pixels = make_images(1, size=50)[0][:32]

    np.testing.assert_array_equal(fit_image(pixels, _spec()), pixels[:, 9:41])
    assert not is_resampled(50, 32, _spec())


def test_crop_keeps_the_pixels_of_the_centre() -> None:
    (pixels,) = make_images(1, size=41)

    np.testing.assert_array_equal(fit_image(pixels, _spec("crop")), pixels[4:36, 4:36])
    assert not is_resampled(41, 41, _spec("crop"))


def test_crop_refuses_an_image_that_is_too_small() -> None:
    with pytest.raises(ImageError, match=r"at least 32x32.*got 40x31"):
        fit_image(np.zeros((31, 40, 3), np.uint8), _spec("crop"))


def test_native_takes_an_image_as_it_is() -> None:
    pixels = np.zeros((17, 90, 3), np.uint8)

    assert Preprocessor(_spec("native", None))(pixels).shape == (3, 17, 90)
    assert not is_resampled(90, 17, _spec("native", None))


def test_preprocessing_leaves_the_image_alone() -> None:
    (pixels,) = make_images(1)
    before = pixels.copy()
    Preprocessor(_spec()).batch([pixels])

    np.testing.assert_array_equal(pixels, before)
