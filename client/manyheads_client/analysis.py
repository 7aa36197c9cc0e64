"""Images to attributions: decode in threads, score in batches, decide, record. Memory grows with neither number nor size.

What is an image and which thresholds hold is decided elsewhere (`shared.image`, `shared.decision`); nothing is decided here.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from manyheads_client.budget import Budget
from manyheads_client.bundle import Bundle
from manyheads_client.inputs import item_name
from manyheads_shared.calibration import Band
from manyheads_shared.clock import now
from manyheads_shared.decision import State, answer, decide
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import ImageError, ManyheadsError
from manyheads_shared.evidence import EvidenceRecord, FailureRecord, HeadMeasurement, Instrument, ItemExamined, Measurement
from manyheads_shared.image import MAX_PIXELS, MIN_SIDE, DecodedImage, Pixels, count_pixels, decode_image, read_image_file
from manyheads_shared.manifest import Preprocessing
from manyheads_shared.preprocess import MAX_NATIVE_PIXELS, fit_image, is_resampled

if TYPE_CHECKING:
    from manyheads_shared.scoring import Scorer

ImageSource = Path | str | bytes | Pixels

WINDOW_IMAGES = 64  # scored together: one batch when they have one size
WINDOW_PIXELS = MAX_NATIVE_PIXELS  # the same for images of native size: 200 MB in the first layer
DECODING_PIXELS = MAX_PIXELS  # decoded at once, by all threads: a pixel takes up to 12 bytes on its way, 16 from WebP: 1.6 GB
DECODERS = min(os.cpu_count() or 1, 8)  # threads; Pillow lets go of the interpreter while it decodes

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Attribution:
    """What the bundle says of one image."""

    record: EvidenceRecord
    pixels: Pixels  # uint8 (S, S, 3): the image as the network saw it
    saliency: NDArray[np.float32] | None  # (1 + K, h, w), in logits: detector, then heads; None unless asked for

    @property
    def name(self) -> str:
        """The image, as it was given."""
        return self.record.item.name

    @property
    def state(self) -> State:
        """The outcome."""
        return self.record.state

    @property
    def generators(self) -> tuple[str, ...]:
        """Titles of the generators whose heads claim the image."""
        return self.record.claimed_by


@dataclass(frozen=True)
class Failure:
    """An image that could not be examined."""

    record: FailureRecord

    @property
    def name(self) -> str:
        """The image, as it was given."""
        return self.record.name


@dataclass(frozen=True)
class _Ready:
    """An image that decoded, fitted to the network's size."""

    item: ItemExamined
    pixels: Pixels


def attribute(
    images: Iterable[ImageSource],
    bundle: Bundle,
    *,
    device: str = "auto",
    precision: str = "auto",
    saliency: bool = False,
) -> Iterator[Attribution | Failure]:
    """Attribute images, one result each, in their order.

    Args:
        images: paths, the bytes of image files, or decoded pixels: uint8 (H, W, 3), RGB.
        bundle: from `Bundle.open`.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        precision: `auto` (float32, which the hub's thresholds were fitted in), `float32` or `bfloat16`.
        saliency: also localise every score.

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
    scorer, instrument = bundle.scorer(compute), bundle.instrument(compute)
    spec = scorer.preprocess.spec
    with ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as pool:
        named = ((_name(source, number), source) for number, source in enumerate(images, start=1))
        lookahead = DECODERS if spec.image_size is None else WINDOW_IMAGES  # images of native size may be large
        budget = Budget(DECODING_PIXELS)
        examined = _ahead(pool, lambda pair: _examine(*pair, spec, budget), named, count=lookahead)
        for window in _windows(examined):
            yield from _attribute_window(window, bundle, scorer, instrument, saliency=saliency)


def _attribute_window(
    window: Sequence[_Ready | Failure], bundle: Bundle, scorer: "Scorer", instrument: Instrument, *, saliency: bool
) -> Iterator[Attribution | Failure]:
    """Score a window in one batch for each size that occurs in it, and yield in the window's order."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, entry in enumerate(window):
        if isinstance(entry, _Ready):
            groups.setdefault(entry.pixels.shape, []).append(i)
    logits: dict[int, NDArray[np.float32]] = {}
    maps: dict[int, NDArray[np.float32]] = {}
    for indices in groups.values():
        batch = [entry.pixels for i in indices if isinstance(entry := window[i], _Ready)]
        if saliency:
            analysis = scorer.analyse_as_is(batch)
            logits.update(zip(indices, analysis.logits, strict=True))
            maps.update(zip(indices, analysis.saliency, strict=True))
        else:
            logits.update(zip(indices, scorer.score_as_is(batch), strict=True))
    for i, entry in enumerate(window):
        if isinstance(entry, Failure):
            yield entry
        elif error := scorer.check_finite(logits[i]):
            yield _fail(entry.item.name, error)
        else:
            yield Attribution(_record(entry.item, logits[i], bundle, instrument), entry.pixels, maps.get(i))


def _record(item: ItemExamined, logits: NDArray[np.float32], bundle: Bundle, instrument: Instrument) -> EvidenceRecord:
    titles, bands = bundle.generators, bundle.head_bands
    verdict = decide(logits, bundle.detector_band, bands, titles)
    return EvidenceRecord.new(
        item=item,
        instrument=instrument,
        detector=_measure(float(logits[0]), bundle.detector_band),
        heads=tuple(
            HeadMeasurement(generator=head.entry.generator, head=head.entry.head, measurement=_measure(float(logit), band))
            for head, logit, band in zip(bundle.verified.heads, logits[1:], bands, strict=True)
        ),
        state=verdict.state,
        claimed_by=tuple(titles[i] for i in verdict.claimed_by),
        explanation=verdict.explanation,
        created=now(),
    )


def _measure(logit: float, band: Band) -> Measurement:
    return Measurement(logit=logit, low=band.low, high=band.high, answer=answer(logit, band))


def _examine(name: str, source: ImageSource, spec: Preprocessing, budget: Budget) -> _Ready | Failure:
    """Decode one image and fit it; runs in a thread."""
    try:
        if isinstance(source, np.ndarray):
            return _ready(name, _as_decoded(source), source.tobytes(), spec)
        data = source if isinstance(source, bytes) else read_image_file(Path(source))
        with budget.hold(count_pixels(data)):
            return _ready(name, decode_image(data), data, spec)
    except ImageError as error:
        return _fail(name, error)


def _ready(name: str, decoded: DecodedImage, data: bytes, spec: Preprocessing) -> _Ready:
    height, width = decoded.pixels.shape[:2]
    item = ItemExamined(
        name=name,
        digest=digest_bytes(data),
        size_bytes=len(data),
        file_format=decoded.file_format,
        width=width,
        height=height,
        mode=decoded.mode,
        resampled=is_resampled(width, height, spec),
        notes=decoded.notes,
    )
    return _Ready(item, fit_image(decoded.pixels, spec))


def _as_decoded(pixels: Pixels) -> DecodedImage:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected pixels uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}")
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise ImageError(f"expected at least {MIN_SIDE} pixels a side, got {pixels.shape[1]}x{pixels.shape[0]}")
    return DecodedImage(pixels, "pixels", "RGB", ("given as decoded pixels: size and digest are theirs, not a file's",))


def _fail(name: str, error: ManyheadsError) -> Failure:
    return Failure(FailureRecord.new(name=name, error=type(error).__name__, reason=str(error), created=now()))


def _name(source: ImageSource, number: int) -> str:
    return item_name(Path(source)) if isinstance(source, Path | str) else f"image {number}"


def _ahead(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T], *, count: int) -> Iterator[R]:
    """Map in order, in threads, never more than `count` items ahead of the consumer."""
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


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
