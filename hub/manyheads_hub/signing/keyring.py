"""The hub's keys: who may sign what, and where each private key lies.

    keys/offline/   root-1 … root-3 (any two sign), targets-1 and targets-2 (both sign)
    keys/online/    snapshot-1, timestamp-1 (re-signed by the running hub), evaluation-1 (the hub's statements on heads)

Offline keys are needed only to publish. They may be moved away (a USB stick in a safe) once the hub runs: refreshing goes on
without them, and whoever takes the server cannot add a head. Beside each private key lies its public key, `NAME.pub`. A key
that takes another's place has the next number; which of them count, the TUF root says (`rotation`), and of the evaluation
keys the newest.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_shared.errors import UsageError
from manyheads_shared.files import write_atomic
from manyheads_shared.keys import generate_key, parse_public_key, public_pem, read_private_key, write_private_key

FOLDER_MODE = 0o700
EVALUATION = "evaluation"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyPlan:
    """How many keys a role has, how many of them must sign, and where they lie."""

    folder: Literal["offline", "online"]
    count: int
    threshold: int


PLANS: dict[str, KeyPlan] = {
    "root": KeyPlan("offline", 3, 2),  # one of three may be lost, or stolen
    "targets": KeyPlan("offline", 2, 2),  # one stolen key adds no head
    "snapshot": KeyPlan("online", 1, 1),
    "timestamp": KeyPlan("online", 1, 1),
    EVALUATION: KeyPlan("online", 1, 1),
}


class MissingKeysError(UsageError):
    """The private keys that a signature needs are not here."""


class Keyring:
    """The keys in one folder. Private keys are read when they are used, so that absent ones hinder nothing else."""

    def __init__(self, folder: Path, passphrase: str | None = None) -> None:
        self.folder = folder
        self._passphrase = passphrase

    def paths(self, name: str) -> list[Path]:
        """Where the private keys of a role (or of `evaluation`) lie, or lay when their public halves are here; oldest first."""
        folder, pattern = self.folder / PLANS[name].folder, re.compile(rf"{name}-([1-9]\d*)(?:\.pub)?")
        try:
            found = [pattern.fullmatch(path.name) for path in folder.iterdir()]
        except OSError:  # as good as empty to this user
            found = []
        return [folder / f"{name}-{number}" for number in sorted({int(match[1]) for match in found if match})]

    def add(self, name: str) -> SSlibKey:
        """Make one more key for a role (or for `evaluation`) and return its public half.

        Raises:
            UsageError: the folder cannot be written to.
        """
        numbers = [int(path.name.rpartition("-")[2]) for path in self.paths(name)]
        return _make_key(self.folder / PLANS[name].folder / f"{name}-{max(numbers, default=0) + 1}", self._passphrase)

    def private_key_ids(self, name: str) -> set[str]:
        """Return the ids of the keys whose private half is here, by the public one beside it."""
        here = [public_path(path) for path in self.paths(name) if _is_here(path) and _is_here(public_path(path))]
        return {parse_public_key(path.read_text()).keyid for path in here}

    def signers(self, name: str, threshold: int | None = None) -> list[CryptoSigner]:
        """Return the signers of a role: those that are here and can be read, oldest first.

        Args:
            threshold: how many must be here; as many as a new hub's role has, unless told.

        Raises:
            MissingKeysError: too few are here.
            UsageError: too few can be read: a file is no key, or the passphrase is missing or wrong.
        """
        plan = PLANS[name]
        threshold = plan.threshold if threshold is None else threshold
        here = [path for path in self.paths(name) if _is_here(path)]
        if len(here) < threshold:
            raise MissingKeysError(
                f"expected {threshold} private {name} keys in {self.folder / plan.folder}, found {len(here)}. "
                + ("Bring the offline keys back and run this again." if plan.folder == "offline" else "Restore them.")
            )
        signers, unreadable = [], []
        for path in here:
            try:
                signers.append(read_private_key(path, self._passphrase))
            except UsageError as error:
                unreadable.append(error)
        if len(signers) < threshold:
            raise unreadable[0]
        for reason in unreadable:
            log.warning("signing without one of the %s keys: %s", name, reason)
        return signers

    def public_keys(self, name: str) -> list[SSlibKey]:
        """Return every public key of a role, from the files beside the private ones.

        Raises:
            MissingKeysError: one is not here.
            SignatureError: a file is no public key.
        """
        paths = [public_path(path) for path in self.paths(name)]
        for path in paths or [public_path(self.folder / PLANS[name].folder / f"{name}-1")]:
            if not path.is_file():
                raise MissingKeysError(f"expected the public {name} key at {path}; restore it")
        return [parse_public_key(path.read_text()) for path in paths]

    def evaluation_signer(self) -> CryptoSigner:
        """Return the signer of the hub's statements on heads; its public key goes into every bundle.

        Raises:
            MissingKeysError, UsageError: as `signers`.
        """
        return self.signers(EVALUATION)[-1]

    def evaluation_key(self) -> SSlibKey:
        """Return the public half of `evaluation_signer`.

        Raises:
            MissingKeysError, SignatureError: as `public_keys`.
        """
        return self.public_keys(EVALUATION)[-1]


def create_keys(folder: Path, passphrase: str | None = None, *, but: frozenset[str] = frozenset()) -> Keyring:
    """Make every key of a new hub.

    Keys that are there already are kept, so a creation that was killed can be run again.

    Args:
        folder: the hub's `keys` folder.
        passphrase: encrypts the private keys; without one they are protected by their file mode alone.
        but: roles whose keys are made elsewhere (`ceremony`).
    """
    for name, plan in PLANS.items():
        (folder / plan.folder).mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        for number in range(1, plan.count + 1):
            if name not in but:
                _make_key(folder / plan.folder / f"{name}-{number}", passphrase)
    return Keyring(folder, passphrase)


def _make_key(path: Path, passphrase: str | None) -> SSlibKey:
    """Make a key pair where there is none, and return its public half."""
    if not path.exists():
        write_private_key(path, generate_key(), passphrase)
    public = read_private_key(path, passphrase).public_key
    assert isinstance(public, SSlibKey)
    write_atomic(public_path(path), public_pem(public).encode())
    return public


def public_path(path: Path) -> Path:
    """Return where the public half of the private key at `path` lies."""
    return path.with_name(f"{path.name}.pub")


def _is_here(path: Path) -> bool:
    """Whether a file is here, as far as this user can see: one that may not be looked at is as good as absent."""
    try:
        return path.is_file()
    except OSError:
        return False
