"""Owners' keys: enrolled, replaced, revoked, and never given twice.

What a key signed stays as it is. A bundle names each head's own key, so heads signed before a rotation go on verifying; those
a stolen key may have signed are yanked one by one, or all at once (`heads_signed_by`).
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from manyheads_hub.accounts.tables import OwnerKeyRow
from manyheads_hub.audit.log import Actor, record
from manyheads_hub.auth import Caller
from manyheads_hub.errors import ConflictError, ForbiddenError, InvalidRequestError, NotFoundError
from manyheads_hub.tables import ContributorRow, HeadRow, SubmissionRow
from manyheads_shared import clock
from manyheads_shared.accounts import KeyInfo
from manyheads_shared.key_proof import verify_key_proof
from manyheads_shared.keys import parse_public_key, public_pem


def enrol_key(
    session: Session,
    actor: Actor,
    contributor: ContributorRow,
    *,
    proven: bool,
    action: str = "key.enrolled",
    reason: str | None = None,
) -> None:
    """Note a contributor's present key as theirs; the one before, if any, is replaced.

    Args:
        proven: whether the owner showed that they hold its private half.

    Raises:
        ConflictError: the key was somebody's before, were it the same owner's.
    """
    key_id, now = contributor.key_id, clock.now()
    refuse_used(session, key_id)
    before = _present(session, contributor.id)
    if before is not None:
        before.replaced, before.reason = now, before.reason or reason
    session.add(OwnerKeyRow(key_id=key_id, contributor_id=contributor.id, public_key=contributor.public_key, enrolled=now))
    details = {"key": key_id, "replaces": before.key_id if before else None, "proven": proven}
    record(session, actor, action, contributor.owner, reason=reason, details=details)


def rotate(session: Session, caller: Caller, hub: str, proof: bytes) -> KeyInfo:
    """Replace a contributor's key by one that proves its possession, signed for by the present one.

    The plan: (1) the present key is not revoked; (2) a proof by both keys, (3) for this hub and this owner; (4) a new key.

    Raises:
        ForbiddenError: step 1 fails.
        FormatError, VerificationError: step 2 fails.
        InvalidRequestError: step 3 fails.
        ConflictError: step 4 fails.
    """
    # step 1
    refuse_revoked(session, caller)
    # step 2
    checked = verify_key_proof(proof, replaces=parse_public_key(caller.public_key))
    # step 3
    if (checked.hub, checked.owner) != (hub, caller.owner):
        raise InvalidRequestError(
            f"expected a proof for {caller.owner} at {hub}, got one for {checked.owner} at {checked.hub}; sign again for here"
        )
    # step 4
    contributor = session.get_one(ContributorRow, caller.contributor_id)
    set_key(session, contributor, checked.public_key)
    enrol_key(session, caller.actor, contributor, proven=True, action="key.rotated")
    return get_key(session, contributor.key_id)


def replace(session: Session, actor: Actor, owner: str, public_key: str, reason: str) -> KeyInfo:
    """Replace an owner's key without the one before: it is lost, or revoked. A maintainer answers for who they are.

    Raises:
        SignatureError: the key is not an Ed25519 public key.
        NotFoundError: no such owner.
        ConflictError: the key was enrolled before.
    """
    contributor = session.scalars(select(ContributorRow).where(ContributorRow.owner == owner)).one_or_none()
    if contributor is None:
        raise NotFoundError(f"no owner {owner!r} is enrolled here")
    set_key(session, contributor, public_key)
    enrol_key(session, actor, contributor, proven=False, action="key.rotated", reason=reason)
    return get_key(session, contributor.key_id)


def revoke(session: Session, actor: Actor, key_id: str, reason: str, *, contributor_id: int | None = None) -> KeyInfo:
    """Revoke a key: it signs nothing here from now on. What it signed before stays, until it is yanked.

    Args:
        contributor_id: whose it must be.

    Raises:
        NotFoundError: no such key of that contributor.
        ConflictError: it was revoked before.
    """
    row = session.get(OwnerKeyRow, key_id)
    if row is None or contributor_id not in (None, row.contributor_id):
        raise NotFoundError(f"no key {key_id[:64]!r}{' of yours' if contributor_id is not None else ''}")
    if row.revoked is not None:
        raise ConflictError(f"key {key_id[:12]} was revoked on {row.revoked} already: {row.reason}")
    row.revoked, row.reason = clock.now(), reason
    owner = session.get_one(ContributorRow, row.contributor_id).owner
    signed = [f"{head.generator}@{head.version}" for head in heads_signed_by(session, key_id)]
    record(session, actor, "key.revoked", owner, reason=reason, details={"key": key_id, "heads": signed})
    return to_info(row)


def refuse_used(session: Session, key_id: str) -> None:
    """Check that a key was never enrolled, for nobody.

    Raises:
        ConflictError: it was.
    """
    used = session.get(OwnerKeyRow, key_id)
    if used is not None:
        holder = session.get_one(ContributorRow, used.contributor_id).owner
        raise ConflictError(
            f"key {key_id[:12]} was enrolled for {holder} on {used.enrolled}; a key is enrolled once, make a new one"
        )


def refuse_revoked(session: Session, caller: Caller) -> None:
    """Check that a contributor's present key may sign.

    Raises:
        ForbiddenError: it was revoked.
    """
    row = session.get(OwnerKeyRow, caller.key_id)
    if row is not None and row.revoked is not None:
        raise ForbiddenError(
            f"key {caller.key_id[:12]} of {caller.owner} was revoked on {row.revoked}: {row.reason}; "
            "ask the hub's maintainer to enrol another"
        )


def heads_signed_by(session: Session, key_id: str) -> list[HeadRow]:
    """Return the catalogued heads that a key vouched for, by generator."""
    query = select(HeadRow).join(SubmissionRow, SubmissionRow.id == HeadRow.submission_id)
    return list(session.scalars(query.where(SubmissionRow.owner_key == key_id).order_by(HeadRow.generator, HeadRow.version)))


def list_keys(session: Session, contributor_id: int | None = None) -> list[tuple[str, KeyInfo]]:
    """Return keys with their owners' names, newest first, of one contributor or all."""
    query = select(ContributorRow.owner, OwnerKeyRow).join(ContributorRow, ContributorRow.id == OwnerKeyRow.contributor_id)
    if contributor_id is not None:
        query = query.where(OwnerKeyRow.contributor_id == contributor_id)
    rows = session.execute(query.order_by(OwnerKeyRow.enrolled.desc(), OwnerKeyRow.replaced.is_not(None)))
    return [(owner, to_info(row)) for owner, row in rows]


def get_key(session: Session, key_id: str) -> KeyInfo:
    """Return one key, which is there."""
    return to_info(session.get_one(OwnerKeyRow, key_id))


def set_key(session: Session, contributor: ContributorRow, public_key: str) -> None:
    """Make a key a contributor's present one; `enrol_key` notes it.

    Raises:
        SignatureError: it is no Ed25519 public key.
        ConflictError: it was enrolled before.
    """
    key = parse_public_key(public_key)
    refuse_used(session, key.keyid)
    contributor.key_id, contributor.public_key = key.keyid, public_pem(key)


def to_info(row: OwnerKeyRow) -> KeyInfo:
    """Return a key as it is told."""
    return KeyInfo.model_validate({name: getattr(row, name) for name in KeyInfo.model_fields})


def _present(session: Session, contributor_id: int) -> OwnerKeyRow | None:
    query = select(OwnerKeyRow).where(OwnerKeyRow.contributor_id == contributor_id, OwnerKeyRow.replaced.is_(None))
    with session.no_autoflush:
        return session.scalars(query).one_or_none()
