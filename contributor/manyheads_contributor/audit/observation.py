"""Reading: every image file becomes one observation, from one read and one decode. Nothing is judged here."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from manyheads_contributor.audit.container import Container, read_container
from manyheads_contributor.audit.history import History, measure_history
from manyheads_contributor.audit.values import Values, measure_values, to_luma
from manyheads_contributor.duplicates import Fingerprint, fingerprint
from manyheads_shared.dataset import Item
from manyheads_shared.errors import ImageError
from manyheads_shared.image import decode_image, read_image_file
from manyheads_shared.terminal import silence_pillow

_WINDOW = 512  # pixels a side: traces of larger images are measured on their top left part, which keeps the grid in phase
_WORTH_PROCESSES = 1500  # images; starting the workers takes about a second
_CHUNK = 64  # images handed to a worker at once


@dataclass(frozen=True)
class Observation:
    """All that the audit knows of one image."""

    item: Item
    file_bytes: int
    container: Container
    history: History
    values: Values
    fingerprint: Fingerprint


@dataclass(frozen=True)
class Undecodable:
    """A file that cannot be decoded."""

    item: Item
    reason: str


def observe(item: Item) -> Observation | Undecodable:
    """Observe one image."""
    try:
        data = read_image_file(item.path)
        pixels = decode_image(data).pixels
    except ImageError as error:
        return Undecodable(item, str(error))
    window = pixels[:_WINDOW, :_WINDOW]
    luma = to_luma(window)
    return Observation(
        item, len(data), read_container(data), measure_history(luma), measure_values(pixels, luma), fingerprint(pixels)
    )


def observe_all(items: Sequence[Item], *, on_image: Callable[[], None] | None = None) -> list[Observation | Undecodable]:
    """Observe images in order, on several cores when they are many."""
    results = []
    if len(items) < _WORTH_PROCESSES:
        for item in items:
            results.append(observe(item))
            if on_image:
                on_image()
        return results
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=silence_pillow) as pool:
        for result in pool.map(observe, items, chunksize=_CHUNK):
            results.append(result)
            if on_image:
                on_image()
    return results
