"""The folder layout of labelled images, read the same way by the contributor kit and the hub's suite.

    DATA/real/SOURCE/*                      photographs
    DATA/generated/GENERATOR/*              images of one generator
    DATA/external/real/SOURCE/*             held out, never trained on
    DATA/external/generated/GENERATOR/*

Splitting, auditing and decoding are left to others.
"""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from manyheads_shared.canonical import to_canonical
from manyheads_shared.digest import Digest, digest_bytes, digest_file
from manyheads_shared.errors import DatasetError
from manyheads_shared.image import SUFFIXES
from manyheads_shared.manifest import NAME_PATTERN

Kind = Literal["real", "generated"]

_FOLDERS: tuple[tuple[str, Kind, bool], ...] = (
    ("real", "real", False),
    ("generated", "generated", False),
    ("external/real", "real", True),
    ("external/generated", "generated", True),
)


@dataclass(frozen=True, order=True)
class Item:
    """One image file with its label."""

    kind: Kind
    source: str  # photograph source or generator name
    external: bool
    path: Path
    digest: Digest  # of the file's bytes


@dataclass(frozen=True)
class Dataset:
    """The images under one root, sorted by label and path."""

    root: Path
    items: tuple[Item, ...]

    def select(self, *, kind: Kind | None = None, source: str | None = None, external: bool | None = None) -> tuple[Item, ...]:
        """Return the items that match every given label."""
        return tuple(
            item
            for item in self.items
            if (kind is None or item.kind == kind)
            and (source is None or item.source == source)
            and (external is None or item.external == external)
        )

    def sources(self, kind: Kind, *, external: bool = False) -> tuple[str, ...]:
        """Return the source names of a kind, sorted."""
        return tuple(sorted({item.source for item in self.select(kind=kind, external=external)}))

    @property
    def digest(self) -> Digest:
        """The digest of the labels and content digests, whatever the file names: the name of this very set of images."""
        return dataset_digest(self.items)


def dataset_digest(items: Sequence[Item]) -> Digest:
    """Return the digest of a set of labelled images."""
    rows = sorted([item.kind, item.source, str(item.external), item.digest] for item in items)
    return digest_bytes(to_canonical(rows))


def scan_dataset(root: Path) -> Dataset:
    """Find and digest every image under `root`. Other files are passed over; hidden ones too.

    Raises:
        DatasetError: no such folder, a source name that cannot be a generator's, or no image at all.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; expected DATA/real/SOURCE and DATA/generated/GENERATOR below it")
    labelled = [
        (kind, folder.name, external, path)
        for prefix, kind, external in _FOLDERS
        for folder in _source_folders(root / prefix)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    if not labelled:
        raise DatasetError(
            f"{root}: no image found; expected png, jpeg or webp files in {root}/real/SOURCE/ and {root}/generated/GENERATOR/"
        )
    with ThreadPoolExecutor() as pool:
        digests = pool.map(digest_file, [path for *_, path in labelled])
        items = [Item(*label, digest) for label, digest in zip(labelled, digests, strict=True)]
    return Dataset(root, tuple(sorted(items)))


def _source_folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    folders = [path for path in sorted(parent.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    for folder in folders:
        if not re.fullmatch(NAME_PATTERN, folder.name):
            raise DatasetError(f"{folder}: expected a source name of a-z, 0-9, '.', '_', '-' (64 at most); rename the folder")
    return folders
