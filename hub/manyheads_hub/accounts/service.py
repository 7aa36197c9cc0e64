"""Accounts: opened, described, closed. A name is never given to anyone else, however its account ends."""

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from manyheads_hub.accounts import tokens
from manyheads_hub.accounts.tables import AccountRow, TokenRow
from manyheads_hub.audit.log import WORKER, Actor, record
from manyheads_hub.auth import Holder, to_caller
from manyheads_hub.errors import ConflictError, InvalidRequestError, NotFoundError
from manyheads_shared import clock
from manyheads_shared.accounts import AccountInfo, Role
from manyheads_shared.manifest import NAME_PATTERN


def open_account(session: Session, actor: Actor, name: str, role: Role, *, contributor_id: int | None = None) -> AccountRow:
    """Open an account.

    Raises:
        InvalidRequestError: the name is none, or the hub's own.
        ConflictError: somebody has it, or had it.
    """
    refuse_bad_name(name)
    refuse_reserved(name)
    taken = find(session, name)
    if taken is not None:
        state = "is" if taken.closed is None else "was"
        raise ConflictError(f"{name} {state} the account of a {taken.role}; a name is never given twice, choose another")
    account = AccountRow(name=name, role=role, contributor_id=contributor_id, opened=clock.now())
    session.add(account)
    session.flush()
    record(session, actor, "account.opened", name, details={"role": role})
    return account


def close_account(session: Session, actor: Actor, name: str, reason: str) -> None:
    """Close an account: its tokens open nothing any more. Heads it owns stay as they are; its names stay taken.

    Raises:
        NotFoundError: no such account.
        ConflictError: it is closed already.
    """
    account = get(session, name)
    if account.closed is not None:
        raise ConflictError(f"the account {name} was closed on {account.closed} already: {account.reason}")
    tokens.revoke_all(session, actor, account.id, reason)
    account.closed, account.reason = clock.now(), reason
    record(session, actor, "account.closed", name, reason=reason)


def list_accounts(session: Session) -> list[AccountRow]:
    """Return every account, by name."""
    return list(session.scalars(select(AccountRow).order_by(AccountRow.name)))


def find(session: Session, name: str) -> AccountRow | None:
    """Return the account of a name; None where there is none."""
    return session.scalars(select(AccountRow).where(AccountRow.name == name)).one_or_none()


def get(session: Session, name: str) -> AccountRow:
    """Return the account of a name.

    Raises:
        NotFoundError: there is none.
    """
    account = find(session, name)
    if account is None:
        raise NotFoundError(f"no account {name!r}; `manyheads-hub accounts list` names every one")
    return account


def describe(session: Session, holder: Holder, hub: str) -> AccountInfo:
    """Return who a token stands for, and what it may."""
    caller = None if holder.contributor_id is None else to_caller(session, holder)
    token = tokens.to_info(session.get_one(TokenRow, holder.token_id))
    return AccountInfo(
        hub=hub,
        name=holder.name,
        role=holder.role,
        scopes=token.scopes,
        generators=sorted(caller.generators) if caller else [],
        key_id=caller.key_id if caller else None,
        token=token,
    )


def refuse_bad_name(name: str) -> None:
    """Check that a name is one.

    Raises:
        InvalidRequestError: it is not.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidRequestError(f"expected a name of a-z, 0-9, '.', '_', '-' (64 at most), got {name!r}")


def refuse_reserved(name: str) -> None:
    """Check that a name is not one that the hub itself acts by: in the audit log the two could not be told apart.

    Raises:
        InvalidRequestError: it is.
    """
    if name == WORKER.name:
        raise InvalidRequestError(f"expected another name than {name!r}: the audit log calls the hub's own worker so")
