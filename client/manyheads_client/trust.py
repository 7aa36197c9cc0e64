"""TUF without a network: metadata checked from the trusted root down, by the library's own types. `refusals` names its errors.

What `refresh` fetched, what a store keeps and what a pack brings are all checked here, so that a store can be filled and
verified in an air-gapped laboratory. Dates are reported, not judged.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from manyheads_client.errors import (
    EndlessDataError,
    MalformedMetadataError,
    MissingTargetError,
    MixAndMatchError,
    WrongRootError,
)
from manyheads_client.refusals import Circumstances, named_refusals
from manyheads_client.store import HeldMetadata
from manyheads_shared.bundle import object_target
from manyheads_shared.digest import Digest, hex_of
from manyheads_shared.errors import DigestMismatchError

BELOW_ROOT = (Timestamp.type, Snapshot.type, Targets.type)
MAX_METADATA_BYTES = {  # the library's own limits, but for the targets: a file of 10,000 heads, three objects each, has 9 MB
    Root.type: 512_000,
    Timestamp.type: 16_384,
    Snapshot.type: 2_000_000,
    Targets.type: 32 << 20,
}
MAX_ROOTS = 256  # after the trusted one; the library's limit


@dataclass(frozen=True)
class Chain:
    """Metadata verified from the trusted root down to the targets."""

    signed: Mapping[str, Any]  # the library's Root, Timestamp, Snapshot and Targets, by role

    @property
    def versions(self) -> dict[str, int]:
        """Versions by role."""
        return {role: value.version for role, value in self.signed.items()}

    @property
    def expires(self) -> dict[str, datetime]:
        """When each role's metadata expires."""
        return {role: value.expires for role, value in self.signed.items()}

    def find_target(self, path: str, limit: int, source: str) -> TargetFile:
        """Return what the hub signed of one of its files.

        Args:
            limit: bytes that a file of its kind may have.
            source: where the metadata came from, for the message.

        Raises:
            MissingTargetError: it signed nothing of it.
            EndlessDataError: it signed a larger one.
        """
        target: TargetFile | None = self.signed[Targets.type].targets.get(path)
        if target is None or "sha256" not in target.hashes:
            raise MissingTargetError(
                f"{source}: the bundle needs {path}, which is not among the hub's signed files. The hub must publish again."
            )
        if target.length > limit:
            raise EndlessDataError(
                f"{source}: {path} is said to have {target.length} bytes; a file of its kind may have {limit}. "
                "Nothing of it is taken: ask the hub's maintainers."
            )
        return target

    def find_objects(self, limits: Mapping[Digest, int], source: str) -> dict[Digest, TargetFile]:
        """Return what the hub signed of a bundle's objects, by digest.

        Args:
            limits: how many bytes each may have.

        Raises:
            MissingTargetError, EndlessDataError: as `find_target`.
            DigestMismatchError: one is signed with another digest than its name's.
        """
        targets = {digest: self.find_target(object_target(digest), limit, source) for digest, limit in limits.items()}
        for digest, target in targets.items():
            if target.hashes["sha256"] != hex_of(digest):
                raise DigestMismatchError(object_target(digest), digest, f"sha256:{target.hashes['sha256']}")
        return targets


@dataclass(frozen=True)
class Complete:
    """The circumstances of metadata that lies before us, all of it."""

    is_known_hub: bool = True

    def is_mixed(self) -> bool:
        """Whether a file carries another version than the one asked for; nothing was asked for."""
        return False


KNOWN = Complete()


def verify_chain(
    root: bytes,
    held: HeldMetadata,
    read_object: Callable[[Digest], bytes],
    *,
    source: str = "the kept metadata",
    circumstances: Circumstances = KNOWN,
) -> Chain:
    """Verify metadata from the trusted root down.

    The plan: (1) the first root is the trusted one; (2) each later root is the next, signed by the one before and by itself;
    (3) timestamp, snapshot and targets are signed as the last root says; (4) they name each other's version and content.

    Raises:
        UpdateRefusedError: a step fails.
    """
    # step 1
    roots = [read_object(digest) for digest in held.roots]
    if not roots or roots[0] != root:
        raise WrongRootError(f"{source}: it does not begin at the root this store trusts; pull again")
    with named_refusals(source, circumstances):
        # step 2
        trusted = load(Root.type, root)
        trusted.signed.verify_delegate(Root.type, trusted.signed_bytes, trusted.signatures)
        for data in roots[1:]:
            trusted = verify_next_root(trusted, data)
        # step 3
        files = {role: read_object(digest) for role, digest in zip(BELOW_ROOT, _digests(held), strict=True)}
        signed: dict[str, Any] = {Root.type: trusted.signed}
        for role, data in files.items():
            metadata = load(role, data)
            trusted.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
            signed[role] = metadata.signed
        # step 4
        for role, entry in (
            (Snapshot.type, signed[Timestamp.type].snapshot_meta),
            (Targets.type, signed[Snapshot.type].meta.get("targets.json")),
        ):
            if entry is None:
                raise MalformedMetadataError(f"{source}: expected a snapshot that names {role}.json, got one that does not")
            entry.verify_length_and_hashes(files[role])
            if entry.version != signed[role].version:
                raise MixAndMatchError(
                    f"{source}: metadata of different moments: expected {role} {entry.version}, got {signed[role].version}"
                )
    return Chain(signed)


def verify_next_root(trusted: Metadata[Root], data: bytes) -> Metadata[Root]:
    """Return the root that follows `trusted`, signed by it and by itself.

    Raises:
        tuf.api.exceptions.RepositoryError: it is not the next one, or not so signed.
    """
    newer: Metadata[Root] = load(Root.type, data)
    for signer in (trusted, newer):
        signer.signed.verify_delegate(Root.type, newer.signed_bytes, newer.signatures)
    if newer.signed.version != trusted.signed.version + 1:
        raise exceptions.BadVersionNumberError(f"Expected root {trusted.signed.version + 1}, got {newer.signed.version}")
    return newer


def verify_root(given: bytes, held: HeldMetadata, read_object: Callable[[Digest], bytes]) -> None:
    """Check that a root the user gave is one of those this store trusts.

    Raises:
        WrongRootError: it is not.
    """
    wanted = read_root(given).signed_bytes
    if all(read_root(read_object(digest)).signed_bytes != wanted for digest in held.roots):
        raise WrongRootError(
            "the given root is not among those this store trusts, so it belongs to another hub. "
            "Give that hub a store of its own, with --store FOLDER."
        )


def begin_at(root: bytes, held: HeldMetadata, read_object: Callable[[Digest], bytes]) -> HeldMetadata:
    """Return metadata without the roots before the one that a user gave.

    Raises:
        WrongRootError: it is not among them.
    """
    wanted = read_root(root).signed_bytes
    for i, digest in enumerate(held.roots):
        if read_root(read_object(digest)).signed_bytes == wanted:
            return held.model_copy(update={"roots": held.roots[i:]})
    raise WrongRootError("the given root is not among those of this bundle's metadata: it belongs to another hub, or is newer")


def limit_metadata(held: HeldMetadata) -> Iterator[tuple[Digest, int]]:
    """Every file of some metadata, and how many bytes it may have."""
    yield from ((digest, MAX_METADATA_BYTES[Root.type]) for digest in held.roots)
    yield from ((digest, MAX_METADATA_BYTES[role]) for role, digest in zip(BELOW_ROOT, _digests(held), strict=True))


def read_root(data: bytes) -> Metadata[Root]:
    """Parse a TUF root.

    Raises:
        WrongRootError: it is none, or not signed by its own keys.
    """
    try:
        metadata: Metadata[Root] = load(Root.type, data)
        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except (exceptions.RepositoryError, MalformedMetadataError) as error:
        raise WrongRootError(
            f"expected the hub's root.json, a TUF root signed by its own keys, got something else: {error}"
        ) from error
    return metadata


def load(role: str, data: bytes) -> Metadata[Any]:
    """Parse metadata of one role; no signature is checked.

    Raises:
        MalformedMetadataError: it is of another role.
        tuf.api.exceptions.RepositoryError: it is no metadata.
    """
    metadata = Metadata[Any].from_bytes(data)
    if metadata.signed.type != role:
        raise MalformedMetadataError(f"expected TUF metadata of the role {role}, got {metadata.signed.type}")
    return metadata


def _digests(held: HeldMetadata) -> tuple[Digest, Digest, Digest]:
    return held.timestamp, held.snapshot, held.targets
