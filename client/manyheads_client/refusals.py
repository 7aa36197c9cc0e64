"""The TUF library's errors, under our names and with our advice: one table, most special first."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tuf.api import exceptions
from tuf.api.serialization import DeserializationError

from manyheads_client.errors import (
    EndlessDataError,
    ExpiredMetadataError,
    ForgedMetadataError,
    FreezeError,
    MalformedMetadataError,
    MixAndMatchError,
    RollbackError,
    UpdateRefusedError,
    WrongRootError,
)
from manyheads_shared.errors import FetchError, HubRefusedError, HubUnreachableError, ManyheadsError

Refusal = tuple[type[UpdateRefusedError | FetchError], str]

_REFUSALS: dict[type[Exception], Refusal] = {
    exceptions.UnsignedMetadataError: (
        ForgedMetadataError,
        "the metadata is not signed as this store's root asks; somebody may be between you and the hub",
    ),
    exceptions.BadVersionNumberError: (
        RollbackError,
        "the metadata is older than what this store has seen; somebody may be replaying an old state",
    ),
    exceptions.LengthOrHashMismatchError: (
        MixAndMatchError,
        "metadata files that do not belong together; pull or export again",
    ),
    exceptions.ExpiredMetadataError: (ExpiredMetadataError, "the hub's maintainers must sign its metadata anew"),
    DeserializationError: (MalformedMetadataError, "expected TUF metadata, got something else"),
    exceptions.RepositoryError: (UpdateRefusedError, "the metadata is refused"),
    exceptions.DownloadLengthMismatchError: (EndlessDataError, "the hub sends more metadata than there may be"),
    exceptions.DownloadError: (HubUnreachableError, "the metadata could not be fetched"),
}
_WRONG_ROOT: Refusal = (WrongRootError, "the metadata is not signed by the keys in the given root; is that root this hub's?")
_MIXED: Refusal = (MixAndMatchError, "metadata of different moments was served as one; pull again")
_FROZEN: Refusal = (
    FreezeError,
    "the hub signs this anew every few hours: either its signing stopped or somebody holds updates back; ask its maintainers",
)
_ONLINE_ROLES = ("timestamp", "snapshot")


class Circumstances(Protocol):
    """What the library's error does not tell."""

    @property
    def is_known_hub(self) -> bool:
        """Whether the store has trusted this root before."""

    def is_mixed(self) -> bool:
        """Whether the last metadata file carries another version than the one asked for."""


@contextmanager
def named_refusals(source: str, circumstances: Circumstances) -> Iterator[None]:
    """Raise our error for each of the library's.

    Raises:
        UpdateRefusedError, FetchError: the library refused or could not fetch; the subclass says why.
    """
    try:
        yield
    except exceptions.DownloadHTTPError as error:
        raise HubRefusedError(
            error.status_code, "", f"{source} serves no TUF metadata. Is this the address of a hub?"
        ) from error
    except (exceptions.RepositoryError, exceptions.DownloadError) as error:
        raise _name(error, source, circumstances) from error


def _name(error: Exception, source: str, circumstances: Circumstances) -> ManyheadsError:
    kind, advice = next(refusal for vendor, refusal in _REFUSALS.items() if isinstance(error, vendor))
    if kind is ForgedMetadataError and not circumstances.is_known_hub:
        kind, advice = _WRONG_ROOT
    elif kind is RollbackError and circumstances.is_mixed():
        kind, advice = _MIXED
    elif kind is ExpiredMetadataError and any(role in str(error) for role in _ONLINE_ROLES):
        kind, advice = _FROZEN
    return kind(f"{source}: {advice}. (TUF: {error}) The store is as it was.")
