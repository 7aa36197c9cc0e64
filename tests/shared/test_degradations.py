from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from manyheads_shared.degradations import PROFILES, Profile, Step, degrade, get_profile
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import UsageError
from manyheads_shared.image import Pixels
from manyheads_shared.operations import Operation
from tests.support.makers import make_images
from tests.support.pictures import draw_pictures

PROFILE = "paper-as-written"
FAMILIES = ("paper-as-written", "paper-as-run")
FORMS = ("blur", "crop", "jpeg", "noise")
GOLDEN = "sha256:1a12d4ca44dd196ecde647bbd04ec2271462c705bde76b35f64dc02d29fcf5c0"  # as of the first release of the profile
CONFIDENCE = 0.9999  # of a binomial interval: one false alarm in ten thousand other seeds


def _digest(number: int) -> Digest:
    return digest_bytes(str(number).encode())


def _degraded(images: list[Pixels], profile: str, seed: int = 0) -> list[Pixels]:
    return [degrade(pixels, profile, seed=seed, digest=_digest(number)) for number, pixels in enumerate(images)]


def _is_likely(hits: int, total: int, probability: float) -> bool:
    low, high = stats.binom.interval(CONFIDENCE, total, probability)
    return bool(low <= hits <= high)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3), (16, 16), (17, 90), (128, 33)])
def test_shape_and_type_are_kept_however_small_the_image(profile: str, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)

    for degraded in _degraded([pixels] * 20, profile):
        assert degraded.shape == pixels.shape
        assert degraded.dtype == np.uint8


def test_clean_changes_nothing() -> None:
    (pixels,) = make_images(1)

    np.testing.assert_array_equal(degrade(pixels, "clean", seed=0, digest=_digest(0)), pixels)


def test_the_papers_profile_draws_what_it_always_drew() -> None:
    drawn = b"".join(pixels.tobytes() for pixels in _degraded(draw_pictures(64, size=48), PROFILE, seed=7))

    assert digest_bytes(drawn) == GOLDEN


@pytest.mark.parametrize("profile", PROFILES)
def test_an_image_is_degraded_the_same_way_whatever_the_order_and_the_thread(profile: str) -> None:
    images = dict(zip(map(_digest, range(24)), make_images(24), strict=True))

    def one(digest: Digest) -> bytes:
        return degrade(images[digest], profile, seed=1, digest=digest).tobytes()

    forwards = {digest: one(digest) for digest in images}
    with ThreadPoolExecutor(4) as pool:
        backwards = dict(zip(reversed(images), pool.map(one, reversed(images)), strict=True))

    assert forwards == backwards


@pytest.mark.parametrize("profile", [PROFILE, "paper-as-run", "laundering"])
def test_seed_and_digest_each_change_the_draw(profile: str) -> None:
    (pixels,) = make_images(1)

    def differing(seeds: range, digests: range) -> int:
        return len({degrade(pixels, profile, seed=s, digest=_digest(d)).tobytes() for s in seeds for d in digests})

    assert differing(range(20), range(1)) > 15
    assert differing(range(1), range(20)) > 15


def test_profiles_draw_apart_even_where_they_share_an_operation() -> None:
    images = draw_pictures(40, size=32)
    drawn = [_degraded(images, f"{family}-crop") for family in FAMILIES]

    assert sum(not np.array_equal(one, other) for one, other in zip(*drawn, strict=True)) > 20


@pytest.mark.parametrize("profile", PROFILES)
def test_the_image_given_is_left_alone(profile: str) -> None:
    (pixels,) = make_images(1)
    before = pixels.copy()
    _degraded([pixels] * 10, profile)

    np.testing.assert_array_equal(pixels, before)


def test_about_one_image_in_sixteen_stays_clean_in_the_papers_profile() -> None:
    images = make_images(480, size=16)
    same = sum(np.array_equal(before, after) for before, after in zip(images, _degraded(images, PROFILE), strict=True))

    assert _is_likely(same, 480, 1 / 16)


@pytest.mark.parametrize("profile", [f"{family}-{form}" for family in FAMILIES for form in FORMS])
def test_a_single_form_changes_half_the_images(profile: str) -> None:
    images = make_images(400)
    changed = sum(not np.array_equal(before, after) for before, after in zip(images, _degraded(images, profile), strict=True))

    assert _is_likely(changed, 400, 0.5)


@pytest.mark.parametrize("family", FAMILIES)
def test_single_forms_are_the_steps_of_their_family_in_its_order(family: str) -> None:
    assert sum((PROFILES[f"{family}-{form}"].steps for form in FORMS), ()) == PROFILES[family].steps


def _marker(number: int) -> Operation:
    """An operation that leaves its number in the next free pixel of a line: the line then tells what was done, and when."""

    def mark(pixels: Pixels, draw: np.random.Generator) -> Pixels:
        marked = pixels.copy()
        marked[0, np.count_nonzero(pixels[0, :, 0])] = number
        return marked

    return mark


def _histories(profile: str, monkeypatch: pytest.MonkeyPatch, count: int = 2000) -> list[list[int]]:
    """Which steps (1, 2, …) of a profile `count` images go through, in order."""
    told = PROFILES[profile]
    steps = tuple(Step(_marker(number), step.probability) for number, step in enumerate(told.steps, 1))
    monkeypatch.setitem(PROFILES, profile, Profile(steps, told.random_order))
    blank = np.zeros((1, len(steps), 3), np.uint8)
    return [[int(n) for n in line[0, :, 0] if n] for line in _degraded([blank] * count, profile)]


def test_every_operation_of_laundering_happens_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = PROFILES["laundering"].steps
    histories = _histories("laundering", monkeypatch)

    for number, step in enumerate(steps, 1):
        assert _is_likely(sum(number in history for history in histories), len(histories), step.probability)


def test_laundering_takes_any_two_operations_in_either_order(monkeypatch: pytest.MonkeyPatch) -> None:
    histories = _histories("laundering", monkeypatch)

    for first in range(1, 6):
        for second in range(first + 1, 6):
            orders = [history.index(first) < history.index(second) for history in histories if {first, second} <= set(history)]
            assert len(orders) > 50
            assert _is_likely(sum(orders), len(orders), 0.5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_paper_keeps_its_order(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    histories = _histories(family, monkeypatch, count=300)

    assert all(history == sorted(history) for history in histories)
    assert len({tuple(history) for history in histories}) == 16  # every subset of four


def test_an_unknown_profile_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"clean.*got 'rain'"):
        get_profile("rain")
