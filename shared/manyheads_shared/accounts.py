"""The HTTP shapes of accounts, tokens and owners' keys: what the contributor kit sends and reads beside `api`.

    GET    /v1/account                        any     AccountInfo: who the token stands for, and what it may
    GET    /v1/account/tokens                 account list[TokenInfo], newest first
    POST   /v1/account/tokens                 account TokenRequest -> 201 IssuedToken, the only time it can be read
    POST   /v1/account/tokens/{id}/revoke     account Because -> TokenInfo
    GET    /v1/account/keys                   read    list[KeyInfo], newest first
    POST   /v1/account/keys                   account KeyProofRequest -> 201 KeyInfo: rotation, signed by both keys
    POST   /v1/account/keys/{key_id}/revoke   account Because -> KeyInfo
    GET    /v1/enrolment                      invitation EnrolmentInfo: what to sign
    POST   /v1/enrolment                      invitation KeyProofRequest -> 201 Enrolled

The third column is the scope a token needs. `invitation` is the header `Authorization: Bearer mhi_…`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from manyheads_shared.api import Message
from manyheads_shared.bundle import KeyId
from manyheads_shared.manifest import Name, Time

Role = Literal["owner", "reviewer", "maintainer", "reader"]
Scope = Literal["read", "submit", "account", "review", "audit", "admin"]

MAX_REASON_CHARACTERS = 500
MAX_TOKEN_DAYS = 365
MAX_PROOF_CHARACTERS = 16_384

_JOINERS = "\u200c\u200d"  # not printable by themselves, and part of how some scripts are written


def on_one_line(text: str) -> str:
    """Return a text with its white space as single spaces: it is shown to others, in tables and on terminals.

    Raises:
        ValueError: it is empty, or holds what would steer a terminal or turn the direction of writing.
    """
    line = " ".join(text.split())
    if not line or not line.translate(dict.fromkeys(map(ord, _JOINERS))).isprintable():
        raise ValueError("expected a text without control characters")
    return line


Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON_CHARACTERS), AfterValidator(on_one_line)
]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), AfterValidator(on_one_line)]


class Because(Message):
    """Why something is undone."""

    reason: Reason


class TokenInfo(Message):
    """A token, without what would let anyone use it."""

    id: int
    label: str
    scopes: list[Scope]
    generators: list[Name] | None  # the only ones it is good for; None: all of the owner's
    created: Time
    expires: Time
    last_used: Time | None  # to the minute
    revoked: Time | None
    reason: str | None


class TokenRequest(Message):
    """A token to be issued."""

    label: Label
    scopes: list[Scope] = Field(min_length=1)
    generators: list[Name] | None = Field(default=None, min_length=1)
    days: int = Field(default=90, ge=1, le=MAX_TOKEN_DAYS)


class IssuedToken(Message):
    """A new token: the only time it can be read."""

    token: str
    info: TokenInfo


class AccountInfo(Message):
    """Who a token stands for, and what it may."""

    hub: Name
    name: Name
    role: Role
    scopes: list[Scope]
    generators: list[Name]
    key_id: KeyId | None  # of the key that signs the owner's statements
    token: TokenInfo


class KeyInfo(Message):
    """A key that an owner enrolled."""

    key_id: KeyId
    public_key: str  # PEM
    enrolled: Time
    replaced: Time | None
    revoked: Time | None
    reason: str | None


class EnrolmentInfo(Message):
    """What an invitation is for, and the nonce that the owner's key has to sign."""

    hub: Name
    owner: Name
    generators: list[Name]
    nonce: str
    expires: Time


class KeyProofRequest(Message):
    """A proof of possession of a key (`manyheads_shared.key_proof`)."""

    proof: str = Field(max_length=MAX_PROOF_CHARACTERS)


class Enrolled(Message):
    """An owner is enrolled."""

    owner: Name
    key_id: KeyId
    generators: list[Name]
    token: IssuedToken
