"""The tables of accounts: people, their tokens and sessions, invitations, and the keys that owners sign with."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from manyheads_hub.tables import Table


class AccountRow(Table):
    """Somebody who may ask this hub for something. Never deleted: a name belongs to one person for ever."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]  # shared accounts.Role
    contributor_id: Mapped[int | None] = mapped_column(ForeignKey("contributors.id"), unique=True)  # an owner's
    opened: Mapped[str]
    closed: Mapped[str | None]
    reason: Mapped[str | None]  # why it was closed


class TokenRow(Table):
    """A bearer token, kept as its SHA-256: it has 256 random bits, so a slow hash would add nothing."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    label: Mapped[str]  # what its holder calls it
    scopes: Mapped[list[str]]  # shared accounts.Scope
    generators: Mapped[list[str] | None]  # the only ones it is good for; None: all of the owner's
    created: Mapped[str]
    expires: Mapped[str]
    last_used: Mapped[str | None]
    revoked: Mapped[str | None]
    reason: Mapped[str | None]  # why it was revoked


class SessionRow(Table):
    """A browser that somebody signed in with a token. It can what the token can, and ends with it."""

    __tablename__ = "sessions"

    sha256: Mapped[str] = mapped_column(primary_key=True)  # of what the cookie holds
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id"), index=True)
    created: Mapped[str]
    expires: Mapped[str]


class InvitationRow(Table):
    """An owner who may enrol a key of their own, once."""

    __tablename__ = "invitations"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)  # of the code the owner was given
    owner: Mapped[str]
    generators: Mapped[list[str]]
    nonce: Mapped[str]  # what the owner's key signs
    created: Mapped[str]
    expires: Mapped[str]
    used: Mapped[str | None]


class OwnerKeyRow(Table):
    """Every key an owner ever enrolled. The present one is also in `contributors`; statements name theirs by id."""

    __tablename__ = "owner_keys"

    key_id: Mapped[str] = mapped_column(primary_key=True)
    contributor_id: Mapped[int] = mapped_column(ForeignKey("contributors.id"), index=True)
    public_key: Mapped[str]  # PEM
    enrolled: Mapped[str]
    replaced: Mapped[str | None]  # when another took its place
    revoked: Mapped[str | None]  # from then on it signs nothing here
    reason: Mapped[str | None]  # why it was replaced or revoked
