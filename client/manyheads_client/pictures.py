"""The pictures of a report: thumbnails and saliency overlays, made again from the files the records name.

Records hold no pixels. Each file is read once more, its digest compared with the record's, and scored again for its saliency; a
file that moved or changed gets no picture. All overlays of a report share one colour scale, found before any is drawn.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from manyheads_client.analysis import Attribution, attribute
from manyheads_client.bundle import Bundle
from manyheads_client.inputs import Item, find_item
from manyheads_shared.decision import Answer
from manyheads_shared.evidence import Examined, ItemExamined
from manyheads_shared.image import Pixels
from manyheads_shared.overlay import overlay

Find = Callable[[ItemExamined], Item | None]

THUMBNAIL_PIXELS = 160  # longer side; a smaller image is left as it is
JPEG_QUALITY = 85
MAX_HEADS = 3  # overlays of heads on one card, the strongest first
SCALE_QUANTILE = 0.99  # of all saliency values in the report: a single hot spot must not turn everything green


@dataclass(frozen=True)
class Overlay:
    """Where one score comes from."""

    title: str  # "detector", or a generator
    jpeg: bytes


@dataclass(frozen=True)
class ItemPictures:
    """The pictures of one image."""

    thumbnail: bytes  # JPEG
    overlays: tuple[Overlay, ...]


@dataclass(frozen=True)
class Pictures:
    """The pictures of a report, by item name and digest."""

    scale: float | None  # logits at the ends of the colour scale; None when there is no overlay
    items: dict[tuple[str, str], ItemPictures]

    def find(self, entry: Examined) -> ItemPictures | None:
        """Return the pictures of a record's item, or None."""
        return self.items.get(_key(entry))


@dataclass(frozen=True)
class _Sketch:
    """What is kept of one image until the scale is known."""

    key: tuple[str, str]
    pixels: Pixels
    maps: tuple[tuple[str, NDArray[np.float32]], ...]


NO_PICTURES = Pictures(None, {})


def find_by_name(item: ItemExamined) -> Item | None:
    """The image where its record says that it lies."""
    return find_item(item.name)


def draw_pictures(
    entries: Sequence[Examined],
    bundle: Bundle,
    *,
    device: str = "auto",
    precision: str = "auto",
    find: Find = find_by_name,
    on_image: Callable[[], None] = lambda: None,
) -> Pictures:
    """Draw the pictures of these records; meant for as many as a report shows in full.

    Args:
        find: where the image of a record lies; None: it is not there.
    """
    found = [(entry, item) for entry in entries if (item := find(entry.record.item))]
    results = attribute((item for _, item in found), bundle, device=device, precision=precision, saliency=True)
    sketches = []
    for (entry, _), result in zip(found, results, strict=True):
        if isinstance(result, Attribution) and result.record.item.sha256 == entry.record.item.sha256:
            sketches.append(_sketch(entry, result))
        on_image()
    scale = find_scale(saliency for sketch in sketches for _, saliency in sketch.maps)
    return Pictures(scale, {sketch.key: _draw(sketch, scale) for sketch in sketches})


def find_speaking(entry: Examined) -> list[tuple[str, int]]:
    """The networks worth a picture: the detector, then heads that do not say no, the strongest first; each with its column."""
    heads = list(entry.heads)
    speaking = [i for i, (_, found) in enumerate(heads) if found.answer is not Answer.NO]
    speaking.sort(key=lambda i: heads[i][0].standing.band.high - heads[i][1].logit)
    return [("detector", 0), *((heads[i][0].generator.title, i + 1) for i in speaking)]


def _sketch(entry: Examined, result: Attribution) -> _Sketch:
    assert result.saliency is not None  # asked for
    pixels, wanted = _shrink(result.pixels), find_speaking(entry)[: 1 + MAX_HEADS]
    maps = tuple((title, _shrink_map(result.saliency[column], pixels.shape)) for title, column in wanted)
    return _Sketch(_key(entry), pixels, maps)


def _key(entry: Examined) -> tuple[str, str]:
    return entry.name, entry.record.item.sha256


def _draw(sketch: _Sketch, scale: float | None) -> ItemPictures:
    overlays = tuple(
        Overlay(title, _encode(overlay(sketch.pixels, saliency, scale=scale))) for title, saliency in sketch.maps if scale
    )
    return ItemPictures(_encode(sketch.pixels), overlays)


def find_scale(maps: Iterable[NDArray[np.float32]]) -> float | None:
    """The logits at the ends of the colour scale, to two digits; None without a single map or with empty ones."""
    values = [np.abs(saliency).ravel() for saliency in maps]
    if not values:
        return None
    scale = float(f"{np.quantile(np.concatenate(values), SCALE_QUANTILE):.2g}")
    return scale or None


def _shrink(pixels: Pixels) -> Pixels:
    longest = max(pixels.shape[:2])
    if longest <= THUMBNAIL_PIXELS:
        return pixels
    size = tuple(max(1, round(side * THUMBNAIL_PIXELS / longest)) for side in pixels.shape[1::-1])
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS), dtype=np.uint8)


def _shrink_map(saliency: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Bring a map larger than its thumbnail to the thumbnail's size, by averaging."""
    height, width = shape[:2]
    if saliency.shape[0] <= height and saliency.shape[1] <= width:
        return saliency
    return np.asarray(Image.fromarray(saliency).resize((width, height), Image.Resampling.BOX), dtype=np.float32)


def _encode(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()
