"""Hostile image files: bombs, lies, ruins, disguises, and rarities that are sound. Built from their parts, none committed.

Each says what must become of it: the picture it shows, known from elsewhere than a decoder, or the refusal.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np
from PIL import Image, ImageCms

from manyheads_shared.image import Pixels
from tests.support.image_files import (
    SIGNATURE,
    encode,
    insert_segment,
    jpeg_segment,
    orientation,
    plain_png,
    png_chunk,
    png_chunks,
    png_header,
    png_interlaced,
    png_of,
    png_rows,
    repeat_scan,
    tiff,
)

WIDTH, HEIGHT = 24, 40  # no symmetry at all
LOSSY = 6.0  # of 255: mean distance of a smooth picture from its JPEG
_SOUND_SCANS = 100  # parts.MAX_SCANS


@dataclass(frozen=True)
class Case:
    """A file, and what must become of it: it shows a picture, or is refused for a reason, or either where neither is said."""

    name: str
    data: bytes
    shows: Pixels | None = None  # uint8 (H, W, 3)
    refused: str | None = None  # occurs in the message
    distance: float = 0.0  # mean, of 255, that `shows` may be missed by


def picture() -> Pixels:
    """A smooth picture, uint8 (40, 24, 3), unlike each of its turns."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 10, y * 6, 255 - x * 4 - y * 3], axis=-1).astype(np.uint8)


def stored(turn: int) -> Pixels:
    """The picture as a camera stores it under an EXIF orientation (Exif 2.32, table 6)."""
    upright = picture()
    turns = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    return np.ascontiguousarray(turns[turn])


@cache
def cases() -> tuple[Case, ...]:
    """The whole corpus, but for truncations."""
    groups = (_bombs(), _lies(), _disguises(), _ruins(), _rare_png(), _rare_jpeg(), _rare_webp(), _turned(), _metadata())
    return tuple(chain.from_iterable(groups))


def truncations() -> Iterator[Case]:
    """A small PNG, JPEG and WebP, cut off at every byte."""
    small = np.ascontiguousarray(picture()[:16, :16])
    whole = {"png": plain_png(small), "jpeg": encode(small, "JPEG"), "webp": encode(small, "WEBP", lossless=True)}
    for suffix, data in whole.items():
        for end in range(len(data)):
            yield Case(f"cut off after {end} bytes.{suffix}", data[:end], refused="")


def _jpeg(**options: object) -> bytes:
    return encode(picture(), "JPEG", quality=95, subsampling=0, **options)


def _bombs() -> Iterator[Case]:
    """A little file that asks for much."""
    rows = zlib.compress(bytes(1 << 24), 9)  # 16 MB of zeros
    header, end = png_header(WIDTH, HEIGHT), (b"IEND", b"")
    yield Case("a gigapixel announced.png", png_of((png_header(1 << 16, 1 << 16), (b"IDAT", b""), end)), refused="at most 1000")
    yield Case(
        "the largest size announced.png", png_of((png_header(2**31 - 1, 2**31 - 1), (b"IDAT", b""), end)), refused="at most"
    )
    yield Case("one pixel too many.png", png_of((png_header(10_001, 10_000), (b"IDAT", b""), end)), refused="got 10001x10000")
    yield Case(
        "more zeros than pixels.png", png_of((header, (b"IDAT", rows), end)), shows=np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    )
    text = b"Comment\0\0" + zlib.compress(bytes(1 << 27), 9)
    yield Case("a text of 128 MB.png", plain_png(picture(), before=[(b"zTXt", text)]), shows=picture())
    yield Case("a hundred texts.png", plain_png(picture(), after=[(b"zTXt", text[:9] + rows)] * 100), shows=picture())
    profile = b"ICC\0\0" + zlib.compress(bytes(1 << 27), 9)
    yield Case("a profile of 128 MB.png", plain_png(picture(), before=[(b"iCCP", profile)]), shows=picture())
    international = b"Comment\0\1\0\0\0" + rows
    yield Case("an international text.png", plain_png(picture(), before=[(b"iTXt", international)]), shows=picture())
    crowd = png_chunk(b"abCd") * 150_000
    whole = plain_png(picture())
    yield Case("a crowd of chunks before the pixels.png", whole[:33] + crowd + whole[33:], refused="at most 100000 chunks")
    yield Case("a crowd of chunks after the pixels.png", whole[:-12] + crowd + whole[-12:], refused="at most 100000 chunks")
    many = [png_chunk(b"IDAT")] * 90_000
    yield Case("a crowd of empty pixel chunks.png", b"".join((whole[:33], *many, whole[33:])), shows=picture())
    jpeg = _jpeg()
    scanned = _jpeg(progressive=True)
    found = scanned.count(b"\xff\xda")
    yield Case("a thousand scans.jpg", repeat_scan(scanned, 1000), refused="at most 100 scans")
    yield Case("one scan too many.jpg", repeat_scan(scanned, _SOUND_SCANS + 2 - found), refused="got 101")
    yield Case("as many scans as allowed.jpg", repeat_scan(scanned, _SOUND_SCANS + 1 - found))
    exif = jpeg_segment(0xE1, b"Exif\0\0AB")
    yield Case("a crowd of EXIF segments.jpg", insert_segment(jpeg, exif * 150_000), refused="at most 100000 segments")
    yield Case("EXIF in many segments.jpg", insert_segment(jpeg, exif * 50_000), shows=picture(), distance=LOSSY)
    yield Case("four million fill bytes.jpg", insert_segment(jpeg, b"\xff" * (4 << 20)), shows=picture(), distance=LOSSY)
    yield Case(
        "four million bytes of junk.jpg",
        insert_segment(jpeg, jpeg_segment(0xEF), b"\x01" * (4 << 20)),
        shows=picture(),
        distance=LOSSY,
    )
    frame = jpeg_segment(0xC0, b"\x08\0\x28\0\x18\x03" + b"\1\x11\0" * 20_000)
    yield Case("hundreds of frame headers.jpg", insert_segment(jpeg, frame * 300), refused="expected one frame")
    wide = encode(Image.new("RGB", (65_500, 16), (90, 60, 30)), "JPEG", quality=95)
    yield Case("65,500 pixels wide.jpg", wide, shows=np.full((16, 65_500, 3), (90, 60, 30), np.uint8), distance=LOSSY)
    yield Case("a line.png", plain_png(np.zeros((1, 5000, 3), np.uint8)), refused="at least 16 pixels a side, got 5000x1")
    webp = encode(picture(), "WEBP", lossless=True, exif=orientation(1))
    yield Case("a canvas of four gigapixels.webp", _with_canvas(webp, 1 << 16, 1 << 16), refused="at most")
    yield Case("a canvas larger than its picture.webp", _with_canvas(webp, 9000, 9000), refused="truncated or damaged")
    yield Case("a crowd of chunks.webp", _riff(webp[12:] + b"abcd\0\0\0\0" * 500_000), shows=picture())


def _lies() -> Iterator[Case]:
    """A header that says something else than what follows."""
    whole = plain_png(picture())
    header, rows, end = png_chunks(whole)
    for name, width, height in (("wider", WIDTH + 1, HEIGHT), ("higher", WIDTH, HEIGHT + 1)):
        yield Case(
            f"{name} than its pixels.png", png_of((png_header(width, height), rows, end)), refused="PNG image is truncated"
        )
    lower = png_of((png_header(WIDTH, HEIGHT - 8), rows, end))
    yield Case("lower than its pixels.png", lower, shows=picture()[: HEIGHT - 8])
    for place, what in ((29, "the header's"), (-17, "the pixels'"), (-1, "the end's")):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1
        yield Case(f"{what} checksum is wrong.png", bytes(spoilt), refused="checksum")
    for length in (0, 12, 2**31 - 1, 2**32 - 1):
        lying = whole[:33] + length.to_bytes(4, "big") + whole[37:]
        yield Case(f"pixels of {length} bytes, as it says.png", lying, refused="PNG image is")
    yield Case("two headers.png", png_of((header, header, rows, end)), refused="each in its place")
    yield Case("two headers of two sizes.png", png_of((header, png_header(40, 24), rows, end)), refused="each in its place")
    yield Case("a header behind the pixels.png", png_of((rows, header, end)), refused="each in its place")
    yield Case("pixels in two places.png", png_of((header, rows, (b"tEXt", b"a\0b"), rows, end)), refused="each in its place")
    yield Case("no pixels.png", png_of((header, end)), refused="each in its place")
    yield Case("no end.png", png_of((header, rows)), refused="its end is missing")
    yield Case("a chunk nobody knows and nobody may ignore.png", png_of((header, (b"ABCD", b""), rows, end)), refused="ABCD")
    yield Case("a chunk without a name.png", png_of((header, (b"\0\n\x1b\xff", b""), rows, end)), refused="each in its place")
    yield Case("iPhone's own.png", png_of(((b"CgBI", b"P\0 \6"), header, rows, end)), refused="CgBI")
    for width, height in ((0, HEIGHT), (WIDTH, 0), (2**32 - 1, HEIGHT), (2**31, 2**31)):
        yield Case(f"{width} by {height} pixels.png", png_of((png_header(width, height), rows, end)), refused="")
    for depth, colour, compression in ((3, 2, 0), (8, 7, 0), (1, 2, 0), (8, 2, 9)):
        _, body = png_header(WIDTH, HEIGHT, depth=depth, colour=colour)
        odd = body[:10] + bytes((compression,)) + body[11:]
        yield Case(f"depth {depth}, colour {colour}, compression {compression}.png", png_of(((b"IHDR", odd), rows, end)))
    jpeg = _jpeg()
    frame = jpeg.index(b"\xff\xc0")
    for name, height, width in (("no height", 0, WIDTH), ("no width", HEIGHT, 0), ("neither", 0, 0)):
        size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
        yield Case(f"{name}.jpg", jpeg[: frame + 5] + size + jpeg[frame + 9 :], refused="")
    unknown = jpeg[: frame + 5] + bytes(2) + jpeg[frame + 7 : -2] + jpeg_segment(0xDC, HEIGHT.to_bytes(2, "big")) + jpeg[-2:]
    yield Case("its height behind the first scan.jpg", unknown, refused="")
    yield Case("no frame.jpg", jpeg[:frame] + jpeg[frame + 19 :], refused="expected one frame")
    yield Case("no scan.jpg", jpeg[: jpeg.index(b"\xff\xda")] + b"\xff\xd9", refused="expected one frame and its scans")
    yield Case("a segment longer than the file.jpg", jpeg[:2] + b"\xff\xe1\xff\xff" + jpeg[4:], refused="truncated")
    yield Case("a segment of no length.jpg", jpeg[:2] + b"\xff\xdb\0\0" + jpeg[2:], refused="")
    yield Case("twelve bits.jpg", jpeg[: frame + 4] + b"\x0c" + jpeg[frame + 5 :], refused="12-bit")
    yield Case("arithmetic coding announced.jpg", jpeg.replace(b"\xff\xc0", b"\xff\xc9", 1))
    webp = encode(picture(), "WEBP", lossless=True)
    yield Case("longer than its file.webp", b"RIFF\xff\xff\xff\x7f" + webp[8:], refused="")
    yield Case("a chunk longer than its file.webp", webp[:16] + b"\xff\xff\xff\x7f" + webp[20:], refused="")


def _disguises() -> Iterator[Case]:
    """Something else, or two things at once."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("evil.sh", "#!/bin/sh\n")
    html = b"<!doctype html><script>alert(1)</script>"
    yield Case("a picture and an archive.jpg", _jpeg() + archive.getvalue(), shows=picture(), distance=LOSSY)
    yield Case("a picture and a page.png", plain_png(picture(), before=[(b"tEXt", b"a\0" + html)]) + html, shows=picture())
    yield Case("a GIF's start before a picture.png", b"GIF89a" + plain_png(picture()), refused="something else")
    yield Case("a picture behind a page.png", html + plain_png(picture()), refused="something else")
    yield Case("a JPEG named otherwise.png", _jpeg(), shows=picture(), distance=LOSSY)
    for name in ("TIFF", "BMP", "GIF", "ICO", "PDF", "EPS", "PPM", "TGA"):
        yield Case(f"a {name}.png", encode(Image.fromarray(picture()), name), refused="something else")
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><script>alert(1)</script></svg>'
    yield Case("a drawing.png", drawing, refused="something else")
    yield Case("nothing.png", b"", refused="empty file")
    yield Case("zeros.png", bytes(10_000), refused="something else")
    yield Case("noise.png", np.random.default_rng(0).bytes(10_000), refused="something else")
    for name, start in (("PNG", SIGNATURE), ("JPEG", b"\xff\xd8\xff\xe0"), ("WebP", b"RIFF\0\x20\0\0WEBPVP8 ")):
        yield Case(f"noise that begins as {name}.png", start + np.random.default_rng(1).bytes(10_000), refused="")
        yield Case(f"zeros that begin as {name}.png", start + bytes(10_000), refused="")


def _ruins() -> Iterator[Case]:
    """A sound file, damaged."""
    restarting = _jpeg(restart_marker_blocks=1)
    first = restarting.index(b"\xff\xd0")
    yield Case("restart markers.jpg", restarting, shows=picture(), distance=LOSSY)
    yield Case("a restart marker missing.jpg", restarting[:first] + restarting[first + 2 :])
    yield Case("restart markers out of order.jpg", restarting.replace(b"\xff\xd1", b"\xff\xd5"))
    yield Case("a scan of markers nobody knows.jpg", restarting.replace(b"\xff\xd1", b"\xff\x02"))
    jpeg = _jpeg()
    scan = jpeg.index(b"\xff\xda") + 14
    yield Case("half of its scan is missing.jpg", jpeg[: scan + (len(jpeg) - scan) // 2] + b"\xff\xd9")
    yield Case("a scan of zeros.jpg", jpeg[:scan] + bytes(len(jpeg) - scan - 2) + b"\xff\xd9")
    tables = jpeg.index(b"\xff\xc4")
    yield Case("a Huffman table of nonsense.jpg", jpeg[: tables + 5] + b"\xff" * 16 + jpeg[tables + 21 :], refused="")
    header, (_, rows), end = png_chunks(plain_png(picture()))
    yield Case("a stream broken off.png", png_of((header, (b"IDAT", rows[: len(rows) // 2]), end)), refused="truncated")
    yield Case("a stream of nonsense.png", png_of((header, (b"IDAT", b"\x78\x9c" + b"\xff" * 200), end)), refused="damaged")
    unfiltered = np.insert(picture().reshape(HEIGHT, -1), 0, 9, axis=1).tobytes()
    yield Case("a filter that is not there.png", png_of((header, (b"IDAT", zlib.compress(unfiltered)), end)))


def _rare_png() -> Iterator[Case]:
    """PNG beyond 8-bit RGB."""
    pixels, end = picture(), (b"IEND", b"")
    grey = pixels[..., 0]
    from_grey = np.repeat(grey[..., np.newaxis], 3, axis=2)
    interlaced = png_of((png_header(WIDTH, HEIGHT, interlaced=True), png_interlaced(pixels), end))
    yield Case("interlaced.png", interlaced, shows=pixels)
    black = np.zeros_like(pixels)
    yield Case(
        "black and interlaced.png",
        png_of((png_header(WIDTH, HEIGHT, interlaced=True), png_interlaced(black), end)),
        shows=black,
    )
    short = png_of((png_header(WIDTH, HEIGHT + 1, interlaced=True), png_interlaced(pixels), end))
    yield Case("interlaced and a row short.png", short, refused="truncated")
    odd = np.zeros((17, 19, 3), np.uint8)
    yield Case(
        "odd, black and interlaced.png", png_of((png_header(19, 17, interlaced=True), png_interlaced(odd), end)), shows=odd
    )
    yield Case("grey.png", png_of((png_header(WIDTH, HEIGHT, colour=0), png_rows(grey), end)), shows=from_grey)
    bits = (grey > 100).astype(np.uint8)
    black_and_white = png_of((png_header(WIDTH, HEIGHT, depth=1, colour=0), png_rows(np.packbits(bits, axis=1)), end))
    yield Case("black and white.png", black_and_white, shows=np.repeat(bits[..., np.newaxis] * np.uint8(255), 3, axis=2))
    palette = np.random.default_rng(2).integers(0, 256, (256, 3), dtype=np.uint8)
    head, colours, places = png_header(WIDTH, HEIGHT, colour=3), (b"PLTE", palette.tobytes()), png_rows(grey)
    yield Case("a palette.png", png_of((head, colours, places, end)), shows=palette[grey])
    yield Case("an opaque palette.png", png_of((head, colours, (b"tRNS", b"\xff" * 256), places, end)), shows=palette[grey])
    yield Case("a transparent palette.png", png_of((head, colours, (b"tRNS", bytes(256)), places, end)), refused="transparency")
    yield Case("a palette without colours.png", png_of((head, places, end)), refused="damaged")
    yield Case("a palette too small.png", png_of((head, (b"PLTE", bytes(6)), places, end)), refused="its palette has 2")
    yield Case(
        "transparency before its palette.png", png_of((head, (b"tRNS", b"\xff"), colours, places, end)), refused="in its place"
    )
    for depth in (2, 4):
        levels = np.asarray(grey >> (8 - depth), dtype=np.uint8)
        narrow = np.packbits(np.unpackbits(levels.reshape(-1, 1), axis=1)[:, -depth:].reshape(HEIGHT, -1), axis=1)
        shades = np.repeat(levels[..., np.newaxis] * np.uint8(255 // (2**depth - 1)), 3, axis=2)
        packed = png_of((png_header(WIDTH, HEIGHT, depth=depth, colour=0), png_rows(narrow), end))
        yield Case(f"grey of {depth} bits.png", packed, shows=shades)
    opaque = np.dstack([grey, np.full_like(grey, 255)])
    yield Case("grey and opaque.png", png_of((png_header(WIDTH, HEIGHT, colour=4), png_rows(opaque), end)), shows=from_grey)
    clear = np.dstack([grey, np.full_like(grey, 254)])
    faint = png_of((png_header(WIDTH, HEIGHT, colour=4), png_rows(clear), end))
    yield Case("grey and hardly transparent.png", faint, refused="transparency")
    solid = np.dstack([pixels, np.full_like(grey, 255)])
    yield Case("opaque.png", png_of((png_header(WIDTH, HEIGHT, colour=6), png_rows(solid), end)), shows=pixels)
    for colour, channels in ((0, 1), (2, 3), (4, 2), (6, 4)):
        deep = np.zeros((HEIGHT, WIDTH * channels * 2), np.uint8)
        sixteen = png_of((png_header(WIDTH, HEIGHT, depth=16, colour=colour), png_rows(deep), end))
        yield Case(f"16 bits of colour {colour}.png", sixteen, refused="8 bits a channel")
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    yield Case("animated.png", encode(frames[0], save_all=True, append_images=frames[1:]), refused="an animation")
    still = plain_png(pixels, before=[(b"acTL", b"\x7f\xff\xff\xff\0\0\0\0")])
    yield Case("an animation announced that is not there.png", still, shows=pixels)
    one = encode(frames[0], save_all=True, append_images=frames[1:], default_image=True)
    yield Case("a still and another frame.png", one, refused="an animation")


def _rare_jpeg() -> Iterator[Case]:
    """JPEG beyond baseline YCbCr."""
    pixels = picture()
    yield Case("baseline.jpg", _jpeg(), shows=pixels, distance=LOSSY)
    yield Case("progressive.jpg", _jpeg(progressive=True), shows=pixels, distance=LOSSY)
    grey = Image.fromarray(pixels[..., 0])
    yield Case("grey.jpg", encode(grey, "JPEG", quality=95), shows=np.repeat(pixels[..., :1], 3, axis=2), distance=LOSSY)
    rgb = encode(pixels, "JPEG", quality=95, keep_rgb=True)
    yield Case("RGB as it is.jpg", rgb, shows=pixels, distance=LOSSY)
    cmyk = encode(Image.fromarray(pixels).convert("CMYK"), "JPEG")
    yield Case("CMYK.jpg", cmyk, refused="got CMYK")
    adobe = cmyk.index(b"Adobe")
    yield Case("YCCK.jpg", cmyk[: adobe + 11] + b"\2" + cmyk[adobe + 12 :], refused="got CMYK")
    other = Image.fromarray(255 - pixels)
    album = encode(pixels, "MPO", save_all=True, append_images=[other], quality=95, subsampling=0)
    yield Case("further pictures.jpg", album, shows=pixels, distance=LOSSY)
    crowd = tiff(*((tag, 3, 32_000, 0) for tag in range(5000)))
    yield Case(
        "an album's index of nonsense.jpg",
        insert_segment(_jpeg(), jpeg_segment(0xE2, b"MPF\0" + crowd)),
        shows=pixels,
        distance=LOSSY,
    )


def _rare_webp() -> Iterator[Case]:
    """WebP of every kind."""
    pixels = picture()
    yield Case("lossless.webp", encode(pixels, "WEBP", lossless=True), shows=pixels)
    yield Case("lossy.webp", encode(pixels, "WEBP", quality=95), shows=pixels, distance=LOSSY)
    clear = np.dstack([pixels, np.full((HEIGHT, WIDTH), 128, np.uint8)])
    yield Case("half transparent.webp", encode(clear, "WEBP", lossless=True), refused="transparency")
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    yield Case("animated.webp", encode(frames[0], "WEBP", save_all=True, append_images=frames[1:]), refused="an animation")


def _turned() -> Iterator[Case]:
    """Every EXIF orientation, in every format and byte order."""
    for turn in range(1, 9):
        exif, pixels = orientation(turn, order=">" if turn % 2 else "<"), stored(turn)
        yield Case(f"orientation {turn}.png", plain_png(pixels, before=[(b"eXIf", exif)]), shows=picture())
        yield Case(f"orientation {turn}.webp", encode(pixels, "WEBP", lossless=True, exif=exif), shows=picture())
        jpeg = encode(pixels, "JPEG", quality=95, subsampling=0)
        said = insert_segment(jpeg, jpeg_segment(0xE1, b"Exif\0\0" + exif))
        yield Case(f"orientation {turn}.jpg", said, shows=picture(), distance=LOSSY)
    late = plain_png(stored(6), after=[(b"eXIf", orientation(6))])
    yield Case("orientation behind the pixels.png", late, shows=picture())


def _metadata() -> Iterator[Case]:
    """What is said about a sound picture is nonsense, or a trap."""
    long_count = b"II*\0\x08\0\0\0\xff\xff" + orientation(6)[10:]
    broken = {
        "no structure": b"\0" * 64,
        "a directory beyond the end": tiff((0x0112, 3, 1, 6), start=2**32 - 1),
        "a directory in its own header": tiff((0x0112, 3, 1, 6), start=0),
        "a directory that follows itself": tiff((0x0100, 3, 1, 6), following=8),
        "more entries than there are": long_count,
        "values beyond the end": tiff(*((tag, 4, 2**30, 2**32 - 1) for tag in range(0x0100, 0x0110))),
        "a crowd of entries": tiff(*((tag, 3, 30_000, 0) for tag in range(0x0200, 0x1500))),
        "an orientation that is a text": tiff((0x0112, 2, 4, 6)),
        "an orientation of two numbers": tiff((0x0112, 3, 2, 6)),
        "orientation 9": orientation(9),
        "orientation 0": orientation(0),
        "one byte": b"I",
    }
    for name, exif in broken.items():
        turned = stored(6) if name == "more entries than there are" else picture()  # found before the end is
        png = plain_png(turned, before=[(b"eXIf", exif)])
        yield Case(f"EXIF of {name}.png", png, shows=picture())
        jpeg = encode(turned, "JPEG", quality=95, subsampling=0)
        said = insert_segment(jpeg, jpeg_segment(0xE1, b"Exif\0\0" + exif))
        yield Case(f"EXIF of {name}.jpg", said, shows=picture(), distance=LOSSY)
        yield Case(f"EXIF of {name}.webp", encode(turned, "WEBP", lossless=True, exif=exif), shows=picture())
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, icc in (("a profile", profile), ("half a profile", profile[:99]), ("a profile of nonsense", b"\xff" * 400)):
        yield Case(f"{name}.png", encode(picture(), icc_profile=icc), shows=picture())
        yield Case(f"{name}.jpg", _jpeg(icc_profile=icc), shows=picture(), distance=LOSSY)
        yield Case(f"{name}.webp", encode(picture(), "WEBP", lossless=True, icc_profile=icc), shows=picture())
    yield Case("a profile that is not packed.png", plain_png(picture(), before=[(b"iCCP", b"a\0\0nonsense")]), shows=picture())
    photoshop = jpeg_segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5000)
    yield Case("Photoshop's blocks.jpg", insert_segment(_jpeg(), photoshop * 20), shows=picture(), distance=LOSSY)


def _riff(body: bytes) -> bytes:
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def _with_canvas(webp: bytes, width: int, height: int) -> bytes:
    """An extended WebP that announces another canvas."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp[:24] + size + webp[30:]
