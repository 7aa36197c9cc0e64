"""Who holds a token, and what it lets them do. Issuing and revoking tokens is for `accounts.tokens`."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from manyheads_hub.accounts.tables import AccountRow, TokenRow
from manyheads_hub.audit.log import Actor
from manyheads_hub.errors import ForbiddenError, ScopeError, UnauthorisedError
from manyheads_hub.tables import ContributorRow, GeneratorRow
from manyheads_shared import clock
from manyheads_shared.accounts import Role, Scope

_LAST_USED_STEP = timedelta(minutes=1)  # not a write for every request


@dataclass(frozen=True)
class Holder:
    """The account behind a token, and what the token is good for."""

    account_id: int
    name: str
    role: Role
    scopes: frozenset[Scope]
    token_id: int
    token_generators: frozenset[str] | None  # the only ones it is good for; None: all of the owner's
    token_expires: str
    token_used: str | None  # last time
    contributor_id: int | None  # an owner's

    @property
    def actor(self) -> Actor:
        """The holder, as the audit log names them."""
        return Actor(self.name, self.token_id)

    def require(self, scope: Scope) -> None:
        """Check that the token has a scope.

        Raises:
            ScopeError: it has not.
        """
        if scope not in self.scopes:
            have = ", ".join(sorted(self.scopes)) or "none"
            raise ScopeError(f"expected a token with the scope {scope!r}, this one of {self.name} has: {have}")


@dataclass(frozen=True)
class Caller:
    """An owner behind a token: a contributor, their key, and the generators that the token is good for."""

    contributor_id: int
    owner: str
    public_key: str  # PEM
    key_id: str
    generators: frozenset[str]  # names
    actor: Actor


def authenticate(session: Session, token: str | None) -> Holder:
    """Return who holds a token.

    Raises:
        UnauthorisedError: none came, none such is known, it has expired or was revoked, or its account is closed.
    """
    if token is None:
        raise UnauthorisedError(
            "expected the header `Authorization: Bearer mh_…`, got none; ask the hub's maintainer for a token"
        )
    found = session.execute(_holders().where(TokenRow.sha256 == digest_secret(token))).one_or_none()
    if found is None:
        raise UnauthorisedError("this token is not known here; is it another hub's? Ask the maintainer")
    return check_holder(*found)


def authenticate_by_id(session: Session, token_id: int) -> Holder:
    """Return who holds a token that somebody signed in with.

    Raises:
        UnauthorisedError: as `authenticate`.
    """
    return check_holder(*session.execute(_holders().where(TokenRow.id == token_id)).one())


def check_holder(token: TokenRow, account: AccountRow) -> Holder:
    """Return the holder of a token that is still good.

    Raises:
        UnauthorisedError: it was revoked, has expired, or its account is closed.
    """
    if token.revoked is not None:
        raise UnauthorisedError(f"this token was revoked on {token.revoked}: {token.reason}")
    if token.expires <= clock.now():
        raise UnauthorisedError(f"this token expired on {token.expires}; ask the hub's maintainer for another")
    if account.closed is not None:
        raise UnauthorisedError(f"the account {account.name} was closed on {account.closed}: {account.reason}")
    return Holder(
        account_id=account.id,
        name=account.name,
        role=cast("Role", account.role),
        scopes=frozenset(cast("list[Scope]", token.scopes)),
        token_id=token.id,
        token_generators=None if token.generators is None else frozenset(token.generators),
        token_expires=token.expires,
        token_used=token.last_used,
        contributor_id=account.contributor_id,
    )


def to_caller(session: Session, holder: Holder) -> Caller:
    """Return the contributor that a holder is.

    Raises:
        ForbiddenError: they own no generators.
    """
    if holder.contributor_id is None:
        raise ForbiddenError(f"{holder.name} is a {holder.role} of this hub; only owners of generators may do this")
    contributor = session.get_one(ContributorRow, holder.contributor_id)
    owned = session.scalars(select(GeneratorRow.name).where(GeneratorRow.contributor_id == contributor.id))
    limits = holder.token_generators
    generators = frozenset(name for name in owned if limits is None or name in limits)
    return Caller(contributor.id, contributor.owner, contributor.public_key, contributor.key_id, generators, holder.actor)


def needs_note(holder: Holder) -> bool:
    """Whether the token's last use lies long enough back to note a new one."""
    if holder.token_used is None:
        return True
    return clock.read_time(clock.now()) - clock.read_time(holder.token_used) >= _LAST_USED_STEP


def note_use(session: Session, holder: Holder) -> None:
    """Note that a token was used now."""
    row = session.get(TokenRow, holder.token_id)
    if row is not None:
        row.last_used = clock.now()


def digest_secret(secret: str) -> str:
    """Return what the hub keeps of a token, an invitation or a session."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _holders() -> Select[TokenRow, AccountRow]:
    return select(TokenRow, AccountRow).join(AccountRow, AccountRow.id == TokenRow.account_id)
