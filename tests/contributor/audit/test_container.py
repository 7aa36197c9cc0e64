import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from manyheads_contributor.audit.container import estimate_quality, read_container, scaled_luma
from tests.support.pictures import draw_pictures


def _encode(file_format: str, *, mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(draw_pictures(1)[0]).convert(mode).save(stream, file_format, **options)
    return stream.getvalue()


@pytest.mark.parametrize("quality", [10, 35, 50, 75, 90, 95, 100])
def test_the_quality_of_a_jpeg_is_read_off_its_tables(quality: int) -> None:
    container = read_container(_encode("JPEG", quality=quality))
    assert container.jpeg_quality == quality
    assert container.jpeg is not None
    assert container.jpeg.startswith(f"q{quality} 4:2:0 tables ")


def test_tables_of_another_encoder_have_the_nearest_quality() -> None:
    odd = np.clip(scaled_luma(80) + np.eye(8, dtype=np.int64), 1, 255)
    assert estimate_quality(odd.ravel().tolist()) in (79, 80, 81)


def test_subsampling_and_tables_tell_two_jpegs_of_one_quality_apart() -> None:
    one, other = (read_container(_encode("JPEG", quality=80, subsampling=mode)).jpeg for mode in (0, 2))
    assert one != other


def test_a_luma_table_of_any_number_is_read() -> None:
    data = bytearray(_encode("JPEG", mode="L", quality=80))
    table, scan = data.index(b"\xff\xdb") + 4, data.index(b"\xff\xc0") + 12
    assert (data[table], data[scan]) == (0, 0)
    data[table] = data[scan] = 2
    assert read_container(bytes(data)).jpeg_quality == 80


def test_a_jpeg_that_holds_further_pictures_is_a_jpeg() -> None:
    further = [Image.fromarray(pixels) for pixels in draw_pictures(2)]
    container = read_container(_encode("MPO", save_all=True, append_images=further))
    assert container.format == "JPEG"
    assert container.jpeg is not None


def test_lossy_and_lossless_webp_are_two_formats() -> None:
    assert read_container(_encode("WEBP", lossless=True)).format == "WEBP lossless"
    assert read_container(_encode("WEBP", quality=80)).format == "WEBP lossy"
    exif = Image.Exif()
    exif[0x010F] = "camera"
    assert read_container(_encode("WEBP", quality=80, exif=exif)).format == "WEBP lossy"


def test_mode_size_and_metadata_are_named() -> None:
    words = PngInfo()
    words.add_text("parameters", "a prompt nobody should see")
    container = read_container(_encode("PNG", mode="L", pnginfo=words))
    assert (container.format, container.mode, container.width, container.height) == ("PNG", "L", 64, 64)
    assert container.metadata == ("text",)
    assert container.jpeg is None


def test_exif_is_metadata() -> None:
    exif = Image.Exif()
    exif[0x010F] = "camera"
    assert read_container(_encode("JPEG", exif=exif)).metadata == ("EXIF",)
