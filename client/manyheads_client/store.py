"""The local store: objects by digest, the bundles that were adopted, the root they are trusted by, pinned owner keys.

    STORE/root.json                  the TUF root this store trusts, as it was given at the first pull or import
    STORE/objects/HEX                every file by digest: primaries, heads, statements, manifests, metadata; never changed
    STORE/bundles/0000000007.json    one adopted bundle each; the highest number is the current one, the rest is history
    STORE/owners.json                the owner and the key each generator was first seen with
    STORE/metadata/                  working copy of the TUF metadata, kept for its rollback protection (`seen`)
    STORE/partial/HEX                objects on their way in; a download is resumed by the next pull

Every file is written whole or not at all, and a bundle becomes current by the one rename that makes its record appear. Readers
need no lock; whoever changes the store holds `lock()`. What to trust is for `trust`, `update` and `importing`.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, ClassVar

from manyheads_client.errors import NoBundleError, NotAStoreError, StoreBusyError
from manyheads_shared.digest import Digest, digest_bytes, digest_file, hex_of, verify_digest
from manyheads_shared.document import Document, Value
from manyheads_shared.errors import ManifestError, UnsupportedVersionError, UsageError
from manyheads_shared.files import remove_unfinished, sync_folder, write_atomic
from manyheads_shared.manifest import DigestField, Name, Time

_HEX = "[0-9a-f]{64}"
_RECORD = "[0-9]{10}[.]json"
_OWN = ("root.json", "objects", "bundles", "owners.json", "metadata", "partial", "lock")  # what lies in a store
LOCK_WAIT_SECONDS = 60.0  # another pull is usually done by then
_LOCK_POLL_SECONDS = 0.2


class HeldMetadata(Value):
    """The exact TUF metadata a bundle was verified with, as objects of the store."""

    roots: tuple[DigestField, ...]  # from the trusted root to the newest, each signed by the one before
    timestamp: DigestField
    snapshot: DigestField
    targets: DigestField

    def object_digests(self) -> tuple[Digest, ...]:
        """Digests of all of it."""
        return (*self.roots, self.timestamp, self.snapshot, self.targets)


class HeldBundle(Document):
    """An adopted bundle: where it came from, when, and on what trust."""

    FORMAT: ClassVar[str] = "manyheads.held-bundle/2"

    url: str | None  # of the hub, as it was last pulled from; None: never yet
    pack: DigestField | None  # the pack it was imported from; None: it was pulled
    hub: Name
    sequence: int
    bundle: DigestField  # of the manifest
    adopted: Time
    verified: Time | None  # last moment the hub itself confirmed it as its newest; None: never, it was only imported
    metadata: HeldMetadata

    @property
    def origin(self) -> str:
        """How it came here, in words."""
        return f"imported from pack {self.pack}" if self.pack else f"pulled from {self.url}"


class _FirstHeldBundle(Document):
    """Version 1, of a time when every bundle was pulled."""

    FORMAT: ClassVar[str] = "manyheads.held-bundle/1"

    url: str
    hub: Name
    sequence: int
    bundle: DigestField
    adopted: Time
    verified: Time
    metadata: HeldMetadata


class PinnedOwner(Value):
    """The key that signs for a generator."""

    owner: Name
    key: str  # key id
    since: Time


class Owners(Document):
    """The owner keys this store has seen, by generator name."""

    FORMAT: ClassVar[str] = "manyheads.owners/1"

    generators: dict[str, PinnedOwner]


class Store:
    """One laboratory's store, for one hub."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metadata_folder = folder / "metadata"
        self._root = folder / "root.json"
        self._owners = folder / "owners.json"
        self._objects = folder / "objects"
        self._bundles = folder / "bundles"
        self._partial = folder / "partial"

    @contextmanager
    def lock(self, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
        """Hold the store for changing it; the system lets go of it when the process dies.

        Raises:
            NotAStoreError: the folder holds other things.
            StoreBusyError: another process still holds it after `wait_seconds`.
            UsageError: the folder cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.refuse_foreign()
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            raise UsageError(f"{self.folder}: expected a folder that can be written to ({error.strerror})") from error
        try:
            deadline = time.monotonic() + wait_seconds
            while not _try_lock(handle):
                if time.monotonic() >= deadline:
                    raise StoreBusyError(f"{self.folder}: another process is changing this store; try again when it is done")
                time.sleep(_LOCK_POLL_SECONDS)
            self._sweep()
            yield
        finally:
            os.close(handle)

    def read_root(self) -> bytes | None:
        """Return the root this store trusts; None before the first pull or import."""
        return self._root.read_bytes() if self._root.exists() else None

    def pin_root(self, data: bytes) -> None:
        """Trust `data` from now on."""
        write_atomic(self._root, data)

    def object_path(self, digest: Digest) -> Path:
        """Where the object named `digest` lies, or would."""
        return self._objects / hex_of(digest)

    def read_object(self, digest: Digest) -> bytes:
        """Return an object, verified against its name.

        Raises:
            DigestMismatchError: the file was damaged or altered.
            NoBundleError: it is not here.
        """
        with self.open_object(digest) as stream:
            data = stream.read()
        verify_digest(f"{self.folder}: object", data, digest)
        return data

    def open_object(self, digest: Digest) -> BinaryIO:
        """Open an object for reading; nothing of it is verified.

        Raises:
            NoBundleError: it is not here.
        """
        try:
            return self.object_path(digest).open("rb")
        except FileNotFoundError:
            raise NoBundleError(
                f"{self.folder}: the object {digest} is missing. `manyheads verify` says which bundles need it; what the "
                "current one needs, `manyheads pull` fetches again, and so does importing its pack again."
            ) from None

    def holds(self, digest: Digest) -> bool:
        """Whether the object is here and sound."""
        path = self.object_path(digest)
        return path.exists() and digest_file(path) == digest

    def keep(self, data: bytes) -> Digest:
        """Write an object and return its digest."""
        digest = digest_bytes(data)
        if not self.holds(digest):
            write_atomic(self.object_path(digest), data)
        return digest

    def partial_path(self, digest: Digest) -> Path:
        """Where an object goes until all of it is here."""
        self._partial.mkdir(parents=True, exist_ok=True)
        return self._partial / hex_of(digest)

    def keep_partial(self, digest: Digest) -> None:
        """Make what was completed there, and verified, an object."""
        self._objects.mkdir(parents=True, exist_ok=True)
        self.partial_path(digest).replace(self.object_path(digest))

    def objects(self) -> list[Path]:
        """Every object's file, sorted."""
        return sorted(path for path in self._objects.glob("*") if not path.name.startswith("."))

    def adopt(self, held: HeldBundle) -> None:
        """Make a bundle current, in one step. Its objects must be here."""
        sync_folder(self._objects)  # a power cut takes no object that the record needs
        write_atomic(self.record_path(held), held.to_bytes())

    def record_path(self, held: HeldBundle) -> Path:
        """Where the record of an adopted bundle lies."""
        return self._bundles / f"{held.sequence:010d}.json"

    def history(self) -> list[HeldBundle]:
        """Every adopted bundle, oldest first."""
        return [_read_held(path) for path in self._held_paths()]

    def find_current(self) -> HeldBundle | None:
        """Return the current bundle's record, or None in an empty store."""
        paths = self._held_paths()
        return _read_held(paths[-1]) if paths else None

    def current(self) -> HeldBundle:
        """Return the current bundle's record.

        Raises:
            NoBundleError: nothing was pulled or imported yet.
        """
        held = self.find_current()
        if held is None:
            raise NoBundleError(
                f"{self.folder}: no bundle here yet; get one with `manyheads pull URL --root root.json`, or, without a "
                "network, with `manyheads import FILE --root root.json`"
            )
        return held

    def find_held(self, sequence: int) -> HeldBundle:
        """Return the record of an adopted bundle by its number.

        Raises:
            NoBundleError: it was never adopted here.
        """
        history = {held.sequence: held for held in self.history()}
        if sequence not in history:
            numbers = ", ".join(map(str, history)) or "none"
            raise NoBundleError(f"{self.folder}: expected the number of a bundle of this store ({numbers}), got {sequence}")
        return history[sequence]

    def read_owners(self) -> dict[str, PinnedOwner]:
        """Return the pinned owner keys by generator name."""
        return dict(Owners.from_bytes(self._owners.read_bytes()).generators) if self._owners.exists() else {}

    def pin_owners(self, owners: dict[str, PinnedOwner]) -> None:
        """Remember these owner keys."""
        write_atomic(self._owners, Owners.new(generators=owners).to_bytes())

    def _held_paths(self) -> list[Path]:
        return sorted(self._bundles.glob("[0-9]*.json"), key=lambda path: int(path.stem))

    def refuse_foreign(self) -> None:
        """A folder is a store once a bundle was adopted in it; before that, as long as nothing else is there.

        Raises:
            NotAStoreError: the folder holds other things.
        """
        if not self.folder.exists() or (self._root.exists() and self._objects.exists() and self._bundles.exists()):
            return
        if not self.folder.is_dir():
            raise NotAStoreError(f"{self.folder}: expected a folder, got a file")
        names = sorted(path.name for path in self.folder.iterdir())
        if foreign := [name for name in names if name not in _OWN and not name.startswith((".root.json.", ".owners.json."))]:
            raise NotAStoreError(
                f"{self.folder}: expected an empty folder or a store, got one that holds {', '.join(foreign[:3])}"
                f"{' …' if len(foreign) > 3 else ''}. It is left alone: choose another folder, or one that is not there yet."
            )

    def _sweep(self) -> None:
        """Remove what a killed process left: temporary files beside the whole ones."""
        remove_unfinished(self.folder, "(root|owners)[.]json")
        remove_unfinished(self._objects, _HEX)
        remove_unfinished(self._bundles, _RECORD)
        remove_unfinished(self.metadata_folder, "(timestamp|snapshot|targets)[.]json")
        remove_unfinished(self.metadata_folder / "root_history", "[0-9]+[.]root[.]json")
        for path in self.metadata_folder.glob("tmp*"):  # the TUF library's temporary files
            path.unlink(missing_ok=True)


def default_store() -> Path:
    """Where a user's store lies: $MANYHEADS_STORE, or `manyheads` in the XDG data folder."""
    if chosen := os.environ.get("MANYHEADS_STORE"):
        return Path(chosen).expanduser()
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "manyheads"


def _read_held(path: Path) -> HeldBundle:
    """Read a record of either version."""
    data = path.read_bytes()
    try:
        try:
            return HeldBundle.from_bytes(data)
        except UnsupportedVersionError:
            first = _FirstHeldBundle.from_bytes(data)
            return HeldBundle.new(
                pack=None, **{name: getattr(first, name) for name in _FirstHeldBundle.model_fields if name != "format"}
            )
    except ManifestError as error:
        raise ManifestError(f"{path} was damaged ({error}). Remove this one file and pull again.") from error


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
