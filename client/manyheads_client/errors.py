"""The client's errors: why an update was refused, and what a store cannot do.

Whatever is refused, the store stays at the bundle it had.

    FormatError                                                                           exit 3
    ├── PackError                    a file that is no pack, or holds what does not belong in it
    └── SaliencyError                a file that is no saliency file
    VerificationError                what the hub sent is not to be trusted               exit 3
    └── UpdateRefusedError
        ├── WrongRootError           the root is no root, or of another hub
        ├── ForgedMetadataError      not signed by the keys the root names
        ├── MalformedMetadataError   signed or not, it is no TUF metadata
        ├── RollbackError            older than what was seen before
        │   └── SequenceError        the same for the bundle's own number
        ├── MixAndMatchError         metadata files that do not belong together
        ├── ExpiredMetadataError     past its date
        │   └── FreezeError          the roles that a hub re-signs by itself are: updates may be held back
        ├── MissingTargetError       the bundle names a file the hub's metadata does not
        └── OwnerChangedError        an owner signs with another key than before
    FetchError                       the way to the hub                                   exit 4
    ├── EndlessDataError             more bytes than were announced
    └── SlowHubError                 too slow to be an accident
    UsageError                                                                            exit 2
    ├── NoBundleError                nothing was pulled or imported into this store yet
    ├── NotAStoreError               the folder holds other things
    ├── StoreBusyError               another process holds the lock
    └── ClusterError                 a Ray cluster that is not there, or cannot go on
"""

from collections.abc import Sequence

from manyheads_shared.errors import FetchError, FormatError, UsageError, VerificationError


class PackError(FormatError):
    """A file that is no pack, is not all of one, or holds what does not belong in it."""


class SaliencyError(FormatError):
    """A file that is no saliency file, or whose maps are not what its manifest says."""


class UpdateRefusedError(VerificationError):
    """What the hub sent was refused; the store is as it was."""


class WrongRootError(UpdateRefusedError):
    """The given root is no TUF root, or not the root of this hub or store."""


class ForgedMetadataError(UpdateRefusedError):
    """Metadata that too few of the keys the root names have signed."""


class MalformedMetadataError(UpdateRefusedError):
    """Metadata that is not TUF metadata."""


class RollbackError(UpdateRefusedError):
    """Metadata older than what this store has seen."""


class SequenceError(RollbackError):
    """A bundle that goes back, or another bundle under a number already used."""


class MixAndMatchError(UpdateRefusedError):
    """Metadata files of different moments, served as one."""


class ExpiredMetadataError(UpdateRefusedError):
    """Metadata past its date."""


class FreezeError(ExpiredMetadataError):
    """The hub's newest timestamp or snapshot is past its date: somebody may be holding updates back."""


class MissingTargetError(UpdateRefusedError):
    """A file that the bundle needs is not among the hub's signed targets."""


class OwnerChangedError(UpdateRefusedError):
    """Generators whose owner signs with another key than before: for this generator, or for others of theirs."""

    def __init__(self, changes: Sequence[tuple[str, str, str]]) -> None:
        """`changes`: generator name, key id seen before, key id now."""
        listed = "; ".join(f"{name}: key {before[:12]} before, {now[:12]} now" for name, before, now in changes)
        accept = " ".join(f"--accept-owner {name}" for name, *_ in changes)
        super().__init__(
            f"an owner signs with another key than before ({listed}). Ask the owner, by another way than the hub, whether the "
            f"new key is theirs; if it is, run the command again with {accept}."
        )
        self.generators = tuple(name for name, *_ in changes)


class EndlessDataError(FetchError):
    """The hub sends more bytes than it announced, or announces more than any file of its kind may have."""


class SlowHubError(FetchError):
    """The hub answers, but so slowly that no update would ever end."""


class NoBundleError(UsageError):
    """The store holds no bundle."""


class NotAStoreError(UsageError):
    """The folder is neither empty nor a store."""


class StoreBusyError(UsageError):
    """Another process is changing the store."""


class ClusterError(UsageError):
    """A Ray cluster that is not there, or whose actors cannot examine."""
