"""Images to attributions: decode in threads, score in batches, decide, record. Memory grows with neither number nor size.

What is an image and which thresholds hold is decided elsewhere (`shared.image`, `shared.decision`); nothing is decided here.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from manyheads_client.budget import Budget
from manyheads_client.bundle import Bundle
from manyheads_client.credentials import CredentialsReader
from manyheads_client.inputs import Item, file_item
from manyheads_client.instrument import describe_instrument
from manyheads_client.item import describe_file, describe_pixels
from manyheads_client.judgement import Judge
from manyheads_client.stability import change_mildly
from manyheads_shared.clock import now
from manyheads_shared.condition import Condition
from manyheads_shared.decision import State
from manyheads_shared.errors import ImageError, ManyheadsError, UnreadableImageError
from manyheads_shared.estimates import estimate_condition
from manyheads_shared.evidence import EvidenceRecord, Examined, FailureRecord, Instrument, ItemExamined
from manyheads_shared.image import MAX_FILE_BYTES, MAX_PIXELS, MIN_SIDE, DecodedImage, Pixels, count_pixels, decode_image
from manyheads_shared.manifest import Preprocessing
from manyheads_shared.preprocess import MAX_NATIVE_PIXELS, fit_decoded, fit_image

if TYPE_CHECKING:
    from manyheads_shared.scoring import Scorer

ImageSource = Path | str | bytes | Pixels | Item

WINDOW_IMAGES = 64  # scored together: one batch when they have one size
WINDOW_PIXELS = MAX_NATIVE_PIXELS  # the same for images of native size: 200 MB in the first layer
DECODING_PIXELS = MAX_PIXELS  # decoded at once, by all threads: a pixel takes up to 12 bytes on its way, 16 from WebP: 1.6 GB
HELD_BYTES = 256 << 20  # of items whose bytes are in memory before anybody examines them
DECODERS = min(os.cpu_count() or 1, 8)  # threads; Pillow lets go of the interpreter while it decodes

R = TypeVar("R")


@dataclass(frozen=True)
class Attribution:
    """What the bundle says of one image."""

    entry: Examined
    pixels: Pixels  # uint8 (S, S, 3): the image as the network saw it
    saliency: NDArray[np.float32] | None  # (1 + K, h, w), in logits: detector, then heads; None unless asked for

    @property
    def record(self) -> EvidenceRecord:
        """The evidence."""
        return self.entry.record

    @property
    def name(self) -> str:
        """The image, as it was given."""
        return self.entry.name

    @property
    def state(self) -> State:
        """The outcome."""
        return self.entry.state

    @property
    def generators(self) -> tuple[str, ...]:
        """Titles of the generators whose heads claim the image."""
        return self.record.claimed_by


@dataclass(frozen=True)
class Failure:
    """An image that could not be examined."""

    entry: FailureRecord

    @property
    def name(self) -> str:
        """The image, as it was given."""
        return self.entry.name


@dataclass(frozen=True)
class _Ready:
    """An image that decoded, fitted to the network's size."""

    item: ItemExamined
    condition: Condition
    pixels: Pixels
    changed: Mapping[str, Pixels]  # the same after mild changes, where stability is tested


def attribute(
    images: Iterable[ImageSource],
    bundle: Bundle,
    *,
    device: str = "auto",
    precision: str = "auto",
    saliency: bool = False,
    stability: bool = False,
    jobs: int | None = None,
    credentials_of: CredentialsReader | None = None,
) -> Iterator[Attribution | Failure]:
    """Attribute images, one result each, in their order.

    Args:
        images: paths, the bytes of image files, `Item`s, or decoded pixels: uint8 (H, W, 3), RGB.
        bundle: from `Bundle.open`.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        precision: `auto` (float32, which the hub's thresholds were fitted in), `float32` or `bfloat16`.
        saliency: also localise every score.
        stability: also score the image after mild changes; a verdict that does not survive them becomes `inconclusive`.
        jobs: threads that decode; None: one a core, at most eight.
        credentials_of: reads content credentials, and is the caller's to close; None: one for this run.

    Yields:
        An `Attribution`, or a `Failure` for an image that cannot be decoded, fitted or scored.

    Raises:
        UsageError: a device or precision that is not there.
        FeatureContractError: the networks do not compute here what they did where the heads were trained.
        ValueError: an array that is no image.

    Example:
        >>> bundle = Bundle.open()
        >>> for result in attribute(["a.png", "b.jpg"], bundle):
        ...     if isinstance(result, Attribution):
        ...         print(result.name, result.state, result.generators)
        a.png attributed ('dcgan@1',)
        b.jpg real ()
    """
    from manyheads_shared.compute import choose_compute  # noqa: PLC0415 - torch takes seconds to load

    compute = choose_compute(device, precision)
    scorer, instrument = bundle.scorer(compute), describe_instrument(bundle, compute)
    spec, decoders = scorer.preprocess.spec, jobs or DECODERS
    run = _Run(scorer, Judge(bundle, instrument.digest), instrument, saliency=saliency)
    opened = nullcontext(credentials_of) if credentials_of else CredentialsReader()
    with opened as reader, ThreadPoolExecutor(decoders, thread_name_prefix="decode") as pool:
        items = (_as_item(source, number) for number, source in enumerate(images, start=1))
        lookahead = decoders if spec.image_size is None else WINDOW_IMAGES  # images of native size may be large
        examine = partial(_examine, spec=spec, budget=Budget(DECODING_PIXELS), credentials_of=reader, stability=stability)
        examined = _ahead(pool, examine, items, count=lookahead)
        for window in _windows(examined):
            yield from run.attribute(window)


class _Run:
    """Scores windows of images and judges them."""

    def __init__(self, scorer: "Scorer", judge: Judge, instrument: Instrument, *, saliency: bool) -> None:
        self._scorer, self._judge, self._instrument, self._saliency = scorer, judge, instrument, saliency

    def attribute(self, window: Sequence[_Ready | Failure]) -> Iterator[Attribution | Failure]:
        """Score a window in one batch for each size that occurs in it, and yield in the window's order."""
        ready = [entry for entry in window if isinstance(entry, _Ready)]
        scores = iter(self._score([entry.pixels for entry in ready], saliency=self._saliency))
        changes = iter(self._score([pixels for entry in ready for pixels in entry.changed.values()], saliency=False))
        for entry in window:
            if isinstance(entry, Failure):
                yield entry
                continue
            logits, saliency = next(scores)
            changed = [(change, next(changes)[0]) for change in entry.changed]
            error = next(filter(None, map(self._scorer.check_finite, (logits, *(of_change for _, of_change in changed)))), None)
            if error:
                yield _fail(entry.item.name, error)
                continue
            record = self._judge.judge(entry.item, entry.condition, logits, changed or None)
            yield Attribution(Examined(record, self._instrument), entry.pixels, saliency)

    def _score(
        self, images: Sequence[Pixels], *, saliency: bool
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32] | None]]:
        """Logits (1 + K,) of each image, and its saliency (1 + K, h, w) where that is asked for."""
        by_size: dict[tuple[int, ...], list[int]] = {}
        for i, pixels in enumerate(images):
            by_size.setdefault(pixels.shape, []).append(i)
        found: dict[int, tuple[NDArray[np.float32], NDArray[np.float32] | None]] = {}
        for indices in chain.from_iterable(_batches(size, indices) for size, indices in by_size.items()):
            batch = [images[i] for i in indices]
            if saliency:
                analysis = self._scorer.analyse_as_is(batch)
                found.update(zip(indices, zip(analysis.logits, analysis.saliency, strict=True), strict=True))
            else:
                found.update(zip(indices, ((logits, None) for logits in self._scorer.score_as_is(batch)), strict=True))
        return [found[i] for i in range(len(images))]


def _examine(
    item: Item, *, spec: Preprocessing, budget: Budget, credentials_of: CredentialsReader, stability: bool
) -> _Ready | Failure:
    """Read and decode one image, describe it and fit it; runs in a thread."""
    try:
        content = item.read()
        if isinstance(content, np.ndarray):
            decoded = _as_decoded(content)
            return _ready(describe_pixels(item.name, decoded, spec), decoded, spec, stability=stability)
        with budget.hold(count_pixels(content)):
            decoded = decode_image(content)
            described = describe_file(item.name, content, decoded, spec, credentials_of)
            return _ready(described, decoded, spec, stability=stability)
    except ImageError as error:
        return _fail(item.name, error)
    except MemoryError:
        short = "not enough memory to examine it; use fewer --jobs, or a larger machine"
        return _fail(item.name, UnreadableImageError(short))


def _ready(item: ItemExamined, decoded: DecodedImage, spec: Preprocessing, *, stability: bool) -> _Ready:
    """Fit an image, and its mild changes where stability is tested.

    Its condition is that of the picture the network sees: the hub climbed its ladders there.
    """
    seen = fit_decoded(decoded, spec)
    condition = estimate_condition(seen)
    changed = change_mildly(decoded.pixels) if stability else {}
    return _Ready(item, condition, seen.pixels, {change: fit_image(pixels, spec) for change, pixels in changed.items()})


def _as_item(source: ImageSource, number: int) -> Item:
    if isinstance(source, Item):
        return source
    if isinstance(source, Path | str):
        return file_item(Path(source))
    return Item(f"image {number}", None, lambda: source)


def _as_decoded(pixels: Pixels) -> DecodedImage:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected pixels uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}")
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise ImageError(f"expected at least {MIN_SIDE} pixels a side, got {pixels.shape[1]}x{pixels.shape[0]}")
    return DecodedImage(pixels, "pixels", "RGB", ("given as decoded pixels: size and digests are theirs, not a file's",))


def _fail(name: str, error: ManyheadsError) -> Failure:
    return Failure(FailureRecord.new(name=name, error=type(error).__name__, reason=str(error), created=now()))


def _ahead(pool: ThreadPoolExecutor, function: Callable[[Item], R], items: Iterable[Item], *, count: int) -> Iterator[R]:
    """Map in order, in threads, never more than `count` items or `HELD_BYTES` ahead of the consumer."""
    pending: deque[tuple[Future[R], int]] = deque()
    held = 0
    try:
        for item in items:
            size = _held(item)
            while pending and (len(pending) == count or held + size > HELD_BYTES):
                future, released = pending.popleft()
                held -= released
                yield future.result()
            pending.append((pool.submit(function, item), size))
            held += size
        while pending:
            yield pending.popleft()[0].result()
    finally:
        for future, _ in pending:
            future.cancel()


def _held(item: Item) -> int:
    """The bytes that an item may hold in memory: a file holds none, a member of a packed archive all of its own."""
    return 0 if item.path else min(item.size or 0, MAX_FILE_BYTES)


def _batches(size: tuple[int, ...], indices: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many images of one size at once as a window may hold."""
    most = max(1, min(WINDOW_IMAGES, WINDOW_PIXELS // (size[0] * size[1])))
    return (indices[start : start + most] for start in range(0, len(indices), most))


def _windows(entries: Iterable[_Ready | Failure]) -> Iterator[list[_Ready | Failure]]:
    window: list[_Ready | Failure] = []
    pixels = 0
    for entry in entries:
        size = entry.pixels.shape[0] * entry.pixels.shape[1] if isinstance(entry, _Ready) else 0
        if window and (len(window) == WINDOW_IMAGES or pixels + size > WINDOW_PIXELS):
            yield window
            window, pixels = [], 0
        window.append(entry)
        pixels += size
    if window:
        yield window
