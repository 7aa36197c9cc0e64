"""Adopting: what pulling and importing have in common, wherever the bytes come from.

Both let TUF metadata name a manifest, `examine` it, see to its objects in their own way, verify all of it, and `adopt` it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from manyheads_client.errors import OwnerChangedError, SequenceError
from manyheads_client.store import HeldBundle, HeldMetadata, PinnedOwner, Store
from manyheads_client.trust import read_root
from manyheads_shared.bundle import BundleManifest, read_manifest
from manyheads_shared.clock import now
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import UsageError

OnBytes = Callable[[int, int], None]  # bytes done, bytes to do


class Count:
    """Bytes done of all that are to do, told to whoever shows them."""

    def __init__(self, total: int, on_bytes: OnBytes | None) -> None:
        self._done, self._total, self._on_bytes = 0, total, on_bytes

    def add(self, count: int) -> None:
        """Count some more."""
        self._done += count
        if self._on_bytes:
            self._on_bytes(self._done, self._total)

    def pass_on(self, data: bytes) -> bytes:
        """Count `data` and return it."""
        self.add(len(data))
        return data

    def finish(self) -> None:
        """Count what turned out not to be needed."""
        self.add(self._total - self._done)


@dataclass(frozen=True)
class Adopted:
    """What became of a store."""

    held: HeldBundle
    previous: HeldBundle | None
    new_owners: tuple[str, ...]  # generators seen for the first time, and those whose new key was accepted

    @property
    def is_new(self) -> bool:
        """Whether the store has another bundle than before."""
        return self.previous is None or self.previous.bundle != self.held.bundle


@dataclass(frozen=True)
class Candidate:
    """A manifest that may follow the store's current one; its parts are yet to be verified."""

    data: bytes  # of the manifest, exactly
    digest: Digest
    manifest: BundleManifest
    previous: HeldBundle | None
    owners: Mapping[str, PinnedOwner]  # to pin

    @property
    def is_current(self) -> bool:
        """Whether the store is at this bundle already."""
        return self.previous is not None and self.previous.bundle == self.digest


def choose_root(store: Store, given: bytes | None, example: str) -> bytes:
    """Return the root to trust: the store's, or the given one where it has none yet.

    Args:
        example: how to give one.

    Raises:
        UsageError: there is neither.
        WrongRootError: the given one is no root.
    """
    trusted = store.read_root()
    if trusted is not None:
        return trusted
    if given is None:
        raise UsageError(f"{store.folder}: a new store needs the hub's root, which its maintainers give you: `{example}`")
    read_root(given)
    return given


def examine(store: Store, data: bytes, accept_owners: Collection[str]) -> Candidate:
    """Check whether a manifest may follow the current one.

    The plan: (1) the manifest; (2) its number does not go back; (3) no generator's owner changed.

    Args:
        data: the manifest's exact bytes, which the hub's metadata vouch for.
        accept_owners: generator names whose new owner key the user vouches for.

    Raises:
        FormatError: step 1 fails.
        SequenceError: step 2 fails.
        OwnerChangedError: step 3 fails.
    """
    # step 1
    manifest, digest = read_manifest(data), digest_bytes(data)
    # step 2
    previous = store.find_current()
    _refuse_going_back(manifest, digest, previous)
    # step 3
    return Candidate(data, digest, manifest, previous, _check_owners(manifest, store.read_owners(), accept_owners))


def build_held(
    candidate: Candidate, metadata: HeldMetadata, *, url: str | None = None, pack: Digest | None = None
) -> HeldBundle:
    """Return the record with which a bundle is adopted. What the store is at already keeps how and when it came.

    Args:
        url: the hub that confirms it as its newest, now; None: nobody does.
        pack: the pack that brings it; None: that hub does.
    """
    before, moment = candidate.previous, now()
    known = before if candidate.is_current else None
    return HeldBundle.new(
        url=url or (before.url if before else None),
        pack=known.pack if known else pack,
        hub=candidate.manifest.hub,
        sequence=candidate.manifest.sequence,
        bundle=candidate.digest,
        adopted=known.adopted if known else moment,
        verified=moment if url else (known.verified if known else None),
        metadata=metadata,
    )


def adopt(store: Store, candidate: Candidate, trusted: bytes, held: HeldBundle) -> None:
    """Make a verified bundle, whose objects are here, the current one: by the last of these steps, in one step."""
    if store.read_root() is None:
        store.pin_root(trusted)
    if candidate.owners:
        store.pin_owners({**store.read_owners(), **candidate.owners})
    store.adopt(held)


def _refuse_going_back(manifest: BundleManifest, digest: Digest, previous: HeldBundle | None) -> None:
    if previous is None or digest == previous.bundle:
        return
    if manifest.sequence <= previous.sequence:
        raise SequenceError(
            f"the hub's bundle has number {manifest.sequence}, this store holds number {previous.sequence} "
            "already, with other content. A bundle never goes back: ask the hub's maintainers."
        )


def _check_owners(
    manifest: BundleManifest, pinned: Mapping[str, PinnedOwner], accepted: Collection[str]
) -> dict[str, PinnedOwner]:
    """Return the owners to pin: those seen for the first time, and the changed ones that the user accepted.

    A generator keeps the key it was first seen with. A new generator of an owner who is known keeps to the keys of theirs that
    were seen before.

    Raises:
        OwnerChangedError: a key changed and nobody accepted it.
    """
    changes: list[tuple[str, str, str]] = []
    seen: dict[str, PinnedOwner] = {}
    for entry in manifest.heads:
        name, owner, key = entry.generator.name, entry.generator.owner, entry.owner_key
        before = seen.get(name) or pinned.get(name)
        known = [before.key] if before else [each.key for each in pinned.values() if each.owner == owner]
        if before is not None and key in known:
            continue
        if known and key not in known and (name not in accepted or name in seen):
            changes.append((name, known[-1], key))
        seen[name] = PinnedOwner(owner=owner, key=key, since=now())
    if changes:
        raise OwnerChangedError(changes)
    return seen
