"""The bundle: one primary, the accepted heads, their calibration, as one snapshot. What a client pulls and a report cites.

Version 1 holds heads of its primary alone. Version 2 also carries heads of earlier primaries over, by the way that the hub's
retention report allows each; a bundle that carries none is written in version 1.

TUF says that the manifest is the hub's newest; this module says that its parts belong together. It reads objects through a
function, so the same check serves a client's store, a hub's blobs and an exported folder.
Specification: docs/formats/bundle.md.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from securesystemslib.signer import SSlibKey

from manyheads_shared.artifact import MAX_HEAD_BYTES, MAX_PRIMARY_BYTES, HeadArtifact, PrimaryArtifact, read_head, read_primary
from manyheads_shared.calibration import Calibration, read_calibration
from manyheads_shared.digest import Digest, digest_bytes, hex_of, verify_digest
from manyheads_shared.document import Document, Ordinal, Value
from manyheads_shared.errors import BundleError, SignatureError, StatementError
from manyheads_shared.keys import parse_public_key
from manyheads_shared.manifest import DigestField, Generator, Name, Time
from manyheads_shared.passage import Passage, Way, verify_passable
from manyheads_shared.retention import MAX_RETENTION_BYTES, HeadRetention, verify_retention
from manyheads_shared.statements import (
    MAX_STATEMENT_BYTES,
    HubPredicate,
    OwnerPredicate,
    SignedStatement,
    verify_hub_statement,
    verify_owner_statement,
)

BUNDLE_TARGET = "bundle.json"  # the TUF target whose content is the newest bundle manifest

ReadObject = Callable[[Digest], bytes]
KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def object_target(digest: Digest) -> str:
    """Return the TUF target path of an object named by its digest."""
    return f"objects/{hex_of(digest)}"


class BundleHead(Value):
    """One head of a bundle and the two statements that vouch for it."""

    generator: Generator
    head: DigestField
    owner_key: KeyId
    owner_statement: DigestField
    hub_statement: DigestField


class LeftOut(Value):
    """A catalogued head that is not in the bundle, and why."""

    generator: Generator
    head: DigestField
    state: Literal["yanked", "replaced", "obsolete"]
    reason: str


class BundleManifest(Document):
    """The exact list of what belongs to one bundle."""

    FORMAT: ClassVar[str] = "manyheads.bundle/1"

    hub: Name
    sequence: Ordinal  # a client never goes back
    created: Time
    primary: DigestField
    calibration: DigestField
    heads: tuple[BundleHead, ...]
    left_out: tuple[LeftOut, ...]
    owner_keys: dict[KeyId, str]  # key id -> public key, PEM
    hub_key: str  # public key of the hub's evaluation statements, PEM

    def object_digests(self) -> tuple[Digest, ...]:
        """Digests of every object a client needs beside the manifest itself."""
        return tuple(self.object_limits())

    def object_limits(self) -> dict[Digest, int]:
        """How many bytes each object may have that a client needs beside the manifest itself, by digest."""
        statements = (digest for head in self.heads for digest in (head.owner_statement, head.hub_statement))
        return {
            self.primary: MAX_PRIMARY_BYTES,
            self.calibration: Calibration.MAX_BYTES,
            **{head.head: MAX_HEAD_BYTES for head in self.heads},
            **dict.fromkeys(statements, MAX_STATEMENT_BYTES),
        }

    @property
    def carried_heads(self) -> "tuple[Carried, ...]":
        """Heads of earlier primaries and how they are run."""
        return ()


class Carried(Value):
    """A head of the bundle that belongs to an earlier primary, and how it is run."""

    head: DigestField
    primary: DigestField  # its own
    way: Way
    until: Time | None  # when the hub means to leave it out, unless its owner submits a head for the new primary


class CarryingManifest(BundleManifest):
    """As `BundleManifest`, with heads of earlier primaries. Version 2."""

    FORMAT: ClassVar[str] = "manyheads.bundle/2"

    retention: DigestField  # the signed report that allows each way
    carried: Annotated[tuple[Carried, ...], Field(min_length=1)]

    def object_limits(self) -> dict[Digest, int]:
        """See `BundleManifest.object_limits`."""
        earlier = dict.fromkeys((entry.primary for entry in self.carried), MAX_PRIMARY_BYTES)
        return {**super().object_limits(), **earlier, self.retention: MAX_RETENTION_BYTES}

    @property
    def carried_heads(self) -> tuple[Carried, ...]:
        """See `BundleManifest.carried_heads`."""
        return self.carried


def read_manifest(data: bytes) -> BundleManifest:
    """Read a bundle manifest of any version, as the class of that version.

    Raises:
        ManifestError, UnsupportedVersionError: as `Document.from_bytes`.
    """
    return _version_of(data).from_bytes(data)


def read_own_manifest(data: bytes) -> BundleManifest:
    """Return a manifest whose bytes are known to be canonical: much quicker than seeing that again, of many heads."""
    return _version_of(data).model_validate_json(data)


def _version_of(data: bytes) -> type[BundleManifest]:
    return CarryingManifest if f'"format":"{CarryingManifest.FORMAT}"'.encode() in data else BundleManifest


@dataclass(frozen=True)
class VerifiedHead:
    """A head whose file and both statements were verified against each other."""

    entry: BundleHead
    artifact: HeadArtifact
    owner: SignedStatement[OwnerPredicate]
    hub: SignedStatement[HubPredicate]
    passage: Passage | None = None  # None: it belongs to the bundle's primary
    retention: HeadRetention | None = None  # what the hub measured of it on the bundle's primary, likewise


@dataclass(frozen=True)
class VerifiedBundle:
    """A bundle that belongs together. Only `verify_bundle` makes one; scoring accepts nothing else."""

    manifest: BundleManifest
    digest: Digest
    primary: PrimaryArtifact
    calibration: Calibration
    heads: tuple[VerifiedHead, ...]  # in the manifest's order

    @property
    def passages(self) -> dict[Digest, Passage]:
        """How heads of earlier primaries are run, by head."""
        return {head.artifact.digest: head.passage for head in self.heads if head.passage}


def verify_bundle(data: bytes, read_object: ReadObject) -> VerifiedBundle:
    """Verify that the parts of a bundle belong together.

    The plan: (1) the manifest; (2) no generator and no head twice, none both in and left out; (3) the primary, and the earlier
    ones of heads that are carried over, whose ways the hub's retention report allows; (4) the calibration, for this primary and
    exactly these heads; for each head (5) its file, for its primary, (6) its owner's statement, (7) the hub's statement. That
    `data` is the hub's newest manifest is the caller's share (TUF).

    Args:
        data: the manifest's exact bytes.
        read_object: returns the bytes an object digest names; what it raises passes through.

    Raises:
        FormatError, VerificationError: a step fails; the subclass says how.
    """
    opened = _open_bundle(data, read_object)
    return VerifiedBundle(
        opened.manifest, digest_bytes(data), opened.primary, opened.calibration, tuple(_verify_heads(opened, read_object))
    )


def verify_parts(data: bytes, read_object: ReadObject) -> Iterator[VerifiedHead]:
    """Verify a bundle as `verify_bundle` does and keep nothing: each head is yielded when it is verified.

    For whoever stores a bundle and does not run it: memory does not grow with the number of heads. It belongs together once
    the iterator has ended.

    Raises:
        FormatError, VerificationError: a step fails, while the iterator is read.
    """
    yield from _verify_heads(_open_bundle(data, read_object), read_object)


@dataclass(frozen=True)
class _Opened:
    """A bundle but for its heads."""

    manifest: BundleManifest
    primary: PrimaryArtifact
    calibration: Calibration
    hub_key: SSlibKey
    passages: Mapping[Digest, tuple[Passage, HeadRetention]]


def _open_bundle(data: bytes, read_object: ReadObject) -> _Opened:
    # step 1
    manifest = read_manifest(data)
    # step 2
    _refuse_repeats(manifest)
    # step 3
    primary, hub_key = read_primary(_read(read_object, "primary", manifest.primary)), parse_public_key(manifest.hub_key)
    passages = _open_passages(manifest, primary, hub_key, read_object) if isinstance(manifest, CarryingManifest) else {}
    # step 4
    calibration = read_calibration(_read(read_object, "calibration", manifest.calibration))
    if calibration.primary != manifest.primary:
        raise BundleError(f"the calibration is for primary {calibration.primary}, the bundle's is {manifest.primary}")
    if calibration.heads.keys() != {entry.head for entry in manifest.heads}:
        raise BundleError("the calibration does not cover exactly the bundle's heads; the hub must build the bundle again")
    return _Opened(manifest, primary, calibration, hub_key, passages)


def _open_passages(
    manifest: CarryingManifest, primary: PrimaryArtifact, hub_key: SSlibKey, read_object: ReadObject
) -> dict[Digest, tuple[Passage, HeadRetention]]:
    """Verify that the hub measured every carried head on this primary by the way it is run, and found that it may be."""
    report = verify_retention(_read(read_object, "retention report", manifest.retention), hub_key).report
    if report.candidate != manifest.primary:
        raise BundleError(f"the retention report is about primary {report.candidate}, the bundle's is {manifest.primary}")
    allowed = {row.head: row for row in report.heads}
    earlier: dict[Digest, PrimaryArtifact] = {}
    passages = {}
    for entry in manifest.carried:
        row = allowed.get(entry.head)
        if row is None or (row.primary, row.way) != (entry.primary, entry.way):
            raise BundleError(f"the bundle runs head {entry.head} {entry.way}, which its retention report does not allow")
        if entry.primary not in earlier:
            earlier[entry.primary] = read_primary(_read(read_object, "earlier primary", entry.primary))
            verify_passable(earlier[entry.primary], primary)
        passages[Digest(entry.head)] = Passage(earlier[entry.primary], entry.way), row
    return passages


def _verify_heads(opened: _Opened, read_object: ReadObject) -> Iterator[VerifiedHead]:
    # steps 5 to 7
    for entry in opened.manifest.heads:
        yield _verify_head(entry, opened, read_object)


def _verify_head(entry: BundleHead, opened: _Opened, read_object: ReadObject) -> VerifiedHead:
    title, manifest, hub_key = entry.generator.title, opened.manifest, opened.hub_key
    passage, retention = opened.passages.get(Digest(entry.head), (None, None))
    primary = passage.earlier if passage else opened.primary
    # step 5
    artifact = read_head(_read(read_object, f"head {title}", entry.head), primary)
    if artifact.manifest.generator != entry.generator:
        raise BundleError(f"the bundle lists {title}, the head's own manifest says {artifact.manifest.generator.title}")
    # step 6
    if entry.owner_key not in manifest.owner_keys:
        raise SignatureError(f"head {title}: the bundle holds no public key {entry.owner_key[:12]} for its owner")
    owner_key = parse_public_key(manifest.owner_keys[entry.owner_key])
    if owner_key.keyid != entry.owner_key:
        raise SignatureError(f"head {title}: the owner's public key has id {owner_key.keyid[:12]}, not {entry.owner_key[:12]}")
    owner = verify_owner_statement(
        _read(read_object, f"owner statement of {title}", entry.owner_statement), entry.head, owner_key
    )
    # step 7
    hub = verify_hub_statement(_read(read_object, f"hub statement of {title}", entry.hub_statement), entry.head, hub_key)
    for who, predicate in (("owner", owner.predicate), ("hub", hub.predicate)):
        if (predicate.generator, predicate.primary) != (entry.generator, primary.digest):
            raise StatementError(
                f"head {title}: the {who}'s statement is about {predicate.generator.title} on {predicate.primary}"
            )
    return VerifiedHead(entry, artifact, owner, hub, passage, retention)


def _read(read_object: ReadObject, name: str, digest: Digest) -> bytes:
    data = read_object(digest)
    verify_digest(name, data, digest)
    return data


def _refuse_repeats(manifest: BundleManifest) -> None:
    for what, values in (
        ("generator", Counter(entry.generator.title for entry in manifest.heads)),
        ("head", Counter(str(entry.head) for entry in manifest.heads)),
    ):
        for value, times in values.items():
            if times > 1:
                raise BundleError(f"the bundle lists the {what} {value} {times} times")
    heads = {entry.head for entry in manifest.heads}
    carried = Counter(entry.head for entry in manifest.carried_heads)
    for head, times in carried.items():
        if times > 1 or head not in heads:
            raise BundleError(f"the bundle carries head {head} over {times} times, and lists it {int(head in heads)} times")
    if any(entry.primary == manifest.primary for entry in manifest.carried_heads):
        raise BundleError("the bundle carries heads over that belong to its own primary")
    for left_out in manifest.left_out:
        if any(entry.head == left_out.head for entry in manifest.heads):
            raise BundleError(f"the bundle lists head {left_out.generator.title}, and says that it left it out")
