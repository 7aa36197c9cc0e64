"""The bundle that an instrument names, from a store or a pack: opened by its digest, verified from the root down."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from manyheads_client.bundle import Bundle, open_held, open_packed
from manyheads_client.errors import NoBundleError
from manyheads_client.pack import Pack, open_pack
from manyheads_client.store import Store
from manyheads_shared.digest import Digest, short


class Shelf(Protocol):
    """Where bundles lie."""

    def open(self, digest: Digest) -> Bundle:
        """Open the bundle of a digest.

        Raises:
            NoBundleError: it is not here.
            FormatError, VerificationError: it is, and does not hold.
        """


class StoreShelf:
    """Every bundle that a store ever adopted."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, digest: Digest) -> Bundle:
        """Open one; see `Shelf`."""
        for held in reversed(self._store.history()):
            if held.bundle == digest:
                return open_held(self._store, held)
        raise NoBundleError(f"{self._store.folder}: the bundle {short(digest)} was never adopted here")


class PackShelf:
    """The one bundle of a pack."""

    def __init__(self, pack: Pack, root: bytes | None) -> None:
        """Trust `root`; None: the first root in the pack, which then says nothing of whose it is."""
        self._pack, self._root = pack, root

    def open(self, digest: Digest) -> Bundle:
        """Open it; see `Shelf`."""
        if self._pack.index.bundle != digest:
            raise NoBundleError(f"{self._pack.path}: it holds bundle {short(self._pack.index.bundle)}, not {short(digest)}")
        return open_packed(self._pack, self._root)


@contextmanager
def open_shelf(store: Path | None, pack: Path | None, root: bytes | None) -> Iterator[Shelf | None]:
    """Open the shelf that a user named; None: neither store nor pack.

    Raises:
        UsageError, FormatError: as `open_pack`.
    """
    if pack is not None:
        with open_pack(pack) as opened:
            yield PackShelf(opened, root)
    else:
        yield None if store is None else StoreShelf(Store(store))
