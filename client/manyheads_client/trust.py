"""TUF: which bundle is the hub's newest, and by whose signatures. The library walks the metadata; `refusals` names its errors.

`refresh` asks the hub. `verify_chain` needs no network: it checks the kept metadata of an adopted bundle from the trusted root
down, so that a store can be verified in an air-gapped laboratory. Dates are reported by it, not judged.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from manyheads_client.errors import MalformedMetadataError, MixAndMatchError, WrongRootError
from manyheads_client.fetch import Fetcher
from manyheads_client.refusals import named_refusals
from manyheads_client.store import HeldMetadata, Store
from manyheads_shared.api import TUF_METADATA_PREFIX
from manyheads_shared.digest import Digest

# bytes; a targets file of 10,000 heads, three objects each, has about 9 MB
CONFIG = UpdaterConfig(targets_max_length=32 << 20)


@dataclass(frozen=True)
class Chain:
    """Metadata verified from the trusted root down to the targets."""

    expires: Mapping[str, datetime]  # by role
    targets: Mapping[str, TargetFile]  # by target path


def refresh(store: Store, url: str, root: bytes, fetcher: Fetcher) -> HeldMetadata:
    """Bring the store's working metadata up to the hub's newest and keep it as objects. The caller holds the lock.

    Raises:
        UpdateRefusedError: the metadata is refused; the subclass says why.
        FetchError: the hub cannot be reached, refuses, or sends without end.
    """
    known = store.read_root() is not None
    if not known:  # left by a first pull that failed, perhaps under another root
        shutil.rmtree(store.metadata_folder, ignore_errors=True)
    store.metadata_folder.mkdir(parents=True, exist_ok=True)
    watched = _Watched(fetcher, is_known_hub=known)
    with named_refusals(url, watched):
        updater = Updater(
            str(store.metadata_folder), url.rstrip("/") + TUF_METADATA_PREFIX, fetcher=watched, config=CONFIG, bootstrap=root
        )
        updater.refresh()
    folder = store.metadata_folder
    first, newest = _load(Root, root).signed.version, _load(Root, (folder / "root.json").read_bytes()).signed.version
    later = [(folder / "root_history" / f"{version}.root.json").read_bytes() for version in range(first + 1, newest + 1)]
    timestamp, snapshot, targets = (store.keep((folder / f"{role}.json").read_bytes()) for role in _BELOW_ROOT)
    return HeldMetadata(
        roots=tuple(store.keep(data) for data in (root, *later)), timestamp=timestamp, snapshot=snapshot, targets=targets
    )


def verify_chain(root: bytes, held: HeldMetadata, read_object: Callable[[Digest], bytes]) -> Chain:
    """Verify kept metadata from the trusted root down.

    The plan: (1) the first root is the trusted one; (2) each later root is the next, signed by the one before and by itself;
    (3) timestamp, snapshot and targets are signed as the last root says; (4) they name each other's version and content.

    Raises:
        UpdateRefusedError: a step fails.
    """
    # step 1
    roots = [read_object(digest) for digest in held.roots]
    if not roots or roots[0] != root:
        raise WrongRootError("the kept metadata does not begin at the root this store trusts; pull again")
    with named_refusals("the kept metadata", _Kept()):
        # step 2
        trusted = _load(Root, root)
        trusted.signed.verify_delegate(Root.type, trusted.signed_bytes, trusted.signatures)
        for data in roots[1:]:
            newer = _load(Root, data)
            for signer in (trusted, newer):
                signer.signed.verify_delegate(Root.type, newer.signed_bytes, newer.signatures)
            if newer.signed.version != trusted.signed.version + 1:
                raise MixAndMatchError(f"the kept roots go from {trusted.signed.version} to {newer.signed.version}; pull again")
            trusted = newer
        # step 3
        files = {role: read_object(digest) for role, digest in zip(_BELOW_ROOT, _digests(held), strict=True)}
        signed: dict[str, Any] = {Root.type: trusted.signed}
        for role, data in files.items():
            metadata = _load(_TYPES[role], data)
            trusted.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
            signed[role] = metadata.signed
        # step 4
        named = {
            Snapshot.type: signed[Timestamp.type].snapshot_meta,
            Targets.type: signed[Snapshot.type].meta.get("targets.json"),
        }
        for role, entry in named.items():
            if entry is None:
                raise MalformedMetadataError(f"expected a snapshot that names {role}.json, got one that does not; pull again")
            entry.verify_length_and_hashes(files[role])
            if entry.version != signed[role].version:
                raise MixAndMatchError(f"the kept metadata expects {role} {entry.version}, it holds {signed[role].version}")
    return Chain({role: value.expires for role, value in signed.items()}, signed[Targets.type].targets)


def verify_root(given: bytes, held: HeldMetadata, read_object: Callable[[Digest], bytes]) -> None:
    """Check that a root the user gave is one of those this store trusts.

    Raises:
        WrongRootError: it is not.
    """
    wanted = read_root(given).signed_bytes
    if all(read_root(read_object(digest)).signed_bytes != wanted for digest in held.roots):
        raise WrongRootError(
            "the given root is not among those this store trusts, so it belongs to another hub. "
            "Pull that hub into a store of its own, with --store FOLDER."
        )


def read_root(data: bytes) -> Metadata[Root]:
    """Parse a TUF root.

    Raises:
        WrongRootError: it is none, or not signed by its own keys.
    """
    try:
        metadata = _load(Root, data)
        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except (exceptions.RepositoryError, MalformedMetadataError) as error:
        raise WrongRootError(
            f"expected the hub's root.json, a TUF root signed by its own keys, got something else: {error}"
        ) from error
    return metadata


_BELOW_ROOT = (Timestamp.type, Snapshot.type, Targets.type)
_TYPES: Mapping[str, type[Any]] = {Timestamp.type: Timestamp, Snapshot.type: Snapshot, Targets.type: Targets}


class _Watched(FetcherInterface):
    """Passes requests on and remembers the last metadata file, to tell a rollback from a mix."""

    def __init__(self, fetcher: Fetcher, *, is_known_hub: bool) -> None:
        self._fetcher = fetcher
        self.is_known_hub = is_known_hub
        self.last_name, self.last_data = "", b""

    def download_bytes(self, url: str, max_length: int) -> bytes:
        self.last_name = Path(url).name
        self.last_data = super().download_bytes(url, max_length)
        return self.last_data

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._fetcher.fetch(url)

    def is_mixed(self) -> bool:
        """Whether the last file was asked for by one version and carries another (`5.snapshot.json` with version 4)."""
        asked, _, name = self.last_name.partition(".")
        if not asked.isdigit() or name == "root.json":
            return False
        return bool(Metadata[Any].from_bytes(self.last_data).signed.version != int(asked))


class _Kept:
    """The circumstances of metadata that was verified once before."""

    is_known_hub = True

    def is_mixed(self) -> bool:
        return False


def _load(kind: type[Any], data: bytes) -> Metadata[Any]:
    """Parse metadata of one role; no signature is checked."""
    metadata = Metadata[Any].from_bytes(data)
    if metadata.signed.type != kind.type:
        raise MalformedMetadataError(f"expected TUF metadata of the role {kind.type}, got {metadata.signed.type}")
    return metadata


def _digests(held: HeldMetadata) -> tuple[Digest, Digest, Digest]:
    return held.timestamp, held.snapshot, held.targets
