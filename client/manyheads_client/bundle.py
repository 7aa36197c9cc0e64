"""An opened bundle: verified from the trusted root to the last head, ready to attribute with. No network; torch only in use."""

from pathlib import Path
from typing import TYPE_CHECKING

from manyheads_client.errors import MissingTargetError
from manyheads_client.pack import Pack
from manyheads_client.store import HeldBundle, Store, default_store
from manyheads_client.trust import Chain, begin_at, limit_metadata, verify_chain
from manyheads_shared.bundle import BUNDLE_TARGET, VerifiedBundle, read_manifest, verify_bundle
from manyheads_shared.calibration import Band, BoundedCalibration, Evidence, FullCalibration, Sides
from manyheads_shared.canonical import MAX_DOCUMENT_BYTES
from manyheads_shared.clock import write_time
from manyheads_shared.condition import Usual
from manyheads_shared.digest import hex_of
from manyheads_shared.errors import VerificationError
from manyheads_shared.evidence import UpdateMetadata

if TYPE_CHECKING:
    from manyheads_shared.compute import Compute
    from manyheads_shared.scoring import Scorer


class Bundle:
    """One primary, its heads and their thresholds, as a hub published them.

    Example:
        >>> bundle = Bundle.open()  # the current bundle of the default store
        >>> bundle.generators
        ('dcgan@1', 'stylegan@3')
    """

    def __init__(self, verified: VerifiedBundle, metadata: UpdateMetadata | None = None) -> None:
        """Wrap a verified bundle.

        Args:
            metadata: what it was verified with; None: nothing says that it was its hub's newest.
        """
        self.verified = verified
        self.metadata = metadata
        self._scorers: dict[Compute, Scorer] = {}

    @classmethod
    def open(cls, store: Path | str | None = None) -> "Bundle":
        """Open the current bundle of a store; None is the default store.

        Nothing is trusted because it lies in the store: everything is verified from the trusted root down. Expired metadata
        does not prevent opening; every report states it.

        Raises:
            NoBundleError: nothing was pulled into this store.
            FormatError, VerificationError: something in the store was damaged or altered.
        """
        chosen = Store(Path(store)) if store is not None else Store(default_store())
        return open_held(chosen, chosen.current())

    @property
    def generators(self) -> tuple[str, ...]:
        """Titles of the covered generators, `name@version`, in the order of the logits."""
        return tuple(head.entry.generator.title for head in self.verified.heads)

    @property
    def detector_band(self) -> Band:
        """The detector's thresholds."""
        return self.verified.calibration.detector

    @property
    def head_bands(self) -> tuple[Band, ...]:
        """The heads' thresholds, in the order of the logits."""
        return tuple(self.verified.calibration.heads[head.entry.head] for head in self.verified.heads)

    @property
    def detector_evidence(self) -> Evidence | None:
        """What the detector's scores are worth; None where the hub's calibration is of version 1."""
        calibration = self.verified.calibration
        return calibration.detector_evidence if isinstance(calibration, FullCalibration) else None

    @property
    def heads_evidence(self) -> tuple[Evidence | None, ...]:
        """What the heads' scores are worth, in the order of the logits."""
        calibration = self.verified.calibration
        known = calibration.heads_evidence if isinstance(calibration, FullCalibration) else {}
        return tuple(known.get(head.entry.head) for head in self.verified.heads)

    @property
    def sides(self) -> Sides | None:
        """How large the suite's images are; None where the hub did not say."""
        calibration = self.verified.calibration
        return calibration.sides if isinstance(calibration, BoundedCalibration) else None

    @property
    def usual(self) -> Usual | None:
        """What the suite's images show, nothing having been done to them; None where the hub did not say."""
        calibration = self.verified.calibration
        return calibration.usual if isinstance(calibration, BoundedCalibration) else None

    def scorer(self, compute: "Compute") -> "Scorer":
        """Return the networks on a device, built on the first use.

        Raises:
            FeatureContractError: the features here are not those the heads were trained on.
        """
        from manyheads_shared.scoring import Scorer  # noqa: PLC0415 - torch takes seconds to load

        if compute not in self._scorers:
            heads = [head.artifact for head in self.verified.heads]
            passages = self.verified.passages
            self._scorers[compute] = Scorer(self.verified.primary, heads, compute, executor="folded", passages=passages)
        return self._scorers[compute]


def open_held(store: Store, held: HeldBundle) -> Bundle:
    """Open one adopted bundle of a store, the current or an earlier one.

    The plan: (1) the metadata kept with it, from the trusted root down; (2) the manifest is the one it names; (3) all parts
    belong together.

    Raises:
        FormatError, VerificationError: a step fails.
    """
    # steps 1 and 2
    chain = verify_held(store, held)
    # step 3
    return Bundle(verify_bundle(store.read_object(held.bundle), store.read_object), _describe(chain, held.verified))


def open_packed(pack: Pack, root: bytes | None) -> Bundle:
    """Open the bundle of a pack where it lies, without a store; so nothing is said of whether an older one was seen before.

    The plan: (1) the metadata, from the root down; (2) the manifest is the one it names; (3) all parts belong together.

    Args:
        root: the hub's; it may be a later one than the pack's first. None: the pack's first, whosever it is.

    Raises:
        FormatError, VerificationError: a step fails.
    """
    # step 1
    held = pack.index.metadata
    for digest, limit in limit_metadata(held):
        pack.read_object(digest, limit)
    if root is not None:
        held = begin_at(root, held, pack.read_object)
    first = pack.read_object(held.roots[0]) if held.roots else b""
    chain = verify_chain(first, held, pack.read_object, source=str(pack.path))
    # step 2
    target = chain.find_target(BUNDLE_TARGET, MAX_DOCUMENT_BYTES, str(pack.path))
    if target.hashes["sha256"] != hex_of(pack.index.bundle):
        raise MissingTargetError(f"{pack.path}: its metadata names another bundle than {pack.index.bundle}")
    # step 3
    data = pack.read_object(pack.index.bundle, MAX_DOCUMENT_BYTES)
    limits = read_manifest(data).object_limits()
    chain.find_objects(limits, str(pack.path))
    return Bundle(verify_bundle(data, lambda digest: pack.read_object(digest, limits[digest])), _describe(chain, None))


def _describe(chain: Chain, confirmed: str | None) -> UpdateMetadata:
    return UpdateMetadata(
        versions=chain.versions,
        expires={role: write_time(moment) for role, moment in chain.expires.items()},
        confirmed=confirmed,
    )


def verify_held(store: Store, held: HeldBundle) -> Chain:
    """Verify the metadata kept with an adopted bundle, and that it names this bundle.

    Raises:
        UpdateRefusedError: it is not what this store's root vouches for.
    """
    root = store.read_root()
    if root is None:
        raise VerificationError(f"{store.folder}: the trusted root.json is missing; pull or import again with --root")
    chain = verify_chain(root, held.metadata, store.read_object)
    target = chain.find_target(BUNDLE_TARGET, MAX_DOCUMENT_BYTES, str(store.folder))
    if target.hashes["sha256"] != hex_of(held.bundle):
        raise MissingTargetError(f"{store.folder}: the kept metadata names another bundle than {held.bundle}; pull again")
    return chain
