"""Accepted heads to a bundle that clients find: scores to thresholds to manifest to TUF. Measuring is for the worker.

A bundle's row is written before anything is signed and marked `published` afterwards. A hub that was killed in between asks
the TUF repository, which changes over in one step, whether clients can see that bundle: then it is published, otherwise it
never was, and its number is free.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from manyheads_hub.audit.log import WORKER, record
from manyheads_hub.blobs import Blobs
from manyheads_hub.bundles import queries as bundles
from manyheads_hub.bundles import service as bundles_service
from manyheads_hub.bundles.build import BuiltBundle, build_bundle
from manyheads_hub.catalogue import queries as catalogue
from manyheads_hub.catalogue.service import to_generator
from manyheads_hub.database import Verify
from manyheads_hub.editions import Edition
from manyheads_hub.errors import UnavailableError
from manyheads_hub.evaluations.scores import CatalogueScores, Scores
from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.tables import BundleRow, HeadRow, PrimaryRow, PublishedObjectRow, SubmissionRow
from manyheads_hub.upgrades import queries as upgrades
from manyheads_hub.upgrades.tables import CompatibilityRow
from manyheads_shared import clock
from manyheads_shared.api import BundleInfo
from manyheads_shared.bundle import BundleHead, BundleManifest, Carried, LeftOut, object_target, read_manifest
from manyheads_shared.digest import Digest
from manyheads_shared.rungs import Rung

OBSOLETE = "made for another primary; its owner can train it again on the present one"
LOCK = "publish"

logger = logging.getLogger(__name__)


@contextmanager
def publishing_alone(hub: Hub, on_wait: Callable[[], None] = lambda: None) -> Iterator[Verify]:
    """Let one process at a time publish; whoever was killed in here holds it no longer.

    What was cut short is ended: what a killed hub left before the block begins, what the block left when it raises.

    Args:
        on_wait: called now and then while another process publishes; what it raises ends the waiting.

    Returns:
        What `publish` verifies the lock with: it is lost when the database is restarted, and another process may hold it.
    """
    with hub.database.alone(LOCK, on_wait) as verify:
        _end_cut_short(hub)
        try:
            yield verify
        except Exception:
            try:
                verify()  # otherwise what is cut short is another's, who may be at it
                _end_cut_short(hub)
            except Exception:  # the block's own error is the one to tell; whoever publishes next ends this first
                logger.exception("a bundle was cut short and could not be ended")
            raise


def publish(
    hub: Hub,
    edition: Edition,
    measured: CatalogueScores,
    degraded: Mapping[Rung, Mapping[Digest | None, Scores]],
    verify: Verify,
) -> BundleInfo:
    """Publish a bundle, unless it would say what the newest one says already. Call it while `publishing_alone`.

    The plan: (1) build from the scores; (2) nothing new: done; (3) keep the objects and the bundle's row; (4) sign, as long as
    that row is ours; (5) mark everything published, in one transaction. A process that lost the lock, and was overtaken while
    it stood still or while the database was restarted, finds that in 3, 4 or 5 and raises.

    Args:
        measured: as `measure_catalogue` returns it.
        degraded: the same by rung and head, as `measure_rungs` returns them.
        verify: what `publishing_alone` yields.

    Raises:
        BundleError: the suite leaves nothing to calibrate from.
        MissingKeysError: the offline keys are not here; nothing was changed.
        UnavailableError: another process may publish, or does: this one's bundle is not used.
    """
    # step 1
    with hub.database.read() as session:
        newest = bundles.latest(session)
        before = None if newest is None else read_manifest(hub.blobs.read(newest.digest))
        built = _build(session, hub, edition, measured, degraded, sequence=1 if newest is None else newest.sequence + 1)
    # step 2
    if before is not None and _says_the_same(before, built.manifest):
        logger.info("bundle %d is up to date", before.sequence)
        with hub.database.read() as session:
            return bundles_service.get_info(session, before.sequence)
    # step 3
    hub.blobs.put(built.calibration.to_bytes())
    manifest = built.manifest.to_bytes()
    with hub.database.write() as session:
        verify()
        session.add(
            BundleRow(
                sequence=built.manifest.sequence,
                digest=hub.blobs.put(manifest),
                primary=built.manifest.primary,
                calibration=built.manifest.calibration,
                generators=[entry.generator.title for entry in built.manifest.heads],
                created=built.manifest.created,
                published=None,
            )
        )
    # step 4
    hub.repository.publish(_BlobTargets(hub.blobs, built.manifest), manifest, lambda: _refuse_overtaken(hub, built.manifest))
    # step 5
    with hub.database.write() as session:
        _mark_published(session, built.manifest)
    with hub.database.read() as session:
        return bundles_service.get_info(session, built.manifest.sequence)


def withdraw_candidate(session: Session) -> PrimaryRow | None:
    """Forget a primary that could not be published, so that the present one stays the newest; return it.

    One that a bundle names is kept: that bundle is still to be ended (`publishing_alone`), or another process is at it.
    """
    row = primaries.newest(session)
    if row is None or row.published is not None or bundles.names_primary(session, row.digest):
        return None
    session.delete(row)
    candidate = upgrades.find_candidate(session, row.digest)
    if candidate is not None:
        candidate.state = "measured"  # and can be promoted again
    record(session, WORKER, "primary.withdrawn", f"{row.name}@{row.version}", details={"primary": row.digest})
    return row


def _build(
    session: Session,
    hub: Hub,
    edition: Edition,
    measured: CatalogueScores,
    degraded: Mapping[Rung, Mapping[Digest | None, Scores]],
    *,
    sequence: int,
) -> BuiltBundle:
    """Build from the scores of what is still listed: a head may have been yanked while it was measured."""
    primary = edition.primary.digest
    detector_scores = next(measured.each)
    row = primaries.find(session, primary)
    assert row is not None  # it was found when the edition was prepared, and no bundle's primary is ever deleted
    pairs = upgrades.carried_heads(session, primary)
    carried = {head.digest: Carried.model_validate(_to_carried(head, standing)) for head, standing in pairs}
    listed = {head.digest: head for head in (*catalogue.listed_heads(session, primary), *(head for head, _ in pairs))}
    signers = catalogue.signing_keys(session)  # each head's own: its owner may have another key by now

    def entries() -> Iterator[tuple[BundleHead, Scores]]:
        for head, scores in zip(edition.heads, measured.each, strict=True):
            if (found := listed.get(head.digest)) is not None:
                yield _to_entry(found, signers[head.digest].key_id), scores

    return build_bundle(
        hub=hub.settings.name,
        sequence=sequence,
        created=clock.now(),
        primary=primary,
        suite=edition.suite.digest,
        detector_scores=detector_scores,
        heads=entries(),
        looks=measured.looks,
        degraded=degraded,
        left_out=[
            _to_left_out(head, primary, listed)
            for head in catalogue.left_out_heads(session, primary)
            if head.digest not in listed
        ],
        carried=[carried[head.digest] for head in edition.heads if head.digest in carried],
        retention=row.retention,
        owner_keys={key.key_id: key.public_key for key in signers.values()},
        hub_key=hub.keyring.evaluation_key(),
        policy=edition.policy,
    )


def _to_entry(row: HeadRow, owner_key: str) -> BundleHead:
    return BundleHead(
        generator=to_generator(row),
        head=row.digest,
        owner_key=owner_key,
        owner_statement=row.owner_statement,
        hub_statement=row.hub_statement,
    )


def _to_carried(head: HeadRow, standing: CompatibilityRow) -> dict[str, str | None]:
    return {"head": head.digest, "primary": head.primary, "way": standing.way, "until": standing.until}


def _to_left_out(row: HeadRow, primary: Digest, listed: Mapping[Digest, HeadRow]) -> LeftOut:
    state, reason = row.state, row.reason
    if state == "listed" and row.primary != primary:
        takes_its_place = next((other for other in listed.values() if other.generator == row.generator), None)
        state, reason = "obsolete", OBSOLETE
        if takes_its_place is not None:
            reason = f"{takes_its_place.generator}@{takes_its_place.version} takes its place on the present primary"
    elif state == "quarantined":  # a state that the format does not know
        state, reason = "yanked", f"quarantined: {reason}"
    return LeftOut.model_validate({"generator": to_generator(row), "head": row.digest, "state": state, "reason": reason})


def _says_the_same(before: BundleManifest, after: BundleManifest) -> bool:
    own = {"sequence", "created"}
    return before.model_dump(exclude=own) == after.model_dump(exclude=own)


def _mark_published(session: Session, manifest: BundleManifest) -> None:
    """Write what follows from a bundle that clients can see. Everything is taken from its manifest, so it can be repeated."""
    now = clock.now()
    bundle = _own_row(session, manifest)
    if bundle.published is not None:
        return  # whoever overtook us has ended it
    bundle.published = now
    primary = primaries.find(session, manifest.primary)
    assert primary is not None  # a bundle refers to it
    if primary.published is None:
        primary.published = now
        details: dict[str, Any] = {"primary": primary.digest, "bundle": manifest.sequence}
        record(session, WORKER, "primary.published", f"{primary.name}@{primary.version}", details=details)
    for left_out in manifest.left_out:
        head = session.get_one(HeadRow, left_out.head)
        if left_out.state == "obsolete" and head.state == "listed":
            head.state, head.reason = "obsolete", left_out.reason
            record(session, WORKER, "head.obsolete", left_out.generator.title, reason=left_out.reason)
    heads = [entry.head for entry in manifest.heads]
    accepted = select(HeadRow.submission_id).where(HeadRow.digest.in_(heads))
    session.execute(
        update(SubmissionRow)
        .where(SubmissionRow.id.in_(accepted), SubmissionRow.bundle_sequence.is_(None))
        .values(bundle_sequence=manifest.sequence)
    )
    named = {manifest.digest, *manifest.object_digests()}
    known = set(session.scalars(select(PublishedObjectRow.digest).where(PublishedObjectRow.digest.in_(named))))
    session.add_all(PublishedObjectRow(digest=digest, sequence=manifest.sequence) for digest in sorted(named - known))
    details = {"digest": manifest.digest, "heads": [entry.generator.title for entry in manifest.heads]}
    record(session, WORKER, "bundle.published", str(manifest.sequence), details=details)


def _own_row(session: Session, manifest: BundleManifest) -> BundleRow:
    """Return a bundle's row, if it is still this bundle's.

    Raises:
        UnavailableError: another process took it for cut short, and has the number.
    """
    row = session.get(BundleRow, manifest.sequence)
    if row is None or row.digest != manifest.digest:
        raise UnavailableError(f"bundle {manifest.sequence} is another process's, which publishes since; this one is not used")
    return row


def _refuse_overtaken(hub: Hub, manifest: BundleManifest) -> None:
    """See `_own_row`. Called while the repository is held, as `_end_cut_short` holds it: one of the two comes first."""
    with hub.database.read() as session:
        _own_row(session, manifest)


def _end_cut_short(hub: Hub) -> None:
    """Mark a bundle that was signed and not marked; forget one that clients never saw, and never will."""
    with hub.database.read() as session:
        if bundles.unpublished(session) is None:
            return
    with hub.repository.held():
        with hub.database.read() as session:
            row = bundles.unpublished(session)
        if row is None:
            return
        visible = hub.repository.newest_bundle() == row.digest
        manifest = read_manifest(hub.blobs.read(row.digest)) if visible else None
        with hub.database.write() as session:
            if manifest is not None:
                _mark_published(session, manifest)
            else:
                session.execute(delete(BundleRow).where(BundleRow.sequence == row.sequence, BundleRow.published.is_(None)))
    logger.warning("bundle %d was cut short: %s", row.sequence, "marked published" if visible else "built again")


class _BlobTargets(Mapping[str, bytes]):
    """A bundle's objects by TUF target path, each read from the blobs when it is asked for."""

    def __init__(self, blobs: Blobs, manifest: BundleManifest) -> None:
        self._blobs = blobs
        self._digests = {object_target(digest): digest for digest in manifest.object_digests()}

    def __getitem__(self, path: str) -> bytes:
        return self._blobs.read(self._digests[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._digests)

    def __len__(self) -> int:
        return len(self._digests)
