"""Primaries: described, and offered for publication. A primary is current once a bundle with it is published."""

from sqlalchemy.orm import Session

from manyheads_hub.audit.log import Actor, record
from manyheads_hub.errors import ConflictError, NotFoundError, PublicationError
from manyheads_hub.evaluations import jobs
from manyheads_hub.primaries import queries
from manyheads_hub.tables import PrimaryRow
from manyheads_shared import clock
from manyheads_shared.api import PrimaryInfo
from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.digest import Digest, short


def get_current(session: Session) -> PrimaryInfo | None:
    """Return the current primary; None before the first."""
    row = queries.current(session)
    return None if row is None else _to_info(row)


def get_current_or_refuse(session: Session) -> PrimaryInfo:
    """Return the current primary.

    Raises:
        NotFoundError: none is published yet.
    """
    info = get_current(session)
    if info is None:
        raise NotFoundError("this hub has not published a primary yet; come back when it has")
    return info


def get_published(session: Session, digest: Digest) -> PrimaryInfo:
    """Return one published primary.

    Raises:
        NotFoundError: there is none of that digest.
    """
    row = queries.find(session, digest)
    if row is None or row.published is None:
        raise NotFoundError(f"this hub has published no primary {digest}")
    return _to_info(row)


def list_published(session: Session) -> list[PrimaryInfo]:
    """Return every published primary, newest first."""
    return [_to_info(row) for row in queries.published(session)]


def check_first(session: Session, primary: PrimaryArtifact) -> None:
    """Check that a primary may be the hub's first; the newest may again, which finishes what a kill left or changes nothing.

    Raises:
        ConflictError: the hub has another.
    """
    newest = queries.newest(session)
    if newest is not None and newest.digest != primary.digest:
        raise ConflictError(
            f"this hub has primary {newest.name}@{newest.version} already, and heads may stand on it; measure this one first, "
            "with `manyheads-hub candidate`, then `promote` it"
        )


def check_new(session: Session, primary: PrimaryArtifact) -> None:
    """Check that a primary may be published; the newest may again, which finishes what a kill left or changes nothing.

    Raises:
        ConflictError: another has replaced it since, or another file has its name and version.
    """
    manifest = primary.manifest
    known = queries.find(session, primary.digest)
    if known is not None:
        if known is not queries.newest(session):
            raise ConflictError(f"primary {manifest.title} ({primary.digest}) was published before, and another replaced it")
    elif queries.find_version(session, manifest.name, manifest.version) is not None:
        raise ConflictError(
            f"another file was published as primary {manifest.title}; "
            "package this one under a new version, a name never changes its meaning"
        )


def add(session: Session, actor: Actor, primary: PrimaryArtifact, size_bytes: int, *, retention: Digest | None = None) -> int:
    """Add a primary unless it is the newest, its file being in the blob store, and queue the bundle that publishes it.

    Args:
        retention: the signed report that it is promoted by.

    Returns:
        The job that publishes it.

    Raises:
        ConflictError: as `check_new`.
    """
    check_new(session, primary)
    manifest = primary.manifest
    if queries.find(session, primary.digest) is None:
        session.add(
            PrimaryRow(
                digest=primary.digest,
                name=manifest.name,
                version=manifest.version,
                architecture=manifest.architecture,
                image_size=manifest.preprocessing.image_size,
                size_bytes=size_bytes,
                added=clock.now(),
                published=None,
                turn=queries.next_turn(session),
                retention=retention,
            )
        )
        title = manifest.title
        record(session, actor, "primary.added", title, details={"primary": primary.digest})
    return jobs.enqueue(session, "publish")


def refuse_unpublished(session: Session, digest: Digest) -> None:
    """Check that a primary was published.

    Raises:
        PublicationError: it was not, or is known no more.
    """
    row = queries.find(session, digest)
    if row is None or row.published is None:
        raise PublicationError(
            f"a bundle was published, but not with primary {short(digest)}: another was added or this one withdrawn meanwhile. "
            "Run this again if it is still the one you want"
        )


def _to_info(row: PrimaryRow) -> PrimaryInfo:
    assert row.published is not None  # the queries ask for published rows
    return PrimaryInfo(
        digest=row.digest,
        name=row.name,
        version=row.version,
        architecture=row.architecture,
        image_size=row.image_size,
        size_bytes=row.size_bytes,
        published=row.published,
    )
