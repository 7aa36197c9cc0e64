"""One sitting: the images that were given, what was found, and the colour scale of its pictures. In memory alone.

One worker thread does all the work on pixels, image by image; the networks are loaded once, by it. Nothing is decided here.
"""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self, TypeVar

from manyheads_client.analysis import Attribution, Failure, attribute
from manyheads_client.bundle import Bundle
from manyheads_client.credentials import CredentialsReader
from manyheads_client.examine.changes import UNCHANGED, Change
from manyheads_client.inputs import Item
from manyheads_client.instrument import describe_instrument
from manyheads_client.pictures import draw_pictures, find_scale
from manyheads_client.records import Record, lines_of
from manyheads_client.report import build_report, select
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import ImageError, UsageError
from manyheads_shared.evidence import Examined, FailureRecord, Instrument
from manyheads_shared.image import Pixels, decode_image

MAX_IMAGES = 200  # of one sitting, those that failed among them; more are a scan
MAX_HELD_BYTES = 1 << 30  # of files
KEPT_BYTES = 512 << 20  # of pixels and saliency; what was dropped is computed again

T = TypeVar("T")


@dataclass(frozen=True)
class Held:
    """One image of the sitting."""

    number: int  # 1, 2, 3 …; never used again
    name: str  # unlike that of any other image
    data: bytes  # the file
    digest: Digest  # of the file
    entry: Examined | FailureRecord


class Session:
    """A sitting with one bundle.

    Example:
        >>> with Session(Bundle.open()) as session:
        ...     held = session.examine("photo.jpg", data)
        ...     session.view(held, Change(jpeg=60)).state
    """

    def __init__(self, bundle: Bundle, *, device: str = "auto", precision: str = "auto") -> None:
        """Load the networks.

        Raises:
            UsageError: a device or precision that is not there.
            FeatureContractError: the networks do not compute here what they did where the heads were trained.
        """
        self.bundle = bundle
        self.scale: float | None = None  # logits at the ends of the colours; set by the first image, then by the examiner
        self._device, self._precision = device, precision
        self._held: dict[int, Held] = {}
        self._last = 0
        self._views: OrderedDict[tuple[int, Change], Attribution] = OrderedDict()
        self._credentials = CredentialsReader()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="examine")
        try:
            self.instrument = self._do(self._load)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the worker finish what it does and forget the rest."""
        self._worker.shutdown(cancel_futures=True)
        self._credentials.close()

    @property
    def held(self) -> tuple[Held, ...]:
        """Every image in the order it was given, those that failed among them."""
        return tuple(self._held.values())

    def find(self, number: int) -> Held | None:
        """The image of a number."""
        return self._held.get(number)

    def examine(self, name: str, data: bytes) -> Held:
        """Examine one image. The same file under the same name is examined once.

        Raises:
            UsageError: the sitting holds as much as it may.
        """
        return self._do(lambda: self._examine(name, data))

    def remove(self, number: int) -> None:
        """Forget an image and what was found."""
        self._do(lambda: self._remove(number))

    def view(self, held: Held, change: Change = UNCHANGED) -> Attribution:
        """What the bundle says of an image, or of a changed copy of it, with saliency.

        Raises:
            ImageError: it cannot be examined.
        """
        return self._do(lambda: self._view(held, change))

    def decode(self, held: Held, change: Change = UNCHANGED) -> Pixels:
        """The whole picture uint8 (H, W, 3), upright, or a changed copy of it, whatever part of it the networks see.

        Raises:
            ImageError: it cannot be decoded.
        """
        return self._do(lambda: change.apply(decode_image(held.data).pixels, held.digest))

    def fix_scale(self, logits: float | None) -> None:
        """Set the colour scale; None: to what all images of the sitting show."""
        if logits is not None:
            self.scale = logits
            return
        views = [self.view(held) for held in self.held if isinstance(held.entry, Examined)]
        self.scale = find_scale(view.saliency for view in views if view.saliency is not None) or self.scale

    def export_records(self) -> bytes:
        """The sitting as a record file: the instrument, then a record for each image. Changed copies are not evidence."""
        known: set[Digest] = set()
        return b"".join(line + b"\n" for record in self._records() for line in lines_of(record, known))

    def export_report(self) -> str:
        """The sitting as a report, with pictures."""
        selection, items = select(self._records()), {held.name: _item(held) for held in self.held}

        def draw() -> str:
            pictures = draw_pictures(
                selection.cards, self.bundle, find=lambda item: items[item.name], device=self._device, precision=self._precision
            )
            return build_report(selection, pictures)

        return self._do(draw)

    def _records(self) -> list[Record]:
        return [held.entry for held in self.held]

    def _do(self, work: Callable[[], T]) -> T:
        """Have the worker do it, and wait."""
        return self._worker.submit(work).result()

    def _load(self) -> Instrument:
        from manyheads_shared.compute import choose_compute  # noqa: PLC0415 - torch takes seconds to load

        compute = choose_compute(self._device, self._precision)
        self.bundle.scorer(compute)
        return describe_instrument(self.bundle, compute)

    def _examine(self, name: str, data: bytes) -> Held:
        digest = digest_bytes(data)
        name = self._free_name(name, digest)
        for held in self.held:
            if (held.name, held.digest) == (name, digest):
                return held
        self._verify_room(len(data))
        self._last += 1
        found = self._attribute(Item(name, len(data), lambda: data))
        if isinstance(found, Failure):
            data = b""  # nothing can be done with it any more
        held = self._held[self._last] = Held(self._last, name, data, digest, found.entry)
        if isinstance(found, Attribution):
            self._keep((held.number, UNCHANGED), found)
            if self.scale is None and found.saliency is not None:
                self.scale = find_scale([found.saliency])
        return held

    def _free_name(self, name: str, digest: Digest) -> str:
        """The name, told apart from that of another file: of two records of one name only the later would count."""
        taken = {held.name: held.digest for held in self.held}
        free, count = name, 1
        while taken.get(free, digest) != digest:
            count += 1
            free = f"{name} ({count})"
        return free

    def _verify_room(self, size: int) -> None:
        if len(self._held) >= MAX_IMAGES:
            raise UsageError(
                f"expected at most {MAX_IMAGES} images in one sitting; remove some, or scan with `manyheads attribute`"
            )
        if sum(len(held.data) for held in self.held) + size > MAX_HELD_BYTES:
            raise UsageError(f"expected at most {MAX_HELD_BYTES >> 20} MB of images in one sitting; remove some")

    def _remove(self, number: int) -> None:
        self._held.pop(number, None)
        for key in [key for key in self._views if key[0] == number]:
            del self._views[key]

    def _view(self, held: Held, change: Change) -> Attribution:
        key = (held.number, change)
        if key in self._views:
            self._views.move_to_end(key)
            return self._views[key]
        item = _item(held)
        if change != UNCHANGED:
            pixels = change.apply(decode_image(held.data).pixels, held.digest)
            item = replace(item, read=lambda: pixels)
        found = self._attribute(item)
        if isinstance(found, Failure):
            raise ImageError(found.entry.reason)
        return self._keep(key, found)

    def _keep(self, key: tuple[int, Change], found: Attribution) -> Attribution:
        self._views[key] = found
        while len(self._views) > 1 and sum(map(_size, self._views.values())) > KEPT_BYTES:
            self._views.popitem(last=False)
        return found

    def _attribute(self, item: Item) -> Attribution | Failure:
        (found,) = attribute(
            [item],
            self.bundle,
            device=self._device,
            precision=self._precision,
            saliency=True,
            stability=True,
            jobs=1,
            credentials_of=self._credentials,
        )
        return found


def _item(held: Held) -> Item:
    return Item(held.name, len(held.data), lambda: held.data)


def _size(found: Attribution) -> int:
    return found.pixels.nbytes + (0 if found.saliency is None else found.saliency.nbytes)
