"""The suite: the hub's hidden images, and the proof images of catalogued generators, as one labelled list.

Images are decoded as they are needed, a few ahead of their use. One that cannot be decoded, or that stands under two labels,
is listed with its reason and left out: it must not stop the hub.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from manyheads_hub.evaluations.scores import Part, Unusable, split_parts
from manyheads_shared.canonical import to_canonical
from manyheads_shared.dataset import Kind, scan_dataset
from manyheads_shared.digest import Digest, digest_bytes, verify_digest
from manyheads_shared.errors import ImageError
from manyheads_shared.image import DecodedImage, decode_image

DECODE_AHEAD = 16  # images decoded before their turn, at most: 600 MB of 12-megapixel photographs
MAX_REASON = 500  # characters, as `Unusable` takes them

Progress = Callable[[int, int], None]  # images done, images in all
ReadBytes = Callable[[], bytes]
T = TypeVar("T")


class Label(NamedTuple):
    """Where an image belongs."""

    kind: Kind
    source: str
    external: bool

    def __str__(self) -> str:
        return f"{'external/' if self.external else ''}{self.kind}/{self.source}"


@dataclass(frozen=True)
class SuiteImage:
    """One labelled image."""

    label: Label
    digest: Digest
    part: Part
    proof: bool  # of the head under evaluation
    read: ReadBytes = field(compare=False, repr=False)  # returns the bytes that `digest` names

    def decode(self) -> DecodedImage:
        """Decode the image.

        Raises:
            ImageError: it cannot be decoded.
            DigestMismatchError: its bytes changed since the suite was loaded.
        """
        data = self.read()
        verify_digest(f"suite image in {self.label}", data, self.digest)
        return decode_image(data)


@dataclass(frozen=True)
class Suite:
    """Labelled images, sorted by label and digest, each once."""

    images: tuple[SuiteImage, ...]
    set_aside: tuple[Unusable, ...]  # under several labels
    epoch: Digest | None = None  # names the folder's images alone, those that are hidden; None for a part of a suite

    @cached_property
    def digest(self) -> Digest:
        """The name of this very list; that of `manyheads_shared.dataset` for a folder in which no image stands twice."""
        rows = [[image.label.kind, image.label.source, str(image.label.external), image.digest] for image in self.images]
        return digest_bytes(to_canonical(sorted(rows)))

    def counts(self) -> dict[str, int]:
        """Return how many images each label has, such as `real/celeba`."""
        return dict(Counter(str(image.label) for image in self.images))


def load_suite(folder: Path, proofs: Mapping[str, Sequence[bytes]]) -> Suite:
    """Load the suite.

    Args:
        folder: images in the layout of `manyheads_shared.dataset`.
        proofs: for each catalogued generator the proof images it was accepted with; they join as `generated/NAME`. They are
            read one at a time, so a lazy sequence keeps memory bounded.

    Raises:
        DatasetError: no such folder, a wrong source name, or no image in it.
    """
    hidden = scan_dataset(folder)
    found: list[tuple[Label, Digest, ReadBytes]] = [
        (Label(item.kind, item.source, item.external), item.digest, item.path.read_bytes) for item in hidden.items
    ]
    for name, images in sorted(proofs.items()):
        found += [(Label("generated", name, external=False), digest, read) for digest, read in _digested(images)]
    labels: dict[Digest, set[Label]] = defaultdict(set)
    for label, digest, _ in found:
        labels[digest].add(label)
    members: dict[Label, dict[Digest, ReadBytes]] = defaultdict(dict)
    for label, digest, read in found:
        if len(labels[digest]) == 1:
            members[label][digest] = read
    return Suite(
        images=tuple(image for label, reads in sorted(members.items()) for image in _label(label, reads, proof=False)),
        set_aside=tuple(
            Unusable(digest=digest, reason=f"stands under several labels: {', '.join(map(str, sorted(several)))}"[:MAX_REASON])
            for digest, several in sorted(labels.items())
            if len(several) > 1
        ),
        epoch=hidden.digest,
    )


def label_proofs(generator: str, proofs: Sequence[bytes]) -> tuple[SuiteImage, ...]:
    """Label the proof images of a head under evaluation, each once, in the order of their digests."""
    return _label(Label("generated", generator, external=False), dict(_digested(proofs)), proof=True)


def work_ahead(images: Iterable[SuiteImage], work: Callable[[SuiteImage], T]) -> Iterator[tuple[SuiteImage, T | ImageError]]:
    """Yield each image in turn with what `work` makes of it, or with the error that says why it cannot be used.

    Threads work a few images ahead, so that decoding and the network overlap and memory stays bounded.
    """

    def attempt(image: SuiteImage) -> T | ImageError:
        try:
            return work(image)
        except ImageError as error:
            return error

    waiting: deque[tuple[SuiteImage, Future[T | ImageError]]] = deque()
    with ThreadPoolExecutor() as pool:
        for image in images:
            waiting.append((image, pool.submit(attempt, image)))
            if len(waiting) > DECODE_AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()


def _label(label: Label, reads: Mapping[Digest, ReadBytes], *, proof: bool) -> tuple[SuiteImage, ...]:
    parts = split_parts(reads)
    return tuple(SuiteImage(label, digest, parts[digest], proof, reads[digest]) for digest in sorted(reads))


def _digested(images: Sequence[bytes]) -> Iterator[tuple[Digest, ReadBytes]]:
    for i in range(len(images)):
        yield digest_bytes(images[i]), partial(images.__getitem__, i)
