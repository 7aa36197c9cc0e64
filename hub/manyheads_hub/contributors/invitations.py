"""Invitations: an owner enrols a key of their own, once, and proves that they hold it by signing the hub's nonce."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from manyheads_hub.accounts import service as accounts
from manyheads_hub.accounts.tables import InvitationRow
from manyheads_hub.accounts.tokens import new_secret
from manyheads_hub.audit.log import Actor, record
from manyheads_hub.auth import digest_secret
from manyheads_hub.contributors import service
from manyheads_hub.errors import ConflictError, InvalidRequestError, UnauthorisedError
from manyheads_shared import clock
from manyheads_shared.accounts import Enrolled, EnrolmentInfo
from manyheads_shared.key_proof import verify_key_proof

INVITATION_PREFIX = "mhi_"
INVITATION_DAYS = 7


def invite(session: Session, actor: Actor, owner: str, generators: Sequence[str], *, days: int = INVITATION_DAYS) -> str:
    """Invite an owner, and return the code that they enrol with: the only moment it can be read.

    Raises:
        InvalidRequestError: the owner or a generator is no name.
        ConflictError: the name is taken, or a generator is enrolled for another owner.
    """
    accounts.refuse_bad_name(owner)
    accounts.refuse_reserved(owner)
    if accounts.find(session, owner) is not None:
        raise ConflictError(f"{owner} has an account here; give them another key with `manyheads-hub owner-keys replace`")
    for name in generators:
        service.refuse_foreign_generator(session, None, name)
    code, now = new_secret(INVITATION_PREFIX), clock.now()
    row = InvitationRow(
        sha256=digest_secret(code),
        owner=owner,
        generators=sorted(set(generators)),
        nonce=secrets.token_hex(32),
        created=now,
        expires=clock.write_time(clock.read_time(now) + timedelta(days=days)),
    )
    session.add(row)
    record(session, actor, "owner.invited", owner, details={"generators": row.generators, "expires": row.expires})
    return code


def describe(session: Session, code: str | None, hub: str) -> EnrolmentInfo:
    """Return what an invitation is for.

    Raises:
        UnauthorisedError: it is none, was used, or has expired.
    """
    row = _find(session, code)
    return EnrolmentInfo(hub=hub, owner=row.owner, generators=row.generators, nonce=row.nonce, expires=row.expires)


def accept(session: Session, code: str | None, hub: str, proof: bytes) -> Enrolled:
    """Enrol an invited owner with a key that they prove to hold.

    The plan: (1) a good invitation; (2) a proof by the new key alone, (3) for this hub, this owner and the nonce; (4) enrolled,
    and the invitation used up, in one transaction.

    Raises:
        UnauthorisedError: step 1 fails.
        FormatError, VerificationError: step 2 fails.
        InvalidRequestError: step 3 fails.
        ConflictError: step 4 fails: the name, the key or a generator was taken meanwhile.
    """
    # step 1
    row = _find(session, code)
    # step 2
    checked = verify_key_proof(proof)
    # step 3
    if (checked.hub, checked.owner, checked.nonce) != (hub, row.owner, row.nonce):
        raise InvalidRequestError(
            f"expected a proof for {row.owner} at {hub} with the nonce of this invitation; ask for it again, and sign that"
        )
    # step 4
    row.used = clock.now()
    issued = service.enrol(session, Actor(row.owner), row.owner, checked.public_key, row.generators, proven=True)
    key_id = service.get_contributor(session, row.owner).key_id
    return Enrolled(owner=row.owner, key_id=key_id, generators=row.generators, token=issued)


def forget_expired(session: Session, before: str) -> int:
    """Drop the invitations that ran out before a time, used or not; return how many."""
    return len(session.scalars(delete(InvitationRow).where(InvitationRow.expires < before).returning(InvitationRow.id)).all())


def _find(session: Session, code: str | None) -> InvitationRow:
    if code is None:
        raise UnauthorisedError(
            "expected the header `Authorization: Bearer mhi_…`, got none; ask the hub's maintainer to invite you"
        )
    row = session.scalars(select(InvitationRow).where(InvitationRow.sha256 == digest_secret(code))).one_or_none()
    if row is None:
        raise UnauthorisedError("this invitation is not known here; is it another hub's? Ask the maintainer")
    if row.used is not None:
        raise UnauthorisedError(f"this invitation was used on {row.used}; if that was not you, tell the maintainer at once")
    if row.expires <= clock.now():
        raise UnauthorisedError(f"this invitation expired on {row.expires}; ask the hub's maintainer for another")
    return row
