"""Root keys that never touch the hub's machine: a draft of the root goes from maintainer to maintainer, and each signs it.

A draft is TUF metadata like any other, version and expiry in it, with the signatures it has so far. `draft_first_root` begins a
hub's trust; `TufRepository.draft_root` changes it. Who signs sees in words what they sign (`describe_root`).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from securesystemslib.signer import SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from manyheads_hub.signing.keyring import PLANS, Keyring
from manyheads_hub.signing.repository import LIFETIMES
from manyheads_hub.signing.tuf_files import ROLES, Role
from manyheads_shared import clock
from manyheads_shared.errors import UsageError
from manyheads_shared.files import write_atomic
from manyheads_shared.keys import parse_public_key

MAX_DRAFT_BYTES = 512_000  # what a client reads of a root


def draft_first_root(keyring: Keyring, root_keys: Sequence[SSlibKey], threshold: int) -> Metadata[Root]:
    """Return version 1 of a root, unsigned: root keys from elsewhere, the other roles' from the keyring.

    Raises:
        UsageError: the threshold cannot be met, or a key was given twice.
        MissingKeysError: a public key is not in the keyring.
    """
    if len({key.keyid for key in root_keys}) != len(root_keys):
        raise UsageError("--root-key: expected every key once, got one twice; a key counts once for the threshold")
    if not 1 <= threshold <= len(root_keys):
        raise UsageError(f"--root-threshold: expected 1 to {len(root_keys)}, as many as there are root keys, got {threshold}")
    root = Root(version=1, expires=(datetime.now(UTC) + LIFETIMES["root"]).replace(microsecond=0), consistent_snapshot=True)
    for role in ROLES:
        for key in root_keys if role == "root" else keyring.public_keys(role):
            root.add_key(key, role)
        root.roles[role].threshold = threshold if role == "root" else PLANS[role].threshold
    return Metadata(root)


def edit_root(
    add: Sequence[tuple[Role, SSlibKey]], remove: Sequence[tuple[Role, str]], thresholds: Sequence[tuple[Role, int]]
) -> Callable[[Root], None]:
    """Return what makes these changes to a root.

    Raises:
        UsageError: when it is applied: no such key, or a threshold that the keys cannot meet.
    """

    def edit(root: Root) -> None:
        for role, key in add:
            root.add_key(key, role)
        for role, start in remove:
            found = [key for key in root.roles[role].keyids if key.startswith(start)]
            if len(found) != 1:
                raise UsageError(f"--remove: expected one {role} key that begins with {start!r}, found {len(found)}")
            root.revoke_key(found[0], role)
        for role, threshold in thresholds:
            root.roles[role].threshold = threshold
        for role in ROLES:
            named = root.roles[role]
            if not 1 <= named.threshold <= len(named.keyids):
                raise UsageError(f"{role}: {named.threshold} of {len(named.keyids)} keys cannot sign; see --threshold")

    return edit


def count_signatures(draft: Metadata[Root], root: Root) -> int:
    """How many of a root's own root keys have signed a draft."""
    return len(root.get_verification_result("root", draft.signed_bytes, draft.signatures).signed)


def describe_root(root: Root) -> list[tuple[str, str]]:
    """Return what a root says, role by role, in words."""
    lines = [("root version", str(root.version)), ("expires", clock.write_time(root.expires))]
    for role in ROLES:
        named = root.roles[role]
        lines.append((role, f"{named.threshold} of {len(named.keyids)}: " + ", ".join(key[:16] for key in named.keyids)))
    return lines


def read_draft(path: Path) -> Metadata[Root]:
    """Read a draft, or a root.

    Raises:
        UsageError: it is none.
    """
    try:
        data = path.read_bytes()
        if len(data) > MAX_DRAFT_BYTES:
            raise UsageError(f"{path}: expected a root of at most {MAX_DRAFT_BYTES} bytes, got {len(data)}")
        metadata: Metadata[Root] = Metadata.from_bytes(data)
    except OSError as error:
        raise UsageError(f"{path}: the draft cannot be read: {error.strerror}") from error
    except (RepositoryError, DeserializationError, ValueError) as error:
        raise UsageError(f"{path}: expected the draft of a root: {error}") from error
    if not isinstance(metadata.signed, Root):
        raise UsageError(f"{path}: expected the draft of a root, got {metadata.signed.type} metadata")
    return metadata


def write_draft(path: Path, draft: Metadata[Root]) -> None:
    """Write a draft."""
    write_atomic(path, draft.to_bytes(JSONSerializer()))


def read_key(path: Path) -> SSlibKey:
    """Read a public key file.

    Raises:
        UsageError: no such file.
        SignatureError: it is no public key.
    """
    try:
        return parse_public_key(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the public key cannot be read: {error}") from error
