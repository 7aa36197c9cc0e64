"""Bundles as the API and the pages show them. Making them is for `manyheads_hub.publishing`."""

from sqlalchemy.orm import Session

from manyheads_hub.blobs import Blobs
from manyheads_hub.bundles import queries
from manyheads_hub.catalogue.lifecycle import refuse_quarantined
from manyheads_hub.errors import NotFoundError
from manyheads_hub.tables import MAX_NUMBER, BundleRow
from manyheads_shared.api import BundleInfo
from manyheads_shared.bundle import BundleManifest, read_own_manifest
from manyheads_shared.calibration import Calibration, read_bands
from manyheads_shared.digest import Digest


def list_bundles(session: Session, limit: int, offset: int = 0) -> list[BundleInfo]:
    """Return some published bundles, newest first."""
    return [_to_info(row) for row in queries.published(session, limit, offset)]


def count_bundles(session: Session) -> int:
    """Return how many bundles were published."""
    return queries.count_published(session)


def get_info(session: Session, sequence: int) -> BundleInfo:
    """Return one published bundle.

    Raises:
        NotFoundError: none of that number.
    """
    return _to_info(_find(session, sequence))


def get_bundle(session: Session, blobs: Blobs, sequence: int) -> tuple[BundleInfo, BundleManifest, Calibration]:
    """Return one published bundle with its manifest and its bands.

    The hub wrote both, and a blob is checked against its digest: that they are canonical need not be seen again, which would
    take half a minute of a bundle of 10,000 heads.

    Raises:
        NotFoundError: none of that number.
    """
    row = _find(session, sequence)
    manifest = read_own_manifest(blobs.read(row.digest))
    return _to_info(row), manifest, read_bands(blobs.read(row.calibration))


def get_latest(session: Session, as_of: str | None = None) -> BundleInfo:
    """Return the newest bundle, or the one that was newest at a moment.

    Raises:
        NotFoundError: there was none yet.
    """
    row = queries.latest(session, as_of=as_of)
    if row is None:
        raise NotFoundError(f"no bundle was published {f'by {as_of}' if as_of else 'yet'}")
    return _to_info(row)


def latest_sequence(session: Session) -> int | None:
    """Return the number of the newest bundle; None before the first."""
    row = queries.latest(session)
    return None if row is None else row.sequence


def refuse_unpublished(session: Session, digest: Digest) -> None:
    """Check that an object is one that anyone may download.

    Raises:
        NotFoundError: no published bundle named it.
        QuarantinedError: it is a quarantined head.
    """
    refuse_quarantined(session, digest)
    if not queries.is_published_object(session, digest):
        raise NotFoundError(f"no published bundle names an object {digest}")


def _find(session: Session, sequence: int) -> BundleRow:
    row = queries.find(session, sequence) if 0 < sequence <= MAX_NUMBER else None
    if row is None:
        raise NotFoundError(f"no bundle {sequence} was published")
    return row


def _to_info(row: BundleRow) -> BundleInfo:
    assert row.published is not None  # the queries ask for published rows
    return BundleInfo(
        sequence=row.sequence,
        digest=row.digest,
        primary=row.primary,
        generators=row.generators,
        published=row.published,
    )
