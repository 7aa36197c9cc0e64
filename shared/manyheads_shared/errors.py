"""The error tree, split by whose fault it is.

Every message says what was expected, what came, and what to do. Each command line catches `ManyheadsError` once and
leaves with its `exit_code`. Mistakes of a programmer stay `ValueError`, `TypeError` or `RuntimeError`.

    ManyheadsError
    ├── FormatError                  the bytes break a format document                        exit 3
    │   ├── ManifestError            a JSON document breaks its schema, or is not canonical
    │   ├── UnsupportedVersionError  a major version this software does not know
    │   ├── ArtifactError            a safetensors file breaks the artifact format
    │   │   ├── HeaderTooLargeError
    │   │   ├── TensorSetError       a tensor is missing, or one is there that nobody declared
    │   │   ├── TensorShapeError
    │   │   ├── TensorDtypeError
    │   │   └── NonFiniteTensorError NaN or infinity among the weights
    │   └── BundleError              the parts of a bundle do not fit together
    ├── VerificationError            well formed, and not to be trusted                       exit 3
    │   ├── DigestMismatchError
    │   ├── SignatureError
    │   ├── StatementError           a statement is signed, but says something else
    │   ├── FederationRecordError    a federated training that broke its own plan, or made another primary
    │   ├── ChainError               the lines of a chained log are not those that were written
    │   ├── PrimaryMismatchError     a head made for another primary
    │   ├── FeatureContractError     the primary's features are not those the head was trained on
    │   └── NonFiniteScoreError      finite weights, and a score that is NaN or infinite
    ├── ImageError                   not decodable, or over a limit                           exit 5
    │   ├── ImageTooLargeError       more bytes or pixels than are examined
    │   └── UnreadableImageError     the file itself cannot be read; another day it may be
    ├── DatasetError                 a folder of images breaks the layout, or is too small    exit 5
    ├── FetchError                   the way to the hub                                       exit 4
    │   ├── HubUnreachableError
    │   └── HubRefusedError          the hub answered, and said no
    └── UsageError                   the request cannot be carried out as asked               exit 2

Packages add leaves of their own beside the code that raises them (`RecipeError`, `HubError`, the client's update errors).
"""

from typing import ClassVar


class ManyheadsError(Exception):
    """Root of everything we raise on purpose."""

    exit_code: ClassVar[int] = 1


class FormatError(ManyheadsError):
    """The bytes break a format document in docs/formats."""

    exit_code = 3


class ManifestError(FormatError):
    """A JSON document breaks its schema or is not in canonical form."""


class UnsupportedVersionError(FormatError):
    """A document of a major version that this software does not know."""


class ArtifactError(FormatError):
    """A safetensors file breaks the artifact format."""


class HeaderTooLargeError(ArtifactError):
    """The header of a safetensors file is larger than the format allows."""


class TensorSetError(ArtifactError):
    """A declared tensor is missing, or an undeclared one is present."""


class TensorShapeError(ArtifactError):
    """A tensor's shape is not the declared one."""


class TensorDtypeError(ArtifactError):
    """A tensor's dtype is not the declared one."""


class NonFiniteTensorError(ArtifactError):
    """A tensor holds NaN or infinity."""


class BundleError(FormatError):
    """The parts of a bundle do not fit together."""


class VerificationError(ManyheadsError):
    """Well formed, and not to be trusted."""

    exit_code = 3


class DigestMismatchError(VerificationError):
    """Bytes do not have the digest they are named by."""

    def __init__(self, name: str, expected: str, actual: str) -> None:
        super().__init__(f"{name}: expected {expected}, got {actual}. The bytes were changed; fetch them again.")
        self.name, self.expected, self.actual = name, expected, actual


class SignatureError(VerificationError):
    """A signature is missing, wrong, or by an unknown key."""


class StatementError(VerificationError):
    """A signed statement that speaks of another head, primary or generator than the one at hand."""


class FederationRecordError(VerificationError):
    """A record whose lines are signed and chained, and that breaks its own plan or speaks of another primary."""


class ChainError(VerificationError):
    """The lines of a log chained by digest are not those that were written."""


class PrimaryMismatchError(VerificationError):
    """A head made for another primary."""

    def __init__(self, head: str, expected: str, actual: str) -> None:
        super().__init__(
            f"head {head} was trained on primary {expected}, this is primary {actual}. "
            "A head works on exactly one primary: train it again on this one, or use the bundle it belongs to."
        )


class FeatureContractError(VerificationError):
    """The primary's features on the probe images are not those a manifest promises."""


class NonFiniteScoreError(VerificationError):
    """A network whose weights are finite gives NaN or infinity: it was made to, or its training diverged."""


class ImageError(ManyheadsError):
    """An image that cannot be decoded, or is over a limit."""

    exit_code = 5


class ImageTooLargeError(ImageError):
    """An image of more bytes or pixels than are examined."""


class UnreadableImageError(ImageError):
    """A file that is not there, is no regular file, or that the system does not let us read. Nothing is said of its content."""


class DatasetError(ManyheadsError):
    """A folder of images that breaks the layout or is too small for what was asked."""

    exit_code = 5


class FetchError(ManyheadsError):
    """The way to the hub."""

    exit_code = 4


class HubUnreachableError(FetchError):
    """No answer from the hub."""


class HubRefusedError(FetchError):
    """The hub answered, and said no."""

    def __init__(self, status_code: int, code: str, detail: str) -> None:
        super().__init__(f"the hub refused ({status_code} {code}): {detail}")
        self.status_code, self.code, self.detail = status_code, code, detail


class UsageError(ManyheadsError):
    """The request cannot be carried out as it was asked."""

    exit_code = 2
