"""Pulling: from a hub's address to a verified bundle in the store, or a named refusal and the store as it was."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from tuf.api.metadata import TargetFile

from manyheads_client.adoption import Adopted, OnBytes, adopt, build_held, choose_root, examine
from manyheads_client.errors import EndlessDataError, MissingTargetError
from manyheads_client.fetch import Fetcher
from manyheads_client.refresh import refresh
from manyheads_client.store import HeldBundle, Store
from manyheads_client.trust import Chain, verify_chain, verify_root
from manyheads_shared.api import TUF_TARGETS_PREFIX
from manyheads_shared.bundle import BUNDLE_TARGET, object_target, verify_parts
from manyheads_shared.canonical import MAX_DOCUMENT_BYTES
from manyheads_shared.digest import Digest, digest_file, hex_of, parse_digest
from manyheads_shared.errors import DigestMismatchError, HubRefusedError, HubUnreachableError, UsageError

PARALLEL_FETCHES = 6  # hides the network's latency; heads are small and many
_NOT_FOUND = 404


@dataclass(frozen=True)
class Pulled(Adopted):
    """What a pull did."""

    fetched: int  # objects that were new
    fetched_bytes: int


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
    trusted ones; (4) the newest bundle manifest; (5) its number does not go back, and no generator's owner changed; (6) the
    objects that are not here yet; (7) everything belongs together; (8) adopt it, in one step.

    Args:
        url: the hub's address; None: the one of the last pull.
        root: the hub's TUF root; needed the first time, checked against the trusted one afterwards.
        accept_owners: generator names whose new owner key the user vouches for.

    Raises:
        UsageError: step 1 or 2 fails.
        UpdateRefusedError: steps 2 to 5 fail; the subclass says why.
        FormatError, VerificationError: step 6 or 7 fails.
        FetchError: the way to the hub.
    """
    # step 1
    with store.lock():
        # step 2
        trusted = choose_root(store, root, "manyheads pull URL --root root.json")
        address = _choose_url(store.find_current(), url)
        # step 3
        metadata = refresh(store, address, trusted, fetcher)
        chain = verify_chain(trusted, metadata, store.read_object)
        if root is not None:
            verify_root(root, metadata, store.read_object)
        targets = _Targets(store, fetcher, address, chain)
        # step 4
        data = targets.read(BUNDLE_TARGET, MAX_DOCUMENT_BYTES)
        # step 5
        candidate = examine(store, data, accept_owners)
        store.keep(data)
        # step 6
        fetched_bytes, missing = targets.fetch(candidate.manifest.object_limits(), on_bytes)
        # step 7
        for _ in verify_parts(data, store.read_object):
            pass
        # step 8
        held = build_held(candidate, metadata, url=address)
        adopt(store, candidate, trusted, held)
        return Pulled(held, candidate.previous, tuple(sorted(candidate.owners)), len(missing), fetched_bytes)


@dataclass(frozen=True)
class _Targets:
    """The hub's signed files."""

    store: Store
    fetcher: Fetcher
    url: str
    chain: Chain

    def read(self, path: str, limit: int) -> bytes:
        """Return one target by its path; it may have `limit` bytes."""
        target = self.chain.find_target(path, limit, self.url)
        digest = parse_digest("sha256:" + target.hashes["sha256"])
        if not self.store.holds(digest):
            self._fetch(path, target, digest, lambda _: None)
        return self.store.read_object(digest)

    def fetch(self, limits: Mapping[Digest, int], on_bytes: OnBytes | None) -> tuple[int, list[Digest]]:
        """Fetch the objects the store does not hold; return their bytes in all, and which they were.

        Args:
            limits: how many bytes each object may have.
        """
        targets = self.chain.find_objects(limits, self.url)
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


def _choose_url(previous: HeldBundle | None, given: str | None) -> str:
    if given is not None:
        return given.rstrip("/")
    if previous is None or previous.url is None:
        raise UsageError("a first pull needs the hub's address: `manyheads pull URL --root root.json`")
    return previous.url
