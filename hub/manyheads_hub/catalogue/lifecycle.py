"""What may become of a catalogued head: yanked, quarantined, released. Each with a reason, and in the audit log.

Yanking takes a head out of later bundles; it stays downloadable by digest, because reports cite it. Quarantine is for what may
do harm: nobody can download it until a maintainer releases it.
"""

from sqlalchemy.orm import Session

from manyheads_hub.audit.log import Actor, record
from manyheads_hub.catalogue import queries
from manyheads_hub.errors import ConflictError, InvalidRequestError, NotFoundError, QuarantinedError
from manyheads_hub.evaluations import jobs
from manyheads_hub.tables import HeadRow
from manyheads_shared.accounts import MAX_REASON_CHARACTERS, on_one_line
from manyheads_shared.digest import Digest


def get_head(session: Session, name: str, version: str) -> HeadRow:
    """Return a catalogued head.

    Raises:
        NotFoundError: none of that name and version.
    """
    row = queries.find_head(session, name, version)
    if row is None:
        raise NotFoundError(f"no head {name}@{version} in the catalogue; it lists every name@version")
    return row


def check_listed(session: Session, name: str, version: str) -> HeadRow:
    """Return a head that is listed, and so can be yanked.

    Raises:
        NotFoundError: no such head.
        ConflictError: it is not listed any more.
    """
    row = get_head(session, name, version)
    if row.state != "listed":
        raise ConflictError(f"{name}@{version} is {row.state} already: {row.reason}")
    return row


def check_loose(session: Session, name: str, version: str) -> HeadRow:
    """Return a head that is not quarantined, and so can be.

    Raises:
        NotFoundError: no such head.
        ConflictError: it is quarantined already.
    """
    row = get_head(session, name, version)
    if row.state == "quarantined":
        raise ConflictError(f"{name}@{version} is quarantined already: {row.reason}")
    return row


def check_quarantined(session: Session, name: str, version: str) -> HeadRow:
    """Return a head that is quarantined, and so can be released.

    Raises:
        NotFoundError: no such head.
        ConflictError: it is not quarantined.
    """
    row = get_head(session, name, version)
    if row.state != "quarantined":
        raise ConflictError(f"{name}@{version} is {row.state}, not quarantined; there is nothing to release")
    return row


def yank(session: Session, actor: Actor, name: str, version: str, reason: str) -> int:
    """Take a head out of every later bundle, and queue the next one. It stays downloadable by digest, with the reason.

    Returns:
        The job that publishes the next bundle.

    Raises:
        NotFoundError, ConflictError: as `check_listed`.
        InvalidRequestError: no reason, or one that is too long.
    """
    row = check_listed(session, name, version)
    row.state, row.reason = "yanked", check_reason(reason)
    record(session, actor, "head.yanked", f"{name}@{version}", reason=row.reason, details={"head": row.digest})
    return jobs.enqueue(session, "publish")


def quarantine(session: Session, actor: Actor, name: str, version: str, reason: str) -> int:
    """Let nobody download a head any more, keep it out of every later bundle, and queue the next one.

    Returns:
        The job that publishes the next bundle.

    Raises:
        NotFoundError, ConflictError: as `check_loose`.
        InvalidRequestError: no reason, or one that is too long.
    """
    row = check_loose(session, name, version)
    row.state_before, row.reason_before = row.state, row.reason
    row.state, row.reason = "quarantined", check_reason(reason)
    record(session, actor, "head.quarantined", f"{name}@{version}", reason=row.reason, details={"head": row.digest})
    return jobs.enqueue(session, "publish")


def release(session: Session, actor: Actor, name: str, version: str, reason: str) -> int:
    """Let a head out of quarantine, into the state it had; replaced, where another was listed for its generator meanwhile.

    Returns:
        The job that publishes the next bundle.

    Raises:
        NotFoundError, ConflictError: as `check_quarantined`.
        InvalidRequestError: no reason, or one that is too long.
    """
    row, reason = check_quarantined(session, name, version), check_reason(reason)
    row.state, row.reason = row.state_before or "listed", row.reason_before
    row.state_before = row.reason_before = None
    if row.state == "listed":
        for other in queries.listed_head_of(session, row.primary, row.generator):
            if other.digest != row.digest:
                row.state, row.reason = "replaced", f"replaced by {other.generator}@{other.version}"
    details = {"head": row.digest, "state": row.state}
    record(session, actor, "head.released", f"{name}@{version}", reason=reason, details=details)
    return jobs.enqueue(session, "publish")


def refuse_quarantined(session: Session, digest: Digest) -> None:
    """Check that an object is no quarantined head.

    Raises:
        QuarantinedError: it is one.
    """
    row = queries.find_by_digest(session, digest)
    if row is not None and row.state == "quarantined":
        raise QuarantinedError(f"head {row.generator}@{row.version} is quarantined and cannot be downloaded: {row.reason}")


def check_reason(reason: str) -> str:
    """Return a reason on one line.

    Raises:
        InvalidRequestError: there is none, it is too long, or it holds control characters.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= MAX_REASON_CHARACTERS:
        raise InvalidRequestError(f"expected a reason of 1 to {MAX_REASON_CHARACTERS} characters, got {len(reason)}")
    try:
        return on_one_line(reason)
    except ValueError as error:
        raise InvalidRequestError(f"reason: {error}") from error
