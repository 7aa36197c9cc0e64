"""Pulling: from a hub's address to a verified bundle in the store, or a named refusal and the store as it was."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from tuf.api.metadata import TargetFile

from manyheads_client.errors import EndlessDataError, MissingTargetError, OwnerChangedError, SequenceError
from manyheads_client.fetch import Fetcher
from manyheads_client.store import HeldBundle, PinnedOwner, Store
from manyheads_client.trust import Chain, read_root, refresh, verify_chain, verify_root
from manyheads_shared.api import TUF_TARGETS_PREFIX
from manyheads_shared.bundle import BUNDLE_TARGET, BundleManifest, object_target, verify_bundle
from manyheads_shared.canonical import MAX_DOCUMENT_BYTES
from manyheads_shared.clock import now
from manyheads_shared.digest import Digest, digest_file, hex_of, parse_digest
from manyheads_shared.errors import DigestMismatchError, HubRefusedError, HubUnreachableError, UsageError

PARALLEL_FETCHES = 6  # hides the network's latency; heads are small and many
_NOT_FOUND = 404

OnBytes = Callable[[int, int], None]  # bytes fetched, bytes to fetch


@dataclass(frozen=True)
class Pulled:
    """What a pull did."""

    held: HeldBundle
    previous: HeldBundle | None
    fetched: int  # objects that were new
    fetched_bytes: int
    new_owners: tuple[str, ...]  # generators seen for the first time, and those whose new key was accepted

    @property
    def is_new(self) -> bool:
        """Whether the store has another bundle than before."""
        return self.previous is None or self.previous.bundle != self.held.bundle


def pull(
    store: Store,
    url: str | None,
    root: bytes | None,
    fetcher: Fetcher,
    *,
    accept_owners: Collection[str] = (),
    on_bytes: OnBytes | None = None,
) -> Pulled:
    """Bring the store to the hub's newest bundle.

    The plan: (1) hold the store; (2) the root to trust and the address to ask; (3) TUF metadata, and the given root among the
    trusted ones; (4) the newest bundle manifest; (5) its number does not go back; (6) no generator's owner changed;
    (7) the objects that are not here yet; (8) everything belongs together; (9) adopt it, in one step.

    Args:
        url: the hub's address; None: the one of the last pull.
        root: the hub's TUF root; needed the first time, checked against the trusted one afterwards.
        accept_owners: generator names whose new owner key the user vouches for.

    Raises:
        UsageError: step 1 or 2 fails.
        UpdateRefusedError: steps 2 to 6 fail; the subclass says why.
        FormatError, VerificationError: step 7 or 8 fails.
        FetchError: the way to the hub.
    """
    # step 1
    with store.lock():
        # step 2
        previous = store.find_current()
        trusted, address = _choose_root(store, root), _choose_url(previous, url)
        # step 3
        metadata = refresh(store, address, trusted, fetcher)
        chain = verify_chain(trusted, metadata, store.read_object)
        if root is not None:
            verify_root(root, metadata, store.read_object)
        targets = _Targets(store, fetcher, address, chain)
        # step 4
        data = targets.read(BUNDLE_TARGET, MAX_DOCUMENT_BYTES)
        manifest = BundleManifest.from_bytes(data)
        digest = store.keep(data)
        # step 5
        _refuse_going_back(manifest, digest, previous)
        # step 6
        pinned = store.read_owners()
        seen = _check_owners(manifest, pinned, accept_owners)
        # step 7
        fetched_bytes, missing = targets.fetch(manifest.object_limits(), on_bytes)
        # step 8
        verify_bundle(data, store.read_object)
        # step 9
        if store.read_root() is None:
            store.pin_root(trusted)
        if seen:
            store.pin_owners({**pinned, **seen})
        moment = now()
        adopted = previous.adopted if previous and previous.bundle == digest else moment
        held = HeldBundle.new(
            url=address,
            hub=manifest.hub,
            sequence=manifest.sequence,
            bundle=digest,
            adopted=adopted,
            verified=moment,
            metadata=metadata,
        )
        store.adopt(held)
        return Pulled(held, previous, len(missing), fetched_bytes, tuple(sorted(seen)))


@dataclass(frozen=True)
class _Targets:
    """The hub's signed files."""

    store: Store
    fetcher: Fetcher
    url: str
    chain: Chain

    def read(self, path: str, limit: int) -> bytes:
        """Return one target by its path; it may have `limit` bytes."""
        target = self._find(path, limit)
        digest = parse_digest("sha256:" + target.hashes["sha256"])
        if not self.store.holds(digest):
            self._fetch(path, target, digest, lambda _: None)
        return self.store.read_object(digest)

    def fetch(self, limits: Mapping[Digest, int], on_bytes: OnBytes | None) -> tuple[int, list[Digest]]:
        """Fetch the objects the store does not hold; return their bytes in all, and which they were.

        Args:
            limits: how many bytes each object may have.
        """
        targets = {digest: self._find(object_target(digest), limit) for digest, limit in limits.items()}
        for digest, target in targets.items():
            if target.hashes["sha256"] != hex_of(digest):
                raise DigestMismatchError(object_target(digest), digest, f"sha256:{target.hashes['sha256']}")
        missing = [digest for digest in sorted(targets) if not self.store.holds(digest)]
        total = sum(targets[digest].length for digest in missing)
        count = _Count(total, on_bytes)
        with ThreadPoolExecutor(PARALLEL_FETCHES) as pool:
            futures = [pool.submit(self._fetch, object_target(d), targets[d], d, count.add) for d in missing]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                count.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return total, missing

    def _find(self, path: str, limit: int) -> TargetFile:
        target = self.chain.targets.get(path)
        if target is None or "sha256" not in target.hashes:
            raise MissingTargetError(
                f"{self.url}: the bundle needs {path}, which is not among the hub's signed files. The hub must publish again."
            )
        if target.length > limit:
            raise EndlessDataError(
                f"{self.url}: {path} is said to have {target.length} bytes; a file of its kind may have {limit}. "
                "Nothing of it is fetched: ask the hub's maintainers."
            )
        return target

    def _fetch(self, path: str, target: TargetFile, digest: Digest, on_chunk: Callable[[int], None]) -> None:
        """Download, verify, keep. A file that fails is thrown away; one that is only unfinished stays for the next pull.

        What an earlier pull began may have been damaged here since: a file that was gone on with and fails is fetched once
        more from its beginning, before anybody else is suspected.
        """
        folder, slash, name = path.rpartition("/")
        address = f"{self.url}{TUF_TARGETS_PREFIX}/{folder}{slash}{hex_of(digest)}.{name}"  # TUF's consistent snapshots
        partial = self.store.partial_path(digest)
        resumed = partial.exists()
        try:
            self.fetcher.download(address, partial, target.length, on_chunk)
            if resumed and digest_file(partial) != digest:
                on_chunk(-partial.stat().st_size)
                partial.unlink()
                self.fetcher.download(address, partial, target.length, on_chunk)
            _verify_file(path, partial, digest)
        except (DigestMismatchError, EndlessDataError):
            partial.unlink(missing_ok=True)
            raise
        except HubRefusedError as error:
            if error.status_code != _NOT_FOUND:
                raise
            raise MissingTargetError(f"{address}: signed by the hub, but not there. The hub must publish again.") from error
        self.store.keep_partial(digest)


class _Count:
    """Bytes fetched by all threads together; stops them when one has failed."""

    def __init__(self, total: int, on_bytes: OnBytes | None) -> None:
        self._total, self._on_bytes = total, on_bytes
        self._done, self._stopped, self._lock = 0, False, Lock()

    def add(self, count: int) -> None:
        with self._lock:
            if self._stopped:
                raise HubUnreachableError("stopped")
            self._done += count
            if self._on_bytes:
                self._on_bytes(self._done, self._total)

    def stop(self) -> None:
        self._stopped = True


def _verify_file(name: str, path: Path, digest: Digest) -> None:
    actual = digest_file(path)
    if actual != digest:
        raise DigestMismatchError(name, digest, actual)


def _choose_root(store: Store, given: bytes | None) -> bytes:
    trusted = store.read_root()
    if trusted is not None:
        return trusted
    if given is None:
        raise UsageError(
            f"{store.folder}: a first pull needs the hub's root, which its maintainers give you: "
            "`manyheads pull URL --root root.json`"
        )
    read_root(given)
    return given


def _choose_url(previous: HeldBundle | None, given: str | None) -> str:
    if given is not None:
        return given.rstrip("/")
    if previous is None:
        raise UsageError("a first pull needs the hub's address: `manyheads pull URL --root root.json`")
    return previous.url


def _refuse_going_back(manifest: BundleManifest, digest: Digest, previous: HeldBundle | None) -> None:
    if previous is None or digest == previous.bundle:
        return
    if manifest.sequence <= previous.sequence:
        raise SequenceError(
            f"the hub's newest bundle has number {manifest.sequence}, this store holds number {previous.sequence} "
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
