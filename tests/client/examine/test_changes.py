from urllib.parse import parse_qsl

import pytest

from manyheads_client.examine.changes import RANGES, UNCHANGED, Change
from manyheads_shared.digest import digest_bytes
from manyheads_shared.operations import blur_at, jpeg_at
from manyheads_shared.rungs import LADDERS, Ladder
from tests.support.pictures import draw_pictures

FILE, OTHER = digest_bytes(b"a file"), digest_bytes(b"another")
(PICTURE,) = draw_pictures(1, size=64, seed=5)


def test_an_unchanged_copy_is_the_image() -> None:
    assert (UNCHANGED.apply(PICTURE, FILE) == PICTURE).all()
    assert (str(UNCHANGED), UNCHANGED.query) == ("nothing changed", "")


def test_operations_follow_each_other_as_they_do_on_an_images_way() -> None:
    change = Change(jpeg=60, blur=1.2)

    assert str(change) == "blur 1.2, jpeg 60"
    assert (change.apply(PICTURE, FILE) == jpeg_at(blur_at(PICTURE, 1.2), 60)).all()


def test_the_same_file_is_always_changed_alike_and_another_is_not() -> None:
    change = Change(crop=0.2, noise=5)
    once, again, of_another = (change.apply(PICTURE, digest) for digest in (FILE, FILE, OTHER))

    assert (once == again).all()
    assert not (once == of_another).all()


@pytest.mark.parametrize("name", RANGES)
def test_every_operation_goes_past_the_last_rung_of_its_ladder_and_keeps_the_shape(name: Ladder) -> None:
    end = {RANGES[name].least, RANGES[name].most} - {RANGES[name].unchanged}
    strength = end.pop()

    assert abs(strength - RANGES[name].unchanged) > abs(LADDERS[name][-1] - RANGES[name].unchanged)
    changed = Change(**{name: strength}).apply(PICTURE, FILE)
    assert (changed.shape, changed.dtype) == (PICTURE.shape, PICTURE.dtype)


def test_a_change_is_told_again_by_its_query() -> None:
    change = Change(crop=0.15, scale=0.5, jpeg=70)

    assert Change(**{name: float(value) for name, value in parse_qsl(change.query)}) == change
