"""Candidates: primaries that are offered, measured, and promoted or withdrawn. Measuring is for `measuring`."""

from sqlalchemy.orm import Session

from manyheads_hub.audit.log import Actor, record
from manyheads_hub.catalogue.lifecycle import check_reason
from manyheads_hub.errors import ConflictError, NotFoundError, NotReadyError
from manyheads_hub.evaluations import jobs
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.upgrades import queries
from manyheads_hub.upgrades.measuring import reset
from manyheads_hub.upgrades.tables import CandidateRow
from manyheads_shared import clock
from manyheads_shared.api import CandidateInfo
from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.digest import Digest


def check_new(session: Session, primary: PrimaryArtifact) -> None:
    """Check that a primary may be a candidate. One that is a candidate already may be offered again, and is measured again.

    Raises:
        NotReadyError: the hub has no primary yet.
        ConflictError: it was the hub's already, or another file has its name and version.
    """
    manifest = primary.manifest
    title = manifest.title
    if primaries.current(session) is None:
        raise NotReadyError("this hub has no primary yet; publish the first with `manyheads-hub publish-primary`")
    if primaries.find(session, primary.digest) is not None:
        raise ConflictError(f"primary {title} was this hub's before; `manyheads-hub rollback` goes back to the one before")
    named = queries.find_candidate_version(session, manifest.name, manifest.version)
    taken = primaries.find_version(session, manifest.name, manifest.version)
    if taken is not None or (named is not None and named.digest != primary.digest):
        raise ConflictError(
            f"another file is known as primary {title}; package this one under a new version, a name never changes its meaning"
        )


def offer(session: Session, actor: Actor, primary: PrimaryArtifact, size_bytes: int) -> int:
    """Take a candidate in, its file being in the blob store, and queue its measurement.

    Returns:
        The job that measures it.

    Raises:
        NotReadyError, ConflictError: as `check_new`.
    """
    check_new(session, primary)
    manifest = primary.manifest
    row = queries.find_candidate(session, primary.digest)
    if row is None:
        row = CandidateRow(
            digest=primary.digest,
            name=manifest.name,
            version=manifest.version,
            architecture=manifest.architecture,
            image_size=manifest.preprocessing.image_size,
            size_bytes=size_bytes,
            offered=clock.now(),
            state="waiting",
        )
        session.add(row)
        title = manifest.title
        record(session, actor, "candidate.offered", title, details={"primary": primary.digest})
    reset(row)
    return jobs.enqueue(session, "measure", primary.digest)


def withdraw(session: Session, actor: Actor, name: str, version: str, reason: str) -> None:
    """Let a candidate never be promoted.

    Raises:
        NotFoundError: no such candidate.
        ConflictError: it was promoted.
        InvalidRequestError: no reason, or one that is too long.
    """
    row = get_row(session, name, version)
    if row.state == "promoted":
        raise ConflictError(f"{name}@{version} was promoted; `manyheads-hub rollback` goes back to the primary before")
    row.state = "withdrawn"
    jobs.withdraw(session, "measure", row.digest, "the candidate was withdrawn")
    record(session, actor, "candidate.withdrawn", f"{name}@{version}", reason=check_reason(reason))


def get_row(session: Session, name: str, version: str) -> CandidateRow:
    """Return a candidate.

    Raises:
        NotFoundError: none of that name and version.
    """
    row = queries.find_candidate_version(session, name, version)
    if row is None:
        raise NotFoundError(f"no candidate {name}@{version}; offer it with `manyheads-hub candidate`")
    return row


def newest(session: Session) -> CandidateRow:
    """Return the candidate that was offered last.

    Raises:
        NotFoundError: there never was one.
    """
    rows = queries.candidates(session)
    if not rows:
        raise NotFoundError("this hub has no candidate; offer one with `manyheads-hub candidate FOLDER PRIMARY`")
    return rows[0]


def list_candidates(session: Session) -> list[CandidateInfo]:
    """Return every candidate there ever was, newest first."""
    return [to_info(row) for row in queries.candidates(session)]


def report_digest(session: Session, primary: Digest) -> Digest:
    """Return the digest of the signed retention report on a candidate or a promoted primary.

    Raises:
        NotFoundError: there is none.
    """
    candidate, published = queries.find_candidate(session, primary), primaries.find(session, primary)
    digest = published.retention if published else candidate.report if candidate else None
    if digest is None:
        raise NotFoundError(f"no retention report on primary {primary}; a candidate has one once it is measured")
    return digest


def to_info(row: CandidateRow) -> CandidateInfo:
    """Return a candidate as the API describes it."""
    fields = {name: getattr(row, name) for name in CandidateInfo.model_fields}
    return CandidateInfo.model_validate(fields)
