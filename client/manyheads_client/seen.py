"""What a store has seen of its hub's metadata: the working copy in STORE/metadata, which keeps old states from coming back.

A pull lets the TUF library read and write it. An import, whose metadata may be past its date when it arrives, goes by the same
rules here, and leaves it as the library would have.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, Snapshot, Timestamp

from manyheads_client.errors import MalformedMetadataError, WrongRootError
from manyheads_client.refusals import Circumstances, named_refusals
from manyheads_client.trust import BELOW_ROOT, MAX_ROOTS, Chain, load, verify_next_root
from manyheads_shared.files import write_atomic

_NO_METADATA = (OSError, exceptions.RepositoryError, MalformedMetadataError)  # absent, damaged, or not signed: nothing was seen


class Seen:
    """The working copy, in the library's layout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, role: str) -> Path:
        """Where the newest metadata of a role below the root lies."""
        return self.folder / f"{role}.json"

    def root_path(self, version: int) -> Path:
        """Where a root lies."""
        return self.folder / "root_history" / f"{version}.root.json"

    def forget(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def find_next_root(self, trusted: Metadata[Root]) -> bytes | None:
        """Return the root after `trusted`, if a sound one was seen."""
        try:
            data = self.root_path(trusted.signed.version + 1).read_bytes()
            verify_next_root(trusted, data)
        except _NO_METADATA:
            return None
        return data

    def find(self, role: str, root: Root) -> Any | None:
        """Return the newest metadata of a role that was seen, if `root` still accepts its keys.

        Where the keys were replaced nothing counts: so a hub recovers from versions that a thief of the old ones made too high
        (TUF 5.3.11).
        """
        try:
            metadata = load(role, self.path(role).read_bytes())
            root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except _NO_METADATA:
            return None
        return metadata.signed

    def write(self, roots: Sequence[bytes], below: Sequence[bytes]) -> None:
        """Note metadata that was verified: the roots, then timestamp, snapshot and targets."""
        for data in roots:
            write_atomic(self.root_path(load(Root.type, data).signed.version), data)
        for role, data in zip(BELOW_ROOT, below, strict=True):
            write_atomic(self.path(role), data)


def continue_roots(
    trusted: bytes, seen: Seen, offered: Sequence[bytes], source: str, circumstances: Circumstances
) -> list[bytes]:
    """Return the roots from the trusted one to the newest known: as far as they were seen before, then as they are offered.

    Raises:
        WrongRootError: what is offered begins after the trusted root's successor.
        UpdateRefusedError: an offered root is not signed by the one before, or not the next.
    """
    roots = [trusted]
    with named_refusals(source, circumstances):
        newest = load(Root.type, trusted)
        by_version = dict(_number(offered))
        for _ in range(MAX_ROOTS):
            data = seen.find_next_root(newest) or by_version.get(newest.signed.version + 1)
            if data is None:
                break
            newest = verify_next_root(newest, data)
            roots.append(data)
    if missing := [version for version in by_version if version > newest.signed.version]:
        raise WrongRootError(
            f"{source}: it begins at root {missing[0]}, and the roots known here end at {newest.signed.version}. Begin a new "
            f"store with root {missing[0]}, given by the hub's maintainers, or import a pack of a store that began earlier."
        )
    return roots


def refuse_older(chain: Chain, seen: Seen, source: str, circumstances: Circumstances) -> None:
    """Check that metadata does not go back behind what was seen (TUF 5.4.3, 5.5.5).

    The plan: (1) the timestamp's version is no lower, and the same one has the same content; (2) nor is that of the snapshot it
    names; (3) the snapshot still names all it named before, in no lower version.

    Raises:
        RollbackError: step 1, 2 or 3 fails.
        UpdateRefusedError: a file is named no more.
    """
    root, timestamp, snapshot = (chain.signed[role] for role in (Root.type, Timestamp.type, Snapshot.type))
    with named_refusals(source, circumstances):
        if (before := seen.find(Timestamp.type, root)) is not None:
            # step 1
            _refuse_lower("timestamp", timestamp.version, before.version)
            if timestamp.version == before.version and timestamp != before:
                raise exceptions.BadVersionNumberError(f"Another timestamp was seen under version {before.version}")
            # step 2
            _refuse_lower("snapshot", timestamp.snapshot_meta.version, before.snapshot_meta.version)
        if (before := seen.find(Snapshot.type, root)) is not None:
            # step 3
            for name, entry in before.meta.items():
                if name not in snapshot.meta:
                    raise exceptions.RepositoryError(f"The snapshot names {name} no more")
                _refuse_lower(name, snapshot.meta[name].version, entry.version)


def _refuse_lower(name: str, version: int, before: int) -> None:
    if version < before:
        raise exceptions.BadVersionNumberError(f"Expected {name} {before} or newer, got {version}")


def _number(roots: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each root with its version; they go up by one."""
    before: int | None = None
    for data in roots:
        version = load(Root.type, data).signed.version
        if before is not None and version != before + 1:
            raise exceptions.BadVersionNumberError(f"Expected root {before + 1} after root {before}, got {version}")
        yield version, data
        before = version
