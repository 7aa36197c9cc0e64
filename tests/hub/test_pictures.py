import io

import numpy as np
import pytest
from PIL import Image

from manyheads_hub.evaluations.pictures import SCALE, draw_picture
from manyheads_shared.image import Pixels
from tests.support.makers import NO_DIGEST, make_images


def draw(pixels: Pixels, value: float = 0.0) -> Pixels:
    picture = draw_picture(pixels, np.full((4, 4), value, dtype=np.float32), 2.5, NO_DIGEST, "alpha@1")
    return np.asarray(Image.open(io.BytesIO(picture.png)))


def test_the_image_is_shown_as_it_is_enlarged_by_whole_pixels() -> None:
    pixels = make_images(1, size=64)[0]
    shown = draw(pixels)[:, :192]
    assert np.array_equal(shown, pixels.repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.parametrize(("side", "shown"), [(16, 192), (100, 200), (192, 192), (512, 512), (900, 512)])
def test_small_images_are_enlarged_and_large_ones_reduced(side: int, shown: int) -> None:
    assert draw(make_images(1, size=side)[0]).shape == (shown, 2 * shown + 8, 3)


def test_red_lies_where_the_head_sees_its_generator() -> None:
    grey = np.full((64, 64, 3), 128, dtype=np.uint8)
    red, blue = draw(grey, SCALE / 2)[0, -1].astype(int), draw(grey, -SCALE / 2)[0, -1].astype(int)
    assert red[0] > red[2]
    assert blue[2] > blue[0]


def test_the_caption_states_image_logit_meaning_and_scale() -> None:
    caption = draw_picture(make_images(1)[0], np.zeros((4, 4), dtype=np.float32), 2.5, NO_DIGEST, "alpha@1").caption
    assert caption == (
        "Proof image sha256:00000000…, logit +2.5. Red speaks for alpha@1, blue against it; "
        "full colour from 10 logits on, the same scale on every card."
    )
