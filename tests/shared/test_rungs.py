import numpy as np
import pytest

from manyheads_shared.digest import digest_bytes
from manyheads_shared.rungs import LADDERS, RUNGS, Rung, climb
from tests.support.makers import make_images

DIGEST = digest_bytes(b"an image")


@pytest.mark.parametrize("rung", RUNGS, ids=str)
def test_a_rung_keeps_the_shape_and_is_the_same_every_time(rung: Rung) -> None:
    image = make_images(1, size=40)[0][:33]
    once, again = (climb(image, rung, digest=DIGEST) for _ in range(2))
    assert once.shape == image.shape
    assert once.dtype == np.uint8
    assert np.array_equal(once, again)
    assert not np.array_equal(once, image)


@pytest.mark.parametrize("ladder", LADDERS)
def test_higher_rungs_change_more(ladder: str) -> None:
    y, x = np.mgrid[0:64, 0:64]
    image = np.stack([128 + 60 * np.sin(x / 3), 128 + 60 * np.sin(y / 4), 128 + 60 * np.sin((x + y) / 5)], axis=-1)
    image = image.astype(np.uint8)
    changes = [
        float(np.abs(climb(image, rung, digest=DIGEST).astype(int) - image).mean()) for rung in RUNGS if rung.ladder == ladder
    ]
    assert changes == sorted(changes)
