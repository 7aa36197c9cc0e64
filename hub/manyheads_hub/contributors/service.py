"""Enrolment: an owner, their public key, their generators, a token."""

import re
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from manyheads_hub.auth import issue_token
from manyheads_hub.errors import ConflictError, InvalidRequestError
from manyheads_hub.tables import ContributorRow, GeneratorRow, TokenRow
from manyheads_shared import clock
from manyheads_shared.errors import UsageError
from manyheads_shared.keys import parse_public_key, public_pem
from manyheads_shared.manifest import NAME_PATTERN


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


def enrol(session: Session, owner: str, public_key: str, generators: Sequence[str]) -> str:
    """Enrol a contributor and return their token. Enrolling the same owner again adds generators and replaces the token.

    Raises:
        SignatureError: the key is not an Ed25519 public key.
        ConflictError: the owner is enrolled with another key, the key is another owner's, or so is a generator.
        InvalidRequestError: the owner or a generator is no name.
    """
    for name in (owner, *generators):
        if not re.fullmatch(NAME_PATTERN, name):
            raise InvalidRequestError(f"expected a name of a-z, 0-9, '.', '_', '-' (64 at most), got {name!r}")
    key_id = parse_public_key(public_key).keyid
    contributor = session.scalars(select(ContributorRow).where(ContributorRow.owner == owner)).one_or_none()
    key_holder = session.scalars(select(ContributorRow).where(ContributorRow.key_id == key_id)).one_or_none()
    if contributor is not None and contributor.key_id != key_id:
        raise ConflictError(f"{owner} is enrolled with key {contributor.key_id[:12]}, this is key {key_id[:12]}")
    if key_holder is not None and key_holder.owner != owner:
        raise ConflictError(f"key {key_id[:12]} is enrolled for {key_holder.owner}; {owner} needs a key of their own")
    if contributor is None:
        contributor = ContributorRow(owner=owner, key_id=key_id, public_key=public_key, enrolled=clock.now())
        session.add(contributor)
        session.flush()
    for name in generators:
        _assign(session, contributor, name)
    session.execute(delete(TokenRow).where(TokenRow.contributor_id == contributor.id))
    return issue_token(session, contributor.id)


def _assign(session: Session, contributor: ContributorRow, name: str) -> None:
    row = session.get(GeneratorRow, name)
    if row is None:
        session.add(GeneratorRow(name=name, contributor_id=contributor.id))
        session.flush()
    elif row.contributor_id != contributor.id:
        raise ConflictError(f"generator {name} is enrolled for another owner; a generator has one owner")
