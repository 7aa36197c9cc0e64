import io
import os
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manyheads_shared import image
from manyheads_shared.errors import ImageError, UnreadableImageError
from manyheads_shared.image import Pixels, count_pixels, decode_image, read_image
from tests.support.image_files import Chunk, encode, png_chunks, png_header, png_of
from tests.support.makers import make_images

(NOISE,) = make_images(1, size=40)
UPRIGHT: Pixels = np.ascontiguousarray(NOISE[:, :24])  # 24 wide, 40 high: no symmetry at all
# how a camera stores the upright picture under each EXIF orientation (Exif 2.32, table 6)
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT, 1),
    7: UPRIGHT[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(UPRIGHT, -1),
}


def _png(width: int, height: int, *, depth: int, colour: int, rows: bytes = b"", more: tuple[Chunk, ...] = ()) -> bytes:
    """A PNG from its parts, for what Pillow does not write; `more` are chunks between header and pixels."""
    return png_of(
        (png_header(width, height, depth=depth, colour=colour), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize(("file_format", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_files_give_back_every_pixel(file_format: str, options: dict[str, Any]) -> None:
    decoded = decode_image(encode(NOISE, file_format, **options))

    np.testing.assert_array_equal(decoded.pixels, NOISE)
    assert (decoded.file_format, decoded.mode, decoded.notes) == (file_format, "RGB", ())


def test_jpeg_gives_what_pillow_decodes() -> None:
    data = encode(NOISE, "JPEG")
    decoded = decode_image(data)

    np.testing.assert_array_equal(decoded.pixels, np.asarray(Image.open(io.BytesIO(data))))
    assert decoded.pixels.dtype == np.uint8


REFUSED = {
    "nothing": (b"", "empty file"),
    "text": (b"hello, I am no image at all", "something else"),
    "html": (b"<!doctype html><title>404</title>", "something else"),
    "a gif": (encode(NOISE, "GIF"), "something else"),
    "a tiff": (encode(NOISE, "TIFF"), "something else"),
    "only a signature": (b"\x89PNG\r\n\x1a\n", "PNG image is truncated"),
    "16-bit grey": (_png(20, 20, depth=16, colour=0, rows=bytes(41 * 20)), "8 bits a channel"),
    "16-bit colour": (_png(20, 20, depth=16, colour=2, rows=bytes(121 * 20)), "8 bits a channel"),
    "16-bit colour and alpha": (_png(20, 20, depth=16, colour=6, rows=bytes(161 * 20)), "8 bits a channel"),
    "CMYK": (encode(Image.fromarray(NOISE).convert("CMYK"), "JPEG"), "got CMYK"),
    "animated PNG": (
        encode(Image.new("RGB", (20, 20)), save_all=True, append_images=[Image.new("RGB", (20, 20), "red")]),
        "animation",
    ),
    "animated WebP": (
        encode(Image.new("RGB", (20, 20)), "WEBP", save_all=True, append_images=[Image.new("RGB", (20, 20), "red")]),
        "animation",
    ),
    "a bomb": (_png(60_000, 60_000, depth=8, colour=0, rows=b""), "at most 100000000 pixels"),
    "a smaller bomb": (_png(10_001, 10_000, depth=8, colour=0, rows=b""), "at most 100000000 pixels, got 10001x10000"),
    "one pixel": (encode(Image.new("RGB", (1, 1))), "at least 16 pixels a side, got 1x1"),
    "a line": (encode(Image.new("RGB", (5000, 1))), "got 5000x1"),
    "half transparent": (encode(Image.new("RGBA", (20, 20), (10, 20, 30, 128))), "transparency"),
    "a transparent palette": (encode(Image.new("P", (20, 20)), transparency=0), "transparency"),
    "a palette without its colours": (
        _png(20, 20, depth=8, colour=3, rows=bytes(21 * 20)),
        "PNG image is truncated or damaged",
    ),
    "more transparencies than colours": (
        _png(
            20,
            20,
            depth=8,
            colour=3,
            rows=bytes(21 * 20),
            more=((b"PLTE", bytes(768)), (b"tRNS", bytes(300))),
        ),
        "PNG image is truncated or damaged: ValueError",
    ),
    "a transparent colour": (encode(Image.new("RGB", (20, 20)), transparency=(0, 0, 0)), "transparency"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_its_reason(case: str) -> None:
    data, reason = REFUSED[case]

    with pytest.raises(ImageError, match=reason):
        decode_image(data)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_file_is_refused_wherever_it_ends(file_format: str) -> None:
    data = encode(NOISE, file_format)
    offsets = {*range(0, len(data), max(len(data) // 60, 1)), *range(len(data) - 24, len(data))}

    for offset in sorted(offsets):
        with pytest.raises(ImageError):
            decode_image(data[:offset])


def _decode_or_refuse(data: bytes) -> None:
    """Decode damaged bytes; anything but an `ImageError` fails the test."""
    with suppress(ImageError):
        assert decode_image(data).pixels.shape[2] == 3


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_damaged_bytes_never_raise_anything_but_an_image_error(file_format: str, mode: str) -> None:
    mode = "RGB" if (file_format, mode) == ("JPEG", "RGBA") else mode
    data, draw = encode(Image.fromarray(NOISE).convert(mode), file_format), np.random.default_rng(0)

    for _ in range(100):
        damaged = bytearray(data)
        for offset in draw.integers(0, len(data), 3):
            damaged[offset] = draw.integers(256)
        _decode_or_refuse(bytes(damaged))


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGBA"])
def test_damage_behind_sound_checksums_never_raises_anything_but_an_image_error(mode: str) -> None:
    picture, draw = Image.fromarray(NOISE[:20, :20]).convert(mode), np.random.default_rng(1)
    transparency: dict[str, Any] = {"transparency": bytes(range(255, 0, -1))} if mode == "P" else {}
    data = encode(picture, exif=_exif(6), **transparency)

    for _ in range(400):
        chunks = png_chunks(data)
        i = int(draw.integers(len(chunks)))
        kind, body = chunks[i]
        match int(draw.integers(4)):
            case 0:
                del chunks[i]
            case 1:
                chunks.insert(i, chunks[int(draw.integers(len(chunks)))])
            case 2:
                chunks[i] = kind, body[: len(body) // 2] + draw.bytes(int(draw.integers(300)))
            case _ if body:
                place = int(draw.integers(len(body)))
                chunks[i] = kind, body[:place] + draw.bytes(1) + body[place + 1 :]
        _decode_or_refuse(png_of(chunks))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("file_format", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_every_exif_orientation_gives_the_upright_pixels(orientation: int, file_format: str, options: dict[str, Any]) -> None:
    stored = np.ascontiguousarray(STORED[orientation])
    decoded = decode_image(encode(stored, file_format, exif=_exif(orientation), **options))

    np.testing.assert_array_equal(decoded.pixels, UPRIGHT)
    assert decoded.notes == (() if orientation == 1 else (f"turned upright by EXIF orientation {orientation}",))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_nothing_turns_nothing(orientation: int) -> None:
    decoded = decode_image(encode(UPRIGHT, exif=_exif(orientation)))

    np.testing.assert_array_equal(decoded.pixels, UPRIGHT)
    assert decoded.notes == ()


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_damaged_exif_is_no_reason_to_refuse_sound_pixels(file_format: str) -> None:
    whole = _exif(6)

    for length in range(6, len(whole)):
        assert decode_image(encode(NOISE, file_format, exif=whole[:length])).pixels.shape == (40, 40, 3)


def test_a_fully_opaque_alpha_channel_is_dropped_and_noted() -> None:
    opaque = np.dstack([NOISE, np.full((40, 40), 255, np.uint8)])
    decoded = decode_image(encode(opaque))

    np.testing.assert_array_equal(decoded.pixels, NOISE)
    assert decoded.notes == ("dropped a fully opaque alpha channel",)


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_grey_and_palette_become_rgb_and_are_noted(mode: str) -> None:
    picture = Image.fromarray(NOISE).convert(mode)
    decoded = decode_image(encode(picture))

    np.testing.assert_array_equal(decoded.pixels, np.asarray(picture.convert("RGB")))
    assert decoded.notes == (f"converted from {mode} to RGB",)


def test_the_first_picture_of_a_phones_jpeg_is_taken_and_noted() -> None:
    several = encode(NOISE, "MPO", save_all=True, append_images=[Image.new("RGB", (40, 40))])
    decoded = decode_image(several)

    np.testing.assert_array_equal(decoded.pixels, decode_image(encode(NOISE, "JPEG")).pixels)
    assert decoded.file_format == "JPEG"
    assert "further pictures" in decoded.notes[0]


def test_bytes_after_the_picture_are_no_damage() -> None:
    np.testing.assert_array_equal(decode_image(encode(NOISE) + b"appended by a phone").pixels, NOISE)


def test_a_very_wide_picture_is_decoded() -> None:
    assert decode_image(encode(Image.new("RGB", (20_000, 16)))).pixels.shape == (16, 20_000, 3)


def test_a_file_over_the_limit_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "MAX_FILE_BYTES", 1000)

    with pytest.raises(ImageError, match="got more"):
        decode_image(encode(NOISE))


def test_the_error_of_a_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no")

    with pytest.raises(ImageError, match=r"broken\.png: expected a PNG"):
        read_image(tmp_path / "broken.png")


@pytest.mark.parametrize("name", ["absent.png", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path / name)


@pytest.mark.timeout(20)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableImageError, match=r"pipe\.png: cannot be read: expected a regular file"):
        read_image(tmp_path / "pipe.png")


def test_decoding_in_threads_leaves_the_programs_warning_filters_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(warnings, "catch_warnings")  # it is not safe in threads: whoever uses it fails here
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decode_image, [encode(NOISE)] * 64))
    assert warnings.filters == before


def test_a_header_tells_how_many_pixels_decoding_takes() -> None:
    assert count_pixels(_png(60_000, 2_000, depth=8, colour=0)) == 120_000_000
    with pytest.raises(ImageError, match="something else"):
        count_pixels(b"hello")


def test_a_file_decodes_like_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "noise.png").write_bytes(encode(NOISE))

    np.testing.assert_array_equal(read_image(tmp_path / "noise.png").pixels, NOISE)
