import pytest

from manyheads_shared.errors import ImageError
from manyheads_shared.parts import has_every_row, take_apart
from tests.support.hostile import picture
from tests.support.image_files import encode, insert_segment, jpeg_segment, orientation, plain_png, png_chunks, png_of, tiff

SAID = b"said about the picture"


@pytest.mark.parametrize("kind", [0xE1, 0xE2, 0xED, 0xEF, 0xFE])
def test_of_a_jpeg_nothing_that_is_only_said_is_kept(kind: int) -> None:
    bare = encode(picture(), "JPEG")
    assert take_apart(insert_segment(bare, jpeg_segment(kind, SAID)) + SAID).pixels == bare


@pytest.mark.parametrize("kind", [0xE0, 0xEE])
def test_of_a_jpeg_what_tells_its_colours_is_kept(kind: int) -> None:
    whole = insert_segment(encode(picture(), "JPEG"), jpeg_segment(kind, b"Adobe\0\x64\0\0\0\0\1"))
    assert take_apart(whole).pixels == whole


def test_of_a_png_only_pixels_and_their_colours_are_kept() -> None:
    whole = plain_png(picture(), before=[(b"tEXt", SAID), (b"gAMA", bytes(4))], after=[(b"zTXt", SAID)]) + SAID
    assert take_apart(whole).pixels == plain_png(picture())


def test_a_webp_goes_whole() -> None:
    whole = encode(picture(), "WEBP", exif=orientation(6))
    assert take_apart(whole).pixels == whole


def test_exif_is_handed_on_unread() -> None:
    assert take_apart(plain_png(picture(), before=[(b"eXIf", SAID)])).exif == SAID
    jpeg = insert_segment(
        encode(picture(), "JPEG"), jpeg_segment(0xE1, b"Exif\0\0" + SAID), jpeg_segment(0xE1, b"Exif\0\0second")
    )
    assert take_apart(jpeg).exif == SAID


@pytest.mark.parametrize("count", [1, 2])
def test_an_album_is_a_jpeg_whose_index_names_more_than_one_picture(count: int) -> None:
    index = jpeg_segment(0xE2, b"MPF\0" + tiff((0xB001, 4, 1, count)))
    assert take_apart(insert_segment(encode(picture(), "JPEG"), index)).is_album == (count > 1)


def test_a_png_whose_pixels_end_early_lacks_rows() -> None:
    whole = plain_png(picture())
    header, (name, rows), end = png_chunks(whole)
    assert has_every_row(whole)
    higher = header[1][:4] + (41).to_bytes(4, "big") + header[1][8:]
    assert not has_every_row(png_of(((b"IHDR", higher), (name, rows), end)))


def test_a_format_nobody_asked_for_is_refused() -> None:
    with pytest.raises(ImageError, match="something else"):
        take_apart(encode(picture(), "GIF"))
