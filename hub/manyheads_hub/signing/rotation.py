"""A new key in an old one's place, without a moment in which clients refuse the hub.

For targets, snapshot and timestamp the root first names both keys, then the role is signed by both, then the root names the
new one alone. Killed anywhere in between, the hub is sound, and the next rotation of that role finishes it. A root key
is replaced in one step: the new root is signed as the old one asks and as it asks itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

from securesystemslib.signer import SSlibKey
from tuf.api.metadata import Root

from manyheads_hub.signing.keyring import PLANS, Keyring
from manyheads_hub.signing.repository import TufRepository
from manyheads_hub.signing.tuf_files import ROLES, Role
from manyheads_shared.errors import UsageError


@dataclass(frozen=True)
class Rotation:
    """What a rotation did."""

    role: Role
    removed: str  # key id
    added: str  # key id
    root_version: int  # of the newest root now


def rotate(repository: TufRepository, keyring: Keyring, role: Role, replaced: str | None = None) -> Rotation:
    """Replace one key of a role by a new one, made here. Needs enough root keys, and the role's.

    Args:
        replaced: the key id, or its beginning; the role's oldest unless given.

    Raises:
        UsageError: the role has no such key.
        MissingKeysError, UsageError: private keys that must sign are not here, or cannot be read.
        RepositoryStateError: the repository is missing or damaged.
    """
    old = _choose(repository, role, replaced)
    new = _spare(repository, keyring, role) or keyring.add(role)
    if role == "root":
        _change(repository, lambda root: _swap(root, role, old, new))
    else:
        if new.keyid not in repository.key_ids()[role]:
            _change(repository, lambda root: root.add_key(new, role))
        _change(repository, lambda root: root.revoke_key(old, role))
    return Rotation(role, old, new.keyid, repository.read_roots()[-1].version)


def find_role(name: str) -> Role:
    """Return the role of a name.

    Raises:
        UsageError: there is none.
    """
    for role in ROLES:
        if role == name:
            return role
    raise UsageError(f"expected one of {', '.join(ROLES)}, got {name!r}")


def _choose(repository: TufRepository, role: Role, replaced: str | None) -> str:
    ids = repository.key_ids()[role]
    found = [key for key in ids if key.startswith(replaced or "")]
    if not found or (replaced is not None and len(found) > 1):
        raise UsageError(f"expected one of the {role} keys {', '.join(key[:16] for key in ids)}, got {replaced!r}")
    return found[0]


def _spare(repository: TufRepository, keyring: Keyring, role: Role) -> SSlibKey | None:
    """The newest key here, when a killed rotation made it: no root has ever named it, or its place is not yet cleared."""
    newest, roots = keyring.public_keys(role)[-1], repository.read_roots()
    named = roots[-1].roles[role].keyids
    if role != "root" and newest.keyid in named and len(named) > PLANS[role].count:
        return newest
    return None if any(newest.keyid in root.roles[role].keyids for root in roots) else newest


def _change(repository: TufRepository, edit: Callable[[Root], None]) -> None:
    draft = repository.draft_root(edit)
    repository.sign_root(draft)
    repository.install_root(draft)


def _swap(root: Root, role: Role, old: str, new: SSlibKey) -> None:
    root.add_key(new, role)
    root.revoke_key(old, role)
