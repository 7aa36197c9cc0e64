"""Signing in to the pages: a browser holds 256 random bits in a cookie, the hub their digest and the token behind them.

A session can what its token can, ends with it, and with the working day. The API takes no session: a cookie is sent by
whichever page makes the browser ask, a header is not.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from manyheads_hub.accounts.tables import SessionRow
from manyheads_hub.accounts.tokens import new_secret
from manyheads_hub.audit.log import record
from manyheads_hub.auth import Holder, authenticate, authenticate_by_id, digest_secret, note_use
from manyheads_hub.errors import UnauthorisedError
from manyheads_shared import clock

SESSION_HOURS = 8
_PREFIX = "mhs_"


@dataclass(frozen=True)
class SignedIn:
    """Who signed in, and what their forms must carry."""

    holder: Holder
    form_token: str


def sign_in(session: Session, token: str) -> str:
    """Begin a session for whoever holds a token; return what the cookie is to hold.

    Raises:
        UnauthorisedError: the token is not good.
    """
    holder = authenticate(session, token)
    secret, now = new_secret(_PREFIX), clock.now()
    session.execute(delete(SessionRow).where(SessionRow.expires <= now))
    expires = clock.write_time(clock.read_time(now) + timedelta(hours=SESSION_HOURS))
    session.add(SessionRow(sha256=digest_secret(secret), token_id=holder.token_id, created=now, expires=expires))
    note_use(session, holder)
    record(session, holder.actor, "session.opened", holder.name)
    return secret


def find_signed_in(session: Session, secret: str) -> SignedIn | None:
    """Return who signed in with a cookie; None where that is over, or never was."""
    row = session.get(SessionRow, digest_secret(secret))
    if row is None or row.expires <= clock.now():
        return None
    try:
        return SignedIn(authenticate_by_id(session, row.token_id), form_token_of(secret))
    except UnauthorisedError:
        return None


def sign_out(session: Session, secret: str, signed_in: SignedIn) -> None:
    """End a session."""
    session.execute(delete(SessionRow).where(SessionRow.sha256 == digest_secret(secret)))
    record(session, signed_in.holder.actor, "session.closed", signed_in.holder.name)


def form_token_of(secret: str) -> str:
    """Return what proves that a form came from a page this browser was given: nobody else can compute it."""
    return hashlib.sha256(b"form " + secret.encode()).hexdigest()


def is_form_token(secret: str, given: str) -> bool:
    """Whether a form carries what it must."""
    return secrets.compare_digest(form_token_of(secret).encode(), given.encode())
