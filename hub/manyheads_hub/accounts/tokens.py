"""Tokens: issued once, limited by scope, generator and time, listed, revoked. A token can only issue a weaker one."""

import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from manyheads_hub.accounts.roles import ROLES, order_scopes, refuse_scopes
from manyheads_hub.accounts.tables import AccountRow, TokenRow
from manyheads_hub.audit.log import Actor, record
from manyheads_hub.auth import Holder, digest_secret
from manyheads_hub.errors import ConflictError, ForbiddenError, InvalidRequestError, NotFoundError, ScopeError
from manyheads_hub.tables import MAX_NUMBER, GeneratorRow
from manyheads_shared import clock
from manyheads_shared.accounts import MAX_TOKEN_DAYS, IssuedToken, Role, Scope, TokenInfo, TokenRequest

TOKEN_PREFIX = "mh_"  # noqa: S105 - lets secret scanners find a leaked token
RANDOM_BYTES = 32  # 43 url-safe characters


def new_secret(prefix: str) -> str:
    """Return 256 random bits behind a prefix."""
    return prefix + secrets.token_urlsafe(RANDOM_BYTES)


def issue_token(
    session: Session,
    actor: Actor,
    account: AccountRow,
    *,
    label: str,
    scopes: Collection[Scope] | None = None,
    generators: Collection[str] | None = None,
    days: int = MAX_TOKEN_DAYS,
) -> IssuedToken:
    """Make a token for an account and return it: the only moment it can be read.

    Args:
        scopes: none named: everything that the account's role may hold, but what reaches beyond `generators`.
        generators: the only ones it will be good for.

    Raises:
        ForbiddenError: the role may not hold a scope, or a generator is another owner's.
        InvalidRequestError: scopes that reach beyond the generators, or more days than a token may live.
        ConflictError: the account is closed.
    """
    if account.closed is not None:
        raise ConflictError(f"the account {account.name} was closed on {account.closed}; it gets no tokens")
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise InvalidRequestError(f"expected 1 to {MAX_TOKEN_DAYS} days, got {days}")
    role = cast("Role", account.role)
    if scopes is None:
        scopes = ROLES[role] if generators is None else ROLES[role] & {"read", "submit"}
    refuse_scopes(role, scopes, generators)
    if generators is not None:
        _refuse_foreign(session, account, generators)
    token, now = new_secret(TOKEN_PREFIX), clock.now()
    row = TokenRow(
        account_id=account.id,
        sha256=digest_secret(token),
        label=label,
        scopes=order_scopes(scopes),
        generators=None if generators is None else sorted(set(generators)),
        created=now,
        expires=clock.write_time(clock.read_time(now) + timedelta(days=days)),
    )
    session.add(row)
    session.flush()
    info = to_info(row)
    details = info.model_dump(mode="json", include={"id", "label", "scopes", "generators", "expires"})
    record(session, actor, "token.issued", account.name, details=details)
    return IssuedToken(token=token, info=info)


def issue_own(session: Session, holder: Holder, request: TokenRequest) -> IssuedToken:
    """Make a token for whoever asks: one that can no more, reaches no further and lives no longer than theirs.

    Raises:
        ScopeError: it would have a scope that theirs lacks.
        InvalidRequestError: it would outlive theirs.
        ForbiddenError, InvalidRequestError: as `issue_token`.
    """
    if beyond := order_scopes(set(request.scopes) - holder.scopes):
        raise ScopeError(f"a token issues no stronger one: yours lacks {', '.join(beyond)}")
    left = clock.read_time(holder.token_expires) - clock.read_time(clock.now())
    if timedelta(days=request.days) > left:
        raise InvalidRequestError(
            f"a token issues none that outlives it: yours has {left.days} days left, {request.days} were asked for; "
            "the hub's maintainer renews"
        )
    return issue_token(
        session,
        holder.actor,
        session.get_one(AccountRow, holder.account_id),
        label=request.label,
        scopes=request.scopes,
        generators=request.generators,
        days=request.days,
    )


def list_tokens(session: Session, account_id: int | None = None) -> list[tuple[str, TokenInfo]]:
    """Return tokens with their accounts' names, newest first, of one account or all."""
    query = select(AccountRow.name, TokenRow).join(AccountRow, AccountRow.id == TokenRow.account_id)
    if account_id is not None:
        query = query.where(TokenRow.account_id == account_id)
    return [(name, to_info(row)) for name, row in session.execute(query.order_by(TokenRow.id.desc()))]


def revoke_token(session: Session, actor: Actor, token_id: int, reason: str, *, account_id: int | None = None) -> TokenInfo:
    """Revoke a token: it opens nothing from this moment, nor do the sessions signed in with it.

    Args:
        account_id: whose it must be.

    Raises:
        NotFoundError: no such token of that account.
        ConflictError: it was revoked before.
    """
    row = session.get(TokenRow, token_id) if 0 < token_id <= MAX_NUMBER else None
    if row is None or account_id not in (None, row.account_id):
        raise NotFoundError(f"no token {token_id}{' of yours' if account_id is not None else ''}")
    if row.revoked is not None:
        raise ConflictError(f"token {token_id} was revoked on {row.revoked} already: {row.reason}")
    row.revoked, row.reason = clock.now(), reason
    name = session.get_one(AccountRow, row.account_id).name
    record(session, actor, "token.revoked", name, reason=reason, details={"id": row.id, "label": row.label})
    return to_info(row)


def revoke_all(session: Session, actor: Actor, account_id: int, reason: str) -> None:
    """Revoke every token of an account that still is good for something."""
    now = clock.now()
    live = select(TokenRow.id).where(TokenRow.account_id == account_id, TokenRow.revoked.is_(None), TokenRow.expires > now)
    for token_id in session.scalars(live.order_by(TokenRow.id)).all():
        revoke_token(session, actor, token_id, reason)


def to_info(row: TokenRow) -> TokenInfo:
    """Return what may be told of a token."""
    return TokenInfo.model_validate({name: getattr(row, name) for name in TokenInfo.model_fields})


def _refuse_foreign(session: Session, account: AccountRow, generators: Collection[str]) -> None:
    owned = set(session.scalars(select(GeneratorRow.name).where(GeneratorRow.contributor_id == account.contributor_id)))
    if foreign := sorted(set(generators) - owned):
        raise ForbiddenError(f"{foreign[0]} is no generator of {account.name}; theirs: {', '.join(sorted(owned)) or 'none'}")
