import pytest

from manyheads_shared.tiff import find_number
from tests.support.image_files import ORIENTATION, orientation, tiff


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_number_is_found_in_either_byte_order(order: str) -> None:
    assert find_number(orientation(6, order=order), ORIENTATION) == 6
    assert find_number(tiff((1, 3, 1, 2), (ORIENTATION, 4, 1, 70_000), order=order), ORIENTATION) == 70_000


@pytest.mark.parametrize("entry", [(1, 3, 1, 6), (ORIENTATION, 2, 4, 6), (ORIENTATION, 3, 2, 6), (ORIENTATION, 99, 1, 6)])
def test_what_is_no_single_whole_number_is_none(entry: tuple[int, int, int, int]) -> None:
    assert find_number(tiff(entry), ORIENTATION) is None


def test_a_structure_cut_off_before_its_number_is_named() -> None:
    whole = orientation(6)
    for end in range(20):
        with pytest.raises(ValueError, match="TIFF structure"):
            find_number(whole[:end], ORIENTATION)
