import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from manyheads_shared.degradations import PROFILES, blur, crop, degrade, get_profile, jpeg, noise
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import UsageError
from manyheads_shared.image import Pixels
from tests.support.makers import make_images

PROFILE = "paper-as-written"
GREY = np.full((200, 200, 3), 128, np.uint8)
SIGMAS = {3: 0.8, 5: 1.1, 7: 1.4, 9: 1.7}


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _digest(number: int) -> Digest:
    return digest_bytes(str(number).encode())


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("shape", [(16, 16), (17, 90), (128, 33)])
def test_shape_and_type_are_kept(profile: str, shape: tuple[int, int]) -> None:
    pixels = _rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)

    for number in range(12):
        degraded = degrade(pixels, profile, seed=number, digest=_digest(number))
        assert degraded.shape == pixels.shape
        assert degraded.dtype == np.uint8


def test_clean_changes_nothing() -> None:
    (pixels,) = make_images(1)

    np.testing.assert_array_equal(degrade(pixels, "clean", seed=0, digest=_digest(0)), pixels)


def test_an_image_is_degraded_the_same_way_whatever_the_order() -> None:
    images = dict(zip(map(_digest, range(8)), make_images(8), strict=True))
    forwards = {digest: degrade(pixels, PROFILE, seed=1, digest=digest) for digest, pixels in images.items()}
    backwards = {digest: degrade(images[digest], PROFILE, seed=1, digest=digest) for digest in reversed(images)}

    assert all(np.array_equal(forwards[digest], backwards[digest]) for digest in images)


def test_seed_profile_and_digest_each_change_the_draw() -> None:
    (pixels,) = make_images(1)

    def differing(seeds: range, digests: range) -> int:
        return len({degrade(pixels, PROFILE, seed=s, digest=_digest(d)).tobytes() for s in seeds for d in digests})

    assert differing(range(20), range(1)) > 15
    assert differing(range(1), range(20)) > 15


def test_the_image_given_is_left_alone() -> None:
    (pixels,) = make_images(1)
    before = pixels.copy()
    for number in range(10):
        degrade(pixels, PROFILE, seed=0, digest=_digest(number))

    np.testing.assert_array_equal(pixels, before)


def test_about_one_image_in_sixteen_stays_clean_in_the_papers_profile() -> None:
    (pixels,) = make_images(1, size=16)
    same = sum(np.array_equal(degrade(pixels, PROFILE, seed=0, digest=_digest(i)), pixels) for i in range(480))

    assert 480 / 16 * 0.5 < same < 480 / 16 * 1.7


def _qualities(pixels: Pixels) -> dict[bytes, int]:
    """What each JPEG quality makes of an image."""
    made = {}
    for quality in range(1, 101):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
        made[np.asarray(Image.open(stream)).tobytes()] = quality
    return made


def test_jpeg_quality_really_varies_between_10_and_75() -> None:
    (pixels,) = make_images(1, size=32)
    made, draw = _qualities(pixels), _rng(0)
    drawn = [made[jpeg(pixels, draw).tobytes()] for _ in range(400)]

    assert (min(drawn), max(drawn)) == (10, 75)
    assert len(set(drawn)) > 60


def test_noise_has_a_variance_between_5_and_20() -> None:
    variances = [float((noise(GREY, _rng(seed)).astype(float) - 128).var()) for seed in range(40)]

    assert 5 < min(variances) < 7
    assert 18 < max(variances) < 20.5


def test_noise_has_no_bias_and_is_independent_between_channels() -> None:
    added = noise(GREY, _rng(0)).astype(float) - 128

    assert abs(added.mean()) < 0.05
    assert abs(np.corrcoef(added[..., 0].ravel(), added[..., 1].ravel())[0, 1]) < 0.02


def test_noise_is_clipped_not_wrapped() -> None:
    assert noise(np.full((64, 64, 3), 255, np.uint8), _rng(0)).min() > 200


def _gaussian(kernel: int) -> NDArray[np.float64]:
    x = np.arange(kernel) - kernel // 2
    line = np.exp(-(x**2) / (2 * SIGMAS[kernel] ** 2))
    weights: NDArray[np.float64] = np.outer(line, line) / line.sum() ** 2
    return weights


def _spread(kernel: int) -> NDArray[np.float64]:
    """What a Gaussian of this kernel makes of one white point in the middle of 21 x 21."""
    return np.pad(255 * _gaussian(kernel), (21 - kernel) // 2)


def test_blur_is_a_gaussian_of_one_of_four_sizes() -> None:
    point = np.zeros((21, 21, 3), np.uint8)
    point[10, 10] = 255
    responses = [blur(point, _rng(seed))[..., 0].astype(float) for seed in range(30)]
    fits = [[kernel for kernel in SIGMAS if np.abs(response - _spread(kernel)).max() <= 1] for response in responses]

    assert all(len(fit) == 1 for fit in fits)
    assert {fit[0] for fit in fits} == set(SIGMAS)


def test_blur_leaves_a_flat_image_flat() -> None:
    np.testing.assert_array_equal(blur(GREY, _rng(0)), GREY)


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


def test_an_unknown_profile_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"clean.*got 'rain'"):
        get_profile("rain")
