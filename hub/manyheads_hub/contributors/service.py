"""Enrolment: an owner, their public key, their generators, a token."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from manyheads_hub.accounts import service as accounts
from manyheads_hub.accounts import tokens
from manyheads_hub.accounts.tables import AccountRow
from manyheads_hub.audit.log import Actor, record
from manyheads_hub.contributors import keys
from manyheads_hub.errors import ConflictError
from manyheads_hub.tables import ContributorRow, GeneratorRow
from manyheads_shared import clock
from manyheads_shared.accounts import IssuedToken
from manyheads_shared.errors import UsageError
from manyheads_shared.keys import parse_public_key, public_pem

ENROLMENT = "enrolment"  # the label of the token that comes with it


def read_public_key(path: Path) -> str:
    """Read a public key file.

    Raises:
        UsageError: it cannot be read.
        SignatureError: it holds no Ed25519 public key.
    """
    try:
        pem = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a public key: {error}") from error
    return public_pem(parse_public_key(pem))


def enrol(
    session: Session, actor: Actor, owner: str, public_key: str, generators: Sequence[str], *, proven: bool = False
) -> IssuedToken:
    """Enrol a contributor and issue their token. Enrolling the same owner again adds generators and replaces every token.

    Args:
        proven: whether the owner showed that they hold the key's private half.

    Raises:
        SignatureError: the key is not an Ed25519 public key.
        ConflictError: the owner is enrolled with another key, the key was another owner's, a generator is another owner's, or
            the name is somebody's who is no owner.
        InvalidRequestError: the owner or a generator is no name.
    """
    for name in (owner, *generators):
        accounts.refuse_bad_name(name)
    contributor = find_contributor(session, owner)
    key_id = parse_public_key(public_key).keyid
    if contributor is None:
        contributor = _add(session, actor, owner, public_key, proven=proven)
    elif contributor.key_id != key_id:
        raise ConflictError(
            f"{owner} is enrolled with key {contributor.key_id[:12]}, this is key {key_id[:12]}; "
            "a key is changed by `manyheads-contributor key rotate` or `manyheads-hub owner-keys replace`"
        )
    for name in generators:
        _assign(session, actor, contributor, name)
    account = session.scalars(select(AccountRow).where(AccountRow.contributor_id == contributor.id)).one()
    tokens.revoke_all(session, actor, account.id, "replaced by another enrolment")
    return tokens.issue_token(session, actor, account, label=ENROLMENT)


def find_contributor(session: Session, owner: str) -> ContributorRow | None:
    """Return an owner's row; None where there is none."""
    return session.scalars(select(ContributorRow).where(ContributorRow.owner == owner)).one_or_none()


def get_contributor(session: Session, owner: str) -> ContributorRow:
    """Return an owner's row, which is there."""
    return session.scalars(select(ContributorRow).where(ContributorRow.owner == owner)).one()


def refuse_foreign_generator(session: Session, contributor: ContributorRow | None, name: str) -> None:
    """Check that a generator is nobody's, or this contributor's: a name belongs to its owner for ever.

    Raises:
        InvalidRequestError: it is no name.
        ConflictError: it is another's, or was.
    """
    accounts.refuse_bad_name(name)
    row = session.get(GeneratorRow, name)
    if row is not None and (contributor is None or row.contributor_id != contributor.id):
        raise ConflictError(f"generator {name} is enrolled for another owner; a generator has one owner")


def _add(session: Session, actor: Actor, owner: str, public_key: str, *, proven: bool) -> ContributorRow:
    key = parse_public_key(public_key)
    holder = session.scalars(select(ContributorRow).where(ContributorRow.key_id == key.keyid)).one_or_none()
    if holder is not None:
        raise ConflictError(f"key {key.keyid[:12]} is enrolled for {holder.owner}; {owner} needs a key of their own")
    contributor = ContributorRow(owner=owner, key_id=key.keyid, public_key=public_pem(key), enrolled=clock.now())
    session.add(contributor)
    session.flush()
    accounts.open_account(session, actor, owner, "owner", contributor_id=contributor.id)
    keys.enrol_key(session, actor, contributor, proven=proven)
    return contributor


def _assign(session: Session, actor: Actor, contributor: ContributorRow, name: str) -> None:
    refuse_foreign_generator(session, contributor, name)
    if session.get(GeneratorRow, name) is None:
        session.add(GeneratorRow(name=name, contributor_id=contributor.id))
        record(session, actor, "generator.enrolled", name, details={"owner": contributor.owner})
