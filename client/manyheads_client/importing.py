"""Importing: from a pack to a verified bundle in the store, or a named refusal and the store as it was. No network.

An import verifies what a pull does, by the same functions, and only reads until everything holds. It differs in one thing: what
a hub re-signs by itself may be past its date when it arrives (docs/decisions/0018-air-gap.md).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tuf.api.metadata import Root, Snapshot, TargetFile, Targets, Timestamp

from manyheads_client.adoption import Adopted, Count, OnBytes, adopt, build_held, choose_root, examine
from manyheads_client.errors import ExpiredMetadataError, FreezeError, MixAndMatchError, PackError
from manyheads_client.pack import Pack
from manyheads_client.seen import Seen, continue_roots, refuse_older
from manyheads_client.store import HeldMetadata, Store
from manyheads_client.trust import BELOW_ROOT, MAX_METADATA_BYTES, MAX_ROOTS, Chain, Complete, verify_chain, verify_root
from manyheads_shared.bundle import BUNDLE_TARGET, verify_parts
from manyheads_shared.canonical import MAX_DOCUMENT_BYTES
from manyheads_shared.clock import write_time
from manyheads_shared.digest import Digest, digest_bytes, hex_of


@dataclass(frozen=True)
class Imported(Adopted):
    """What an import did, or what it would do."""

    copied: int  # objects that were new
    copied_bytes: int
    pack: Digest  # of the whole file
    expires: Mapping[str, datetime]  # when the metadata expires, by role
    overdue: timedelta  # how long timestamp or snapshot are past their date; zero: they are not


def import_pack(
    store: Store,
    pack: Pack,
    root: bytes | None,
    *,
    accept_owners: Collection[str] = (),
    max_age: timedelta | None = None,
    dry_run: bool = False,
    on_bytes: OnBytes | None = None,
) -> Imported:
    """Make the bundle of a pack the store's current one.

    The plan: (1) hold the store; (2) the root to trust; (3) TUF metadata from that root down, no older than what this store has
    seen, and the given root among the trusted ones; (4) its dates; (5) the bundle manifest, its number, its owners; (6) the
    pack holds what the hub signed and nothing else; (7) everything belongs together; (8) the objects that are not here yet;
    (9) adopt it, in one step. Nothing of the pack is written before step 8.

    Args:
        root: the hub's TUF root; needed the first time, checked against the trusted one afterwards.
        accept_owners: generator names whose new owner key the user vouches for.
        max_age: how long timestamp and snapshot may be past their date; None: however long.
        dry_run: end before step 8, and do not hold the store either.

    Raises:
        UsageError: step 1 or 2 fails.
        UpdateRefusedError: steps 2 to 5 fail; the subclass says why.
        FormatError, VerificationError: step 6 or 7 fails, or the pack was changed meanwhile.
    """
    source = str(pack.path)
    # step 1
    with _looking(store) if dry_run else store.lock():
        # step 2
        trusted = choose_root(store, root, f"manyheads import {source} --root root.json")
        # step 3
        metadata = _verify_metadata(store, pack, trusted)
        if root is not None:
            verify_root(root, metadata.held, metadata.files.__getitem__)
        # step 4
        previous = store.find_current()
        if previous is None or previous.metadata != metadata.held:  # what the store trusts already needs no date
            _refuse_expired(metadata.chain, source)
        overdue = _measure_overdue(metadata.chain, max_age, source)
        # step 5
        candidate = examine(store, _read_manifest(pack, metadata.chain), accept_owners)
        # step 6
        targets = metadata.chain.find_objects(candidate.manifest.object_limits(), source)
        _refuse_other_contents(pack, targets)
        # step 7
        count = Count(2 * sum(target.length for target in targets.values()), on_bytes)  # read to be verified, then to be copied
        for _ in verify_parts(candidate.data, lambda digest: count.pass_on(pack.read_object(digest))):
            pass
        digest = pack.digest()
        held = build_held(candidate, metadata.held, pack=digest)
        missing = [each for each in sorted(targets) if not store.holds(each)]
        if not dry_run:
            # step 8
            _copy(store, pack, missing, count)
            for data in (*metadata.files.values(), candidate.data):
                store.keep(data)
            # step 9
            metadata.remember(store)
            adopt(store, candidate, trusted, held)
        count.finish()
    owners = tuple(sorted(candidate.owners))
    copied_bytes = sum(targets[each].length for each in missing)
    return Imported(held, previous, owners, len(missing), copied_bytes, digest, metadata.chain.expires, overdue)


@dataclass(frozen=True)
class _Metadata:
    """A pack's metadata, verified from the root that the store trusts."""

    roots: Sequence[bytes]  # from the trusted one to the newest known
    below: Sequence[bytes]  # timestamp, snapshot, targets
    held: HeldMetadata
    chain: Chain

    @property
    def files(self) -> dict[Digest, bytes]:
        """All of it by digest."""
        return {digest_bytes(data): data for data in (*self.roots, *self.below)}

    def remember(self, store: Store) -> None:
        """Make it what the store has seen."""
        seen = Seen(store.metadata_folder)
        if store.read_root() is None:  # left by a first pull that failed, perhaps under another root
            seen.forget()
        seen.write(self.roots, self.below)


def _verify_metadata(store: Store, pack: Pack, trusted: bytes) -> _Metadata:
    """Verify a pack's metadata from the trusted root down, and that it goes back behind nothing that the store has seen.

    Raises:
        UpdateRefusedError: it does not hold; the subclass says why.
    """
    source, seen, is_known = str(pack.path), Seen(store.metadata_folder), store.read_root() is not None
    circumstances = Complete(is_known_hub=is_known)
    offered, below = _read_metadata(pack)
    roots = continue_roots(trusted, seen, offered, source, circumstances)
    timestamp, snapshot, targets = map(digest_bytes, below)
    held = HeldMetadata(roots=tuple(map(digest_bytes, roots)), timestamp=timestamp, snapshot=snapshot, targets=targets)
    files = {digest_bytes(data): data for data in (*roots, *below)}
    chain = verify_chain(trusted, held, files.__getitem__, source=source, circumstances=circumstances)
    if is_known:
        refuse_older(chain, seen, source, circumstances)
    return _Metadata(roots, below, held, chain)


@contextmanager
def _looking(store: Store) -> Iterator[None]:
    """In place of the lock, for whoever changes nothing."""
    store.refuse_foreign()
    yield


def _copy(store: Store, pack: Pack, digests: Sequence[Digest], count: Count) -> None:
    for digest in digests:
        pack.copy_object(digest, store.partial_path(digest), count.add)
        store.keep_partial(digest)


def _read_metadata(pack: Pack) -> tuple[list[bytes], list[bytes]]:
    """Return a pack's roots, and its timestamp, snapshot and targets; nothing is verified but their digests and sizes."""
    held = pack.index.metadata
    if len(held.roots) > MAX_ROOTS + 1:
        raise PackError(f"{pack.path}: expected at most {MAX_ROOTS + 1} roots, got {len(held.roots)}")
    roots = [pack.read_object(digest, MAX_METADATA_BYTES[Root.type]) for digest in held.roots]
    digests = (held.timestamp, held.snapshot, held.targets)
    below = [pack.read_object(digest, MAX_METADATA_BYTES[role]) for role, digest in zip(BELOW_ROOT, digests, strict=True)]
    return roots, below


def _refuse_expired(chain: Chain, source: str) -> None:
    """Check what people sign: root and targets. They chose a date after which their word is not to be taken."""
    moment = datetime.now(UTC)
    for role in (Root.type, Targets.type):
        if moment >= (expiry := chain.expires[role]):
            raise ExpiredMetadataError(
                f"{source}: the {role} metadata expired on {write_time(expiry)}: its signers vouch for it no more. "
                "Export from a store that has pulled since. The store is as it was."
            )


def _measure_overdue(chain: Chain, max_age: timedelta | None, source: str) -> timedelta:
    """Return how long what the hub re-signs by itself, timestamp and snapshot, is past its date.

    Raises:
        FreezeError: longer than `max_age`.
    """
    expires = chain.expires
    role = min((Timestamp.type, Snapshot.type), key=expires.__getitem__)
    overdue = max(datetime.now(UTC) - expires[role], timedelta(0))
    if max_age is not None and overdue > max_age:
        raise FreezeError(
            f"{source}: expected {role} metadata at most {max_age.days} days past its date, got some that expired on "
            f"{write_time(expires[role])}: somebody may be holding updates back. Ask for a newer pack. The store is as it was."
        )
    return overdue


def _read_manifest(pack: Pack, chain: Chain) -> bytes:
    """Return the bundle manifest that the metadata names."""
    target = chain.find_target(BUNDLE_TARGET, MAX_DOCUMENT_BYTES, str(pack.path))
    if target.hashes["sha256"] != hex_of(pack.index.bundle):
        raise MixAndMatchError(f"{pack.path}: its metadata names another bundle than {pack.index.bundle}; export it again")
    return pack.read_object(pack.index.bundle, MAX_DOCUMENT_BYTES)


def _refuse_other_contents(pack: Pack, targets: Mapping[Digest, TargetFile]) -> None:
    """Check that a pack holds the objects of its bundle, in the sizes that the hub signed, and nothing else."""
    pack.refuse_foreign(pack.index.object_digests() | targets.keys())
    for digest, target in targets.items():
        if pack.size_of(digest) != target.length:
            raise PackError(
                f"{pack.path}: expected {target.length} bytes of objects/{hex_of(digest)}, as the hub signed, "
                f"got {pack.size_of(digest)}"
            )
