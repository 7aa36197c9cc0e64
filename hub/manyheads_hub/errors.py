"""Errors with a status code. What the API answers, the command line prints.

    HubError (ManyheadsError)
    ├── UnauthorisedError   401  no token, or none we know
    ├── ForbiddenError      403  a known caller, and not theirs
    │   ├── ScopeError           a token that is not for this
    │   ├── FormError            a form that this hub's own page did not send
    │   └── QuarantinedError     a head that nobody may download
    ├── NotFoundError       404
    ├── StalledError        408  no byte came for too long
    ├── ConflictError       409  it is there already, or somebody was quicker
    │   ├── UploadOffsetError    an upload goes on from another offset
    │   ├── PromotionRefusedError  a candidate does not meet the policy's floors
    │   └── NoFittingHeadError   a generator's heads stand on other primaries, or may not be used
    ├── TooLargeError       413
    ├── InvalidRequestError 422  well formed, and it cannot be
    │   └── SubmissionError      what is offered does not belong together
    ├── QuotaError          429
    ├── RateLimitError      429  too many requests in a minute
    ├── NotReadyError       503  the hub lacks a primary, a suite or a key
    ├── UnavailableError    503  the hub's database or storage does not answer, or refuses the hub
    └── PublicationError         a bundle could not be published (command line only)

`AuditError`, in `audit.chain`, is the command line's; `ForbiddenAddressError`, in `webhooks.guard`, the courier's;
`LeaseLostError`, in `evaluations.jobs`, the worker's. Errors of `manyheads_shared` about the bytes a caller sent
become 422 with their own code (`app.py`).
"""

import re
from typing import ClassVar

from manyheads_shared.errors import ManyheadsError


class HubError(ManyheadsError):
    """The hub says no."""

    status_code: ClassVar[int] = 400


class UnauthorisedError(HubError):
    """No token came, or none we know."""

    status_code = 401


class ForbiddenError(HubError):
    """The caller is known, and this is not theirs."""

    status_code = 403


class ScopeError(ForbiddenError):
    """The token is not for this."""


class FormError(ForbiddenError):
    """A form came that this hub's own page did not send."""


class QuarantinedError(ForbiddenError):
    """A quarantined head: nobody may download it."""


class NotFoundError(HubError):
    """Nothing by that name."""

    status_code = 404


class StalledError(HubError):
    """No byte came for too long."""

    status_code = 408


class ConflictError(HubError):
    """It is there already, or somebody was quicker."""

    status_code = 409


class UploadOffsetError(ConflictError):
    """An upload does not go on where the hub stands."""

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(message)
        self.offset = offset  # where it does


class PromotionRefusedError(ConflictError):
    """A candidate primary does not meet the policy's floors; the message names each."""


class NoFittingHeadError(ConflictError):
    """A generator has heads, and none to use on the primary that was named."""


class TooLargeError(HubError):
    """More bytes than allowed."""

    status_code = 413


class InvalidRequestError(HubError):
    """Well formed, and it cannot be."""

    status_code = 422


class SubmissionError(InvalidRequestError):
    """What is offered does not belong together."""


class QuotaError(HubError):
    """The caller has used up a share."""

    status_code = 429


class RateLimitError(HubError):
    """Too many requests in a minute."""

    status_code = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds


class NotReadyError(HubError):
    """The hub lacks a primary, a suite or a key."""

    status_code = 503


class UnavailableError(HubError):
    """The hub's database or storage does not answer, or refuses the hub."""

    status_code = 503
    exit_code = 4


class PublicationError(HubError):
    """A bundle could not be published."""


def code_of(error: ManyheadsError) -> str:
    """Return the stable code of an error: `NonFiniteTensorError` is `non-finite-tensor`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
