"""Where the TUF repository's files lie, and how they are read and written. What they say is for `repository`.

    tuf/metadata/   1.root.json …, N.targets.json, N.snapshot.json, timestamp.json
    tuf/targets/    objects/SHA256.SHA256 (primaries, heads, statements, calibrations), SHA256.bundle.json

Every name but timestamp.json is written once, whole or not at all. Whoever changes something is alone in it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from manyheads_hub.signing.ledger import Ledger
from manyheads_hub.storage.port import Storage, StoredFileMissingError
from manyheads_shared.digest import Digest, digest_bytes, hex_of, parse_digest, verify_digest
from manyheads_shared.errors import ManyheadsError

Role = Literal["root", "targets", "snapshot", "timestamp"]
Alone = Callable[[str], AbstractContextManager[Callable[[], None]]]  # `Database.alone`
AnyMetadata = Metadata[Root] | Metadata[Timestamp] | Metadata[Snapshot] | Metadata[Targets]

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)

METADATA, TARGETS = "tuf/metadata", "tuf/targets"
OBJECTS = "objects"
TIMESTAMP = "timestamp.json"
LOCK = "tuf"


ROLES: tuple[Role, ...] = ("root", "targets", "snapshot", "timestamp")  # each is named by those after it


class RepositoryStateError(ManyheadsError):
    """The repository's files are missing or damaged, or were signed by other keys than its root names."""


@dataclass(frozen=True)
class State:
    """What a client would find now."""

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]

    def of(self, role: Role) -> AnyMetadata:
        """Return one role's metadata."""
        found: dict[Role, AnyMetadata] = {
            "root": self.root,
            "targets": self.targets,
            "snapshot": self.snapshot,
            "timestamp": self.timestamp,
        }
        return found[role]


class TufFiles:
    """The files of one repository."""

    def __init__(self, storage: Storage, alone: Alone, ledger: Ledger) -> None:
        self._storage, self._alone, self._ledger = storage, alone, ledger
        self._verify_lock: Callable[[], None] = _hold_nothing

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the repository alone; whoever was killed in here holds it no longer, and what they had begun to write goes."""
        with self._alone(LOCK) as verify:
            self._storage.sweep("tuf", datetime.max.replace(tzinfo=UTC))  # nobody else writes here now
            self._verify_lock = verify
            try:
                yield
            finally:
                self._verify_lock = _hold_nothing

    def read_state(self) -> State:
        """Read what a client would find, from the timestamp down.

        Raises:
            RepositoryStateError: a file is missing or damaged.
        """
        timestamp = self._read(Timestamp, TIMESTAMP)
        snapshot = self._read(Snapshot, f"{timestamp.signed.snapshot_meta.version}.snapshot.json")
        targets = self._read(Targets, f"{snapshot.signed.meta['targets.json'].version}.targets.json")
        return State(self.read_root(), timestamp, snapshot, targets)

    def read_root(self, version: int | None = None) -> Metadata[Root]:
        """Read the newest root, or one by its version.

        Raises:
            RepositoryStateError: there is none, or it is damaged.
        """
        return self._read(Root, f"{version or self.next_version('root') - 1}.root.json")

    def read_first_root(self) -> bytes | None:
        """Return the bytes of the root that new clients are given; None before there is one."""
        name = f"{METADATA}/1.root.json"
        return None if self._storage.find_size(name) is None else self._storage.read(name)

    def is_complete(self) -> bool:
        """Whether a client finds anything."""
        return self._storage.find_size(f"{METADATA}/{TIMESTAMP}") is not None

    def next_version(self, role: Role) -> int:
        """One above every version in the storage, referred to or not, so that no name is ever written twice."""
        found = (file.name.removeprefix(f"{METADATA}/").partition(".") for file in self._storage.list(METADATA))
        return max((int(version) for version, _, name in found if version.isdigit() and name == f"{role}.json"), default=0) + 1

    def write_metadata(self, role: Role, metadata: AnyMetadata) -> None:
        """Write a role's metadata under its version, the timestamp under its name.

        Raises:
            UnavailableError: the storage does not answer, or another may have taken the repository over meanwhile.
        """
        name, data = metadata_name(role, metadata.signed.version), metadata.to_bytes(JSONSerializer(compact=True))
        self._verify_lock()
        self._ledger.record(role, metadata.signed.version, name, data)  # first: what a client has seen must be in it
        self._storage.write(f"{METADATA}/{name}", data)

    def complete_ledger(self, state: State) -> None:
        """Put into the ledger what it lacks: an earlier version of this software had none. Forget what nobody asks for."""
        names = self._ledger.names()
        current: list[tuple[Role, int]] = [("root", version) for version in range(1, state.root.signed.version + 1)]
        current += [(role, state.of(role).signed.version) for role in ROLES[1:]]
        for role, version in current:
            if (name := metadata_name(role, version)) not in names:
                self._ledger.record(role, version, name, self._storage.read(f"{METADATA}/{name}"))
        for role in ("targets", "snapshot"):
            self._ledger.forget_before(role, state.of(role).signed.version)

    def restore_metadata(self) -> list[str]:
        """Write out what the ledger has and the storage lacks or has otherwise; return the names.

        Names before what names them, so a client finds the state before or the state after.
        """
        restored = []
        for role in ROLES:
            for name, data in self._ledger.read(role):
                place = f"{METADATA}/{name}"
                if self._storage.find_size(place) is None or self._storage.read(place) != data:
                    self._verify_lock()
                    self._storage.write(place, data)
                    restored.append(name)
        return restored

    def restore_target(self, path: str, digest: Digest, read: Callable[[Digest], bytes]) -> bool:
        """Write out a target that the storage lacks or has otherwise; whether it did."""
        name = _stored_name(path, digest)
        if self._storage.find_size(name) is not None and self._storage.find_digest(name) == digest:
            return False
        data = read(digest)
        verify_digest(path, data, digest)
        self._storage.write(name, data)
        return True

    def describe_metadata(self, role: Role, version: int) -> MetaFile:
        """Name a metadata file by version, length and digest. The length also lifts a client's default limit of 5 MB."""
        data = self._storage.read(f"{METADATA}/{version}.{role}.json")
        return MetaFile(version, len(data), {"sha256": hex_of(digest_bytes(data))})

    def store_object(self, path: str, objects: Mapping[str, bytes]) -> TargetFile:
        """Make sure that an object is in the storage, sound; its bytes are taken from `objects` only when it is not.

        Raises:
            ManifestError: the path names no digest.
            DigestMismatchError: the bytes do not have the digest in the path.
        """
        digest = parse_digest("sha256:" + path.removeprefix(f"{OBJECTS}/"))
        name = _stored_name(path, digest)
        size = self._storage.find_size(name)
        if size is not None and self._storage.find_digest(name) == digest:
            return TargetFile(size, {"sha256": hex_of(digest)}, path)
        data = objects[path]
        verify_digest(path, data, digest)
        return self.store(path, data)

    def store(self, path: str, data: bytes) -> TargetFile:
        """Write one target."""
        digest = digest_bytes(data)
        self._storage.write(_stored_name(path, digest), data)
        return TargetFile(len(data), {"sha256": hex_of(digest)}, path)

    def _read(self, kind: type[S], name: str) -> Metadata[S]:
        path = self._storage.place(f"{METADATA}/{name}")
        try:
            metadata: Metadata[S] = Metadata.from_bytes(self._storage.read(f"{METADATA}/{name}"))
        except StoredFileMissingError as error:
            raise RepositoryStateError(
                f"expected TUF metadata at {path}, found none. `manyheads-hub init` makes it; if it was there, restore it "
                "from a backup."
            ) from error
        except (RepositoryError, DeserializationError) as error:
            raise RepositoryStateError(f"{path} is damaged ({error}); restore it from a backup") from error
        if not isinstance(metadata.signed, kind):
            raise RepositoryStateError(f"{path}: expected {kind.type} metadata, got {metadata.signed.type}; restore it")
        return metadata


def _hold_nothing() -> None:
    """Verify the lock of whoever holds none."""


def metadata_name(role: Role, version: int) -> str:
    """Return the name of a role's metadata file."""
    return TIMESTAMP if role == "timestamp" else f"{version}.{role}.json"


def _stored_name(path: str, digest: Digest) -> str:
    """Return where a client looks for a target: consistent snapshots put its digest before its name."""
    folder, slash, name = path.rpartition("/")
    return f"{TARGETS}/{folder}{slash}{hex_of(digest)}.{name}"
