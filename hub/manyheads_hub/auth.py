"""Bearer tokens: opaque, shown once, stored as SHA-256, limited to one contributor and its generators."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from manyheads_hub.errors import UnauthorisedError
from manyheads_hub.tables import ContributorRow, GeneratorRow, TokenRow
from manyheads_shared import clock

TOKEN_PREFIX = "mh_"  # noqa: S105 - lets secret scanners find a leaked token
TOKEN_DAYS = 365
_RANDOM_BYTES = 32  # 43 url-safe characters
_LAST_USED_STEP = timedelta(minutes=1)  # not a write for every request


@dataclass(frozen=True)
class Caller:
    """The contributor behind a token."""

    contributor_id: int
    owner: str
    public_key: str  # PEM
    generators: frozenset[str]  # names
    token_id: int
    token_used: str | None  # last time


def issue_token(session: Session, contributor_id: int) -> str:
    """Make a token for a contributor and return it: the only moment it can be read."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    now = clock.now()
    expires = clock.write_time(clock.read_time(now) + timedelta(days=TOKEN_DAYS))
    session.add(TokenRow(contributor_id=contributor_id, sha256=_sha256(token), created=now, expires=expires, last_used=None))
    return token


def authenticate(session: Session, token: str | None) -> Caller:
    """Return who holds a token.

    Raises:
        UnauthorisedError: none came, none such is known, or it has expired.
    """
    if token is None:
        raise UnauthorisedError(
            "expected the header `Authorization: Bearer mh_…`, got none; ask the hub's maintainer for a token"
        )
    row = session.execute(
        select(TokenRow, ContributorRow)
        .join(ContributorRow, ContributorRow.id == TokenRow.contributor_id)
        .where(TokenRow.sha256 == _sha256(token))
    ).one_or_none()
    if row is None:
        raise UnauthorisedError(
            "this token is not known here; was another issued since, or is it another hub's? Ask the maintainer"
        )
    known, contributor = row
    if known.expires <= clock.now():
        raise UnauthorisedError(f"this token expired on {known.expires}; ask the hub's maintainer for another")
    generators = session.scalars(select(GeneratorRow.name).where(GeneratorRow.contributor_id == contributor.id))
    return Caller(contributor.id, contributor.owner, contributor.public_key, frozenset(generators), known.id, known.last_used)


def needs_note(caller: Caller) -> bool:
    """Whether the token's last use lies long enough back to note a new one."""
    if caller.token_used is None:
        return True
    return clock.read_time(clock.now()) - clock.read_time(caller.token_used) >= _LAST_USED_STEP


def note_use(session: Session, caller: Caller) -> None:
    """Note that a token was used now."""
    row = session.get(TokenRow, caller.token_id)
    if row is not None:
        row.last_used = clock.now()


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
