import io

import numpy as np
from PIL import Image

from manyheads_client import Attribution, Bundle, attribute
from manyheads_shared.decision import State
from manyheads_shared.evidence import EvidenceRecord
from manyheads_shared.image import Pixels


def encode(pixels: Pixels, file_format: str = "PNG", **options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, file_format, **options)
    return stream.getvalue()


def examine(bundle: Bundle, data: bytes) -> EvidenceRecord:
    (result,) = attribute([data], bundle, device="cpu", precision="float32")
    assert isinstance(result, Attribution)
    return result.record


def test_an_image_like_those_of_the_suite_is_read_on_the_curve(bundle: Bundle, images: list[Pixels]) -> None:
    record = examine(bundle, encode(images[0]))
    assert (record.strata, record.doubts) == ((), ())
    assert record.state is record.scores_say
    assert all(result.valid and result.reach is None and result.log10_ratio is not None for result in record.heads)


def test_a_strongly_compressed_image_is_outside_what_was_validated(bundle: Bundle, images: list[Pixels]) -> None:
    record = examine(bundle, encode(np.ascontiguousarray(images[0][:32, :32]), "JPEG", quality=20))  # of the network's size
    assert [stratum.ladder for stratum in record.strata][:1] == ["jpeg"]
    assert record.state is State.INCONCLUSIVE
    assert not record.detector.valid


def test_an_image_of_a_size_that_was_not_tested_is_outside_too(bundle: Bundle, images: list[Pixels]) -> None:
    tested, huge = examine(bundle, encode(images[1])), examine(bundle, encode(np.tile(images[1], (4, 4, 1))))
    assert tested.detector.valid
    assert not huge.detector.valid
    if huge.scores_say is not State.INCONCLUSIVE:
        assert "192x192 pixels, and those tested had 48 on" in huge.doubts[0]


def test_the_facts_of_a_jpeg_file_are_in_its_record(bundle: Bundle, images: list[Pixels]) -> None:
    exif = Image.Exif()
    exif[271], exif[272] = "Golden Camera", "M\x1b[31m"
    stream = io.BytesIO()
    Image.fromarray(images[0]).save(stream, "JPEG", quality=90, exif=exif)
    item = examine(bundle, stream.getvalue()).item
    assert item.exif == {"Make": "Golden Camera", "Model": "M\\x1b[31m"}
    assert [len(table) for table in item.quantisation] == [64, 64]


def test_the_same_picture_in_another_file_has_the_same_digest_of_its_pixels(bundle: Bundle, images: list[Pixels]) -> None:
    png, webp = (examine(bundle, data).item for data in (encode(images[0]), encode(images[0], "WEBP", lossless=1)))
    assert png.pixels == webp.pixels
    assert png.sha256 != webp.sha256
