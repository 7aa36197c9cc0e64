"""The TUF repository: signed metadata that tell a client which bundle is the newest, and that only the hub said so.

A change writes new names first and timestamp.json last, so a reader sees the state before or the state after. A killed
change leaves names that nobody refers to; the next one passes over their version numbers. Objects of earlier bundles leave
the metadata and stay in the storage, because reports cite them.

Expiry: a client notices held-back updates within a day (timestamp), within a week even when the timestamp key was stolen
(snapshot). `refresh` must run more often than that; `check_expiry` tells when it did not.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from manyheads_hub.signing.keyring import PLANS, Keyring, MissingKeysError
from manyheads_hub.signing.ledger import Ledger
from manyheads_hub.signing.tuf_files import ROLES, Alone, AnyMetadata, RepositoryStateError, Role, S, State, TufFiles
from manyheads_hub.storage.port import Storage
from manyheads_shared.bundle import BUNDLE_TARGET
from manyheads_shared.digest import Digest, parse_digest
from manyheads_shared.errors import ManyheadsError, UsageError

LIFETIMES: dict[Role, timedelta] = {
    "root": timedelta(days=365),
    "targets": timedelta(days=90),
    "snapshot": timedelta(days=7),
    "timestamp": timedelta(days=1),
}
RENEW_BELOW = 0.5  # of its lifetime: with less left, `refresh` signs a role again
LATE_BELOW = 0.25  # of its lifetime: an online role with less left has not been refreshed when it should have been

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expiry:
    """When a role's metadata runs out. Clients refuse every update from then on."""

    role: Role
    version: int
    expires: datetime
    left: timedelta  # negative: it has run out
    offline: bool  # the offline keys are needed to renew it

    def is_late(self, within: timedelta) -> bool:
        """Whether somebody should act: an offline role runs out `within` that time, or an online one was not refreshed."""
        return self.left < (within if self.offline else LATE_BELOW * LIFETIMES[self.role])


class TufRepository:
    """The repository in a storage. Changes by several processes wait for each other.

    Args:
        alone: lets one process at a time into a block (`Database.alone`).
        ledger: keeps a second copy of what is signed.
    """

    def __init__(
        self,
        storage: Storage,
        alone: Alone,
        ledger: Ledger,
        keyring: Keyring,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._files, self._keyring, self._clock = TufFiles(storage, alone, ledger), keyring, clock

    def create(self, first_root: Metadata[Root] | None = None) -> bytes:
        """Make the repository of a new hub, with nothing in it; what is there already stays as it is.

        Args:
            first_root: version 1 of the root, signed elsewhere (`ceremony`); with the keys here unless given.

        Returns:
            The root metadata that clients are given (root.json).

        Raises:
            MissingKeysError, UsageError: a private key is not here or cannot be read.
        """
        with self._files.locked():
            if self._files.read_first_root() is None:
                if first_root is None:
                    self._sign_first_root()
                else:
                    self._files.write_metadata("root", first_root)
            if not self._files.is_complete():
                root = self._files.read_root()
                self._sign_timestamp(root, self._sign_snapshot(root, self._sign_targets(root, {})), version=1)
            first = self._files.read_first_root()
            assert first is not None
            return first

    def held(self) -> AbstractContextManager[None]:
        """Keep everyone else from changing the repository while the block runs."""
        return self._files.locked()

    def publish(self, objects: Mapping[str, bytes], bundle_manifest: bytes, check: Callable[[], None] = lambda: None) -> None:
        """Make a bundle the newest one.

        The plan: (1) every object, under the name of its digest; (2) the manifest; then metadata, each naming the one
        before: (3) targets, signed offline, (4) snapshot, (5) timestamp. Clients change over at step 5.

        Args:
            objects: everything the manifest names, by target path (`objects/HEX`). Objects that are stored already
                are not asked for their bytes, so a lazy mapping costs nothing for what was published before.
            bundle_manifest: the manifest's exact bytes.
            check: called before step 3 and before step 5; what it raises leaves clients where they are.

        Raises:
            MissingKeysError: the offline keys are not here; nothing was changed.
            DigestMismatchError: an object's bytes do not have the digest its path names.
            RepositoryStateError: the repository is missing or damaged.
        """
        with self._files.locked():
            state = self._files.read_state()
            self._signers("targets", state.root.signed)  # fails before anything is written
            # step 1
            with ThreadPoolExecutor() as pool:  # a disk or a bucket takes many files at once as quickly as one
                stored = pool.map(lambda path: self._files.store_object(path, objects), objects)
                targets = dict(zip(objects, stored, strict=True))
            # step 2
            targets[BUNDLE_TARGET] = self._files.store(BUNDLE_TARGET, bundle_manifest)
            # step 3
            check()
            signed = self._sign_targets(state.root, targets)
            # step 4
            snapshot = self._sign_snapshot(state.root, signed)
            # step 5
            check()
            self._sign_timestamp(state.root, snapshot, version=state.timestamp.signed.version + 1)
        log.info("published a bundle of %d objects", len(objects))

    def refresh(self, *, everything: bool = False) -> tuple[Role, ...]:
        """Sign again what would run out: always the timestamp, other roles when half of their lifetime is over.

        Root and targets are renewed only where the offline keys are here; `check_expiry` says when they are needed. Whatever
        else keeps a role from being signed again is logged, and does not keep the timestamp: without it clients are locked
        out within a day.

        Args:
            everything: renew all roles now, and insist on all of them.

        Returns:
            The roles that were signed again.

        Raises:
            MissingKeysError, UsageError: the timestamp's key, or with `everything` any, is not here or cannot be read.
            RepositoryStateError: the repository is missing or damaged, or such a key is another hub's.
        """
        with self._files.locked():
            state, due = self._files.read_state(), self.due_roles(everything=everything)
            if everything:
                for role in due:
                    self._signers(role, state.root.signed)  # fails before anything is written
            now = state  # what clients will be led to
            for role, renew in (
                ("root", self._renew_root),
                ("targets", self._renew_targets),
                ("snapshot", self._renew_snapshot),
            ):
                if role in due:
                    now = _attempt(role, renew, now, insist=everything)
            self._sign_timestamp(now.root, now.snapshot, version=state.timestamp.signed.version + 1)
            self._files.complete_ledger(self._files.read_state())
        return tuple(role for role in ROLES if role == "timestamp" or now.of(role) is not state.of(role))

    def overtake(self) -> dict[str, int]:
        """Sign everything but the root again under versions that no earlier hub of this name can have reached.

        For a hub that was restored from an older copy: clients accept no version below one they have seen. Versions are the
        minutes since 1970, above any number of signings; a later restoration overtakes this one likewise.

        Returns:
            Each role's new version.

        Raises:
            MissingKeysError, UsageError: the keys of targets, snapshot or timestamp are not here, or cannot be read.
            RepositoryStateError: the repository is missing or damaged, or a key is another hub's.
        """
        with self._files.locked():
            state, minutes = self._files.read_state(), int(self._clock().timestamp()) // 60
            for role in ROLES[1:]:
                self._signers(role, state.root.signed)  # fails before anything is written
            targets = self._sign_targets(state.root, state.targets.signed.targets, at_least=minutes)
            snapshot = self._sign_snapshot(state.root, targets, at_least=minutes)
            timestamp = max(state.timestamp.signed.version + 1, minutes)
            self._sign_timestamp(state.root, snapshot, version=timestamp)
        return {"targets": targets.signed.version, "snapshot": snapshot.signed.version, "timestamp": timestamp}

    def rebuild(self, read: Callable[[Digest], bytes]) -> list[str]:
        """Write out again what the storage lost, byte for byte: metadata from the ledger, targets from the blobs. Needs no key.

        The plan: (1) metadata, the timestamp last; (2) every target that the newest metadata name.

        Args:
            read: returns a blob's bytes.

        Returns:
            The names of the files that were written.

        Raises:
            RepositoryStateError: the ledger does not hold a whole repository.
        """
        with self._files.locked():
            # step 1
            restored = self._files.restore_metadata()
            # step 2
            for path, target in self._files.read_state().targets.signed.targets.items():
                if self._files.restore_target(path, parse_digest(f"sha256:{target.hashes['sha256']}"), read):
                    restored.append(path)
        return restored

    def due_roles(self, *, everything: bool = False) -> tuple[Role, ...]:
        """Return the roles that `refresh` would sign again now.

        Raises:
            RepositoryStateError: the repository is missing or damaged.
        """
        state = self._files.read_state()
        due: set[Role] = {role for role in ROLES if everything or self._is_due(role, state)} | {"timestamp"}
        if "targets" in due:
            due.add("snapshot")  # it names the targets by version and digest
        return tuple(role for role in ROLES if role in due)

    def check_expiry(self, now: datetime | None = None) -> list[Expiry]:
        """Return when each role runs out, the next one first.

        Raises:
            RepositoryStateError: the repository is missing or damaged.
        """
        moment, state = now or self._clock(), self._files.read_state()
        found = []
        for role in ROLES:
            signed, offline = state.of(role).signed, PLANS[role].folder == "offline"
            found.append(Expiry(role, signed.version, signed.expires, signed.expires - moment, offline))
        return sorted(found, key=lambda expiry: expiry.expires)

    def newest_bundle(self) -> Digest | None:
        """Return the digest of the bundle manifest that clients find now; None before the first.

        Raises:
            RepositoryStateError: the repository is missing or damaged.
        """
        target = self._files.read_state().targets.signed.targets.get(BUNDLE_TARGET)
        return None if target is None else parse_digest(f"sha256:{target.hashes['sha256']}")

    def has_root(self) -> bool:
        """Whether the repository was ever begun."""
        return self._files.read_first_root() is not None

    def read_roots(self) -> list[Root]:
        """Return every root there ever was, the newest last.

        Raises:
            RepositoryStateError: one is missing or damaged.
        """
        return [self._files.read_root(version).signed for version in range(1, self._files.next_version("root"))]

    def draft_root(self, edit: Callable[[Root], None]) -> Metadata[Root]:
        """Return the next root as `edit` changes the newest, unsigned.

        Raises:
            RepositoryStateError: the repository is missing or damaged.
        """
        old = self._files.read_root().signed
        new = Root.from_dict(old.to_dict())
        new.version, new.expires = old.version + 1, self._expires("root")
        edit(new)
        return Metadata(new)

    def sign_root(self, draft: Metadata[Root]) -> None:
        """Add the signatures of every root key here that the newest root or the draft names.

        Raises:
            MissingKeysError, UsageError: no root key is here, or one cannot be read.
        """
        named = {*self._files.read_root().signed.roles["root"].keyids, *draft.signed.roles["root"].keyids}
        for signer in self._keyring.signers("root", 1):
            if signer.public_key.keyid in named:
                draft.sign(signer, append=True)

    def install_root(self, draft: Metadata[Root]) -> tuple[Role, ...]:
        """Make a signed draft the newest root, and sign again the roles whose keys it changes.

        The plan: (1) it follows the newest root; (2) that one and itself ask for no more signatures; (3) every role goes on:
        its metadata satisfy the draft, or the keys that do are here; then (4) write it, (5) sign targets, snapshot and
        timestamp again where their keys changed. Killed between 4 and 5, `refresh` does what is left.

        Returns:
            The roles that were signed again.

        Raises:
            RepositoryStateError: 1 or 2 does not hold; nothing was changed.
            MissingKeysError, UsageError: 3 does not hold; nothing was changed.
        """
        with self._files.locked():
            state = self._files.read_state()
            old, new = state.root.signed, draft.signed
            # step 1
            if new.version != old.version + 1:
                raise RepositoryStateError(f"expected root {old.version + 1}, got root {new.version}; draft it again")
            # step 2
            for asking in (old, new):
                if not is_signed("root", draft, asking):
                    raise RepositoryStateError(
                        f"root {new.version} has too few signatures for root {asking.version}: expected "
                        f"{asking.roles['root'].threshold} of its root keys'; let more of them sign"
                    )
            # step 3
            lacking: set[Role] = {role for role in ROLES[1:] if not is_signed(role, state.of(role), new)} | {"timestamp"}
            for role in lacking:
                self._signers(role, new)
            changed = {role for role in ROLES[1:] if new.roles[role] != old.roles[role] and self._can_sign(role, new)}
            # step 4
            self._files.write_metadata("root", draft)
            # step 5
            due, state = lacking | changed, replace(state, root=draft)
            if "targets" in due:
                state, due = self._renew_targets(state), due | {"snapshot"}
            if "snapshot" in due:
                state = self._renew_snapshot(state)
            self._sign_timestamp(draft, state.snapshot, version=state.timestamp.signed.version + 1)
        return tuple(role for role in ROLES if role in due)

    def _can_sign(self, role: Role, root: Root) -> bool:
        try:
            self._signers(role, root)
        except (UsageError, RepositoryStateError):
            return False
        return True

    def key_ids(self) -> dict[Role, tuple[str, ...]]:
        """Return the key ids that the newest root names for each role.

        Raises:
            RepositoryStateError: the repository is missing or damaged.
        """
        root = self._files.read_root().signed
        return {role: tuple(root.roles[role].keyids) for role in ROLES}

    def _sign_first_root(self) -> Metadata[Root]:
        root = Root(version=1, expires=self._expires("root"), consistent_snapshot=True)
        for role in ROLES:
            for key in self._keyring.public_keys(role):
                root.add_key(key, role)
            root.roles[role].threshold = PLANS[role].threshold
        return self._sign("root", root, root)

    def _renew_root(self, state: State) -> State:
        new = self.draft_root(lambda _: None).signed
        return replace(state, root=self._sign("root", new, state.root.signed))

    def _renew_targets(self, state: State) -> State:
        return replace(state, targets=self._sign_targets(state.root, state.targets.signed.targets))

    def _renew_snapshot(self, state: State) -> State:
        return replace(state, snapshot=self._sign_snapshot(state.root, state.targets))

    def _sign_targets(self, root: Metadata[Root], targets: Mapping[str, TargetFile], *, at_least: int = 1) -> Metadata[Targets]:
        version = max(self._files.next_version("targets"), at_least)
        new = Targets(version=version, expires=self._expires("targets"), targets=dict(targets))
        return self._sign("targets", new, root.signed)

    def _sign_snapshot(self, root: Metadata[Root], targets: Metadata[Targets], *, at_least: int = 1) -> Metadata[Snapshot]:
        version = max(self._files.next_version("snapshot"), at_least)
        meta = {"targets.json": self._files.describe_metadata("targets", targets.signed.version)}
        return self._sign("snapshot", Snapshot(version=version, expires=self._expires("snapshot"), meta=meta), root.signed)

    def _sign_timestamp(self, root: Metadata[Root], snapshot: Metadata[Snapshot], *, version: int) -> None:
        """Lead clients to a snapshot."""
        timestamp = Timestamp(
            version=version,
            expires=self._expires("timestamp"),
            snapshot_meta=self._files.describe_metadata("snapshot", snapshot.signed.version),
        )
        self._sign("timestamp", timestamp, root.signed)

    def _sign(self, role: Role, signed: S, root: Root) -> Metadata[S]:
        """Sign, check as a client would, write."""
        metadata = Metadata(signed)
        for signer in self._signers(role, root):
            metadata.sign(signer, append=True)
        root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        self._files.write_metadata(role, metadata)
        return metadata

    def _signers(self, role: Role, root: Root) -> list[CryptoSigner]:
        """Return those signers of a role that the root names, enough of them.

        Raises:
            MissingKeysError, UsageError: too few private keys are here, or can be read.
            RepositoryStateError: those that are here are not the root's.
        """
        named = root.roles[role]
        here = self._keyring.signers(role, named.threshold)
        signers = [signer for signer in here if signer.public_key.keyid in named.keyids]
        if len(signers) < named.threshold:
            raise RepositoryStateError(
                f"the {role} keys in {self._keyring.folder} are not those that this repository's root names: expected "
                f"{named.threshold} of its keys, got {len(signers)}. Clients would refuse what they sign, so nothing was "
                "published. Restore the hub's own keys."
            )
        return signers

    def _is_due(self, role: Role, state: State) -> bool:
        left = state.of(role).signed.expires - self._clock()
        if left >= RENEW_BELOW * LIFETIMES[role] and is_signed(role, state.of(role), state.root.signed):
            return False
        try:
            self._signers(role, state.root.signed)
        except MissingKeysError:  # as offline keys should be; `check_expiry` says when they are needed
            return False
        except (UsageError, RepositoryStateError) as error:
            log.warning("%s is not signed again: %s", role, error)
            return False
        return True

    def _expires(self, role: Role) -> datetime:
        return (self._clock() + LIFETIMES[role]).replace(microsecond=0)


def is_signed(role: Role, metadata: AnyMetadata, root: Root) -> bool:
    """Whether a role's metadata have the signatures that a root asks for."""
    try:
        root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError):
        return False
    return True


def _attempt(role: str, renew: Callable[[State], State], state: State, *, insist: bool) -> State:
    """Return the state with a role signed again; as it is where that fails and nobody insists: the timestamp must go on."""
    try:
        return renew(state)
    except (ManyheadsError, OSError) as error:
        if insist:
            raise
        log.warning("%s is not signed again: %s", role, error)
        return state
