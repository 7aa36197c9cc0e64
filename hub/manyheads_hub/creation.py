"""A new hub: built beside its place and moved there whole, so that no half of one is ever found there.

A killed `init` leaves what it had built, private keys included, in a hidden folder beside; the next one there removes it.
"""

import glob
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from securesystemslib.signer import SSlibKey
from sqlalchemy import exists, select
from tuf.api.metadata import Metadata, Root

from manyheads_hub.evaluations.policy import Policy, write_policy
from manyheads_hub.hub import Hub, build_hub
from manyheads_hub.migrations.run import upgrade
from manyheads_hub.settings import SETTINGS_FILE, Settings, check_hub_name
from manyheads_hub.signing.ceremony import count_signatures, draft_first_root, write_draft
from manyheads_hub.signing.keyring import create_keys
from manyheads_hub.signing.repository import is_signed
from manyheads_hub.signing.tuf_files import RepositoryStateError
from manyheads_hub.storage.location import S3Location
from manyheads_hub.tables import ContributorRow, PrimaryRow
from manyheads_shared.dataset import Dataset, scan_dataset
from manyheads_shared.errors import DatasetError, UsageError
from manyheads_shared.files import sync_folder, write_atomic
from manyheads_shared.passphrase import read_passphrase


def check_new_hub(
    folder: Path, *, name: str, suite: Path | None, database: str | None = None, storage: S3Location | None = None
) -> Settings:
    """Return the settings of a hub that may be made.

    Raises:
        UsageError: a hub or anything else is there, in the folder, the database or the bucket; or the name is none.
        UnavailableError: the database or the bucket does not answer.
        DatasetError: the suite cannot be used.
    """
    if (folder / SETTINGS_FILE).exists():
        raise UsageError(f"{folder}: a hub is here already, and it is never overwritten; choose another folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: expected a new or empty folder, this one holds other things; choose another")
    if suite is not None:
        check_suite_folder(suite)
    settings = Settings(folder, check_hub_name(name), None if suite is None else suite.resolve(), database, storage)
    hub = build_hub(settings)
    try:
        _check_unused(hub)
    finally:
        hub.close()
    return settings


def check_suite_folder(folder: Path) -> Dataset:
    """Return the images of a folder that can serve as a suite.

    Raises:
        DatasetError: no such folder, no photographs, or no generated images.
    """
    dataset = scan_dataset(folder)
    for kind, example in (("real", "real/SOURCE"), ("generated", "generated/GENERATOR")):
        if not dataset.select(kind="real" if kind == "real" else "generated", external=False):
            raise DatasetError(
                f"{folder}: expected {kind} images in {folder}/{example}/, found none; thresholds need both kinds"
            )
    return dataset


def create_hub(settings: Settings, root_keys: Sequence[SSlibKey] = (), root_threshold: int = 2) -> None:
    """Make a hub: database, keys, TUF repository, policy, settings.

    Args:
        root_keys: public root keys whose private halves are elsewhere; the hub is then complete after `complete_hub`, with
            the draft that lies in `root-draft.json`. Without any, root keys are made here.
        root_threshold: how many of them must sign.
    """
    folder = settings.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name}.manyheads-init-"
    for left_over in folder.parent.glob(f"{glob.escape(prefix)}*"):
        shutil.rmtree(left_over)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=prefix))  # mode 0700
    try:
        _fill(replace(settings, folder=temporary), root_keys, root_threshold)
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def complete_hub(hub: Hub, first_root: Metadata[Root]) -> None:
    """Complete a hub whose root was signed elsewhere (`signing.ceremony`).

    Raises:
        RepositoryStateError: the root has too few signatures, or is no first root.
    """
    if first_root.signed.version != 1 or not is_signed("root", first_root, first_root.signed):
        raise RepositoryStateError(
            f"expected root 1 with {first_root.signed.roles['root'].threshold} signatures of its root keys, got root "
            f"{first_root.signed.version} with {count_signatures(first_root, first_root.signed)}; let more of them sign"
        )
    write_atomic(hub.settings.root, hub.repository.create(first_root))


def _check_unused(hub: Hub) -> None:
    """Check that what the hub would share with nobody is there and empty. In a new folder everything is."""
    if hub.settings.database is not None and hub.database.find_revision() is not None:
        with hub.database.read() as session:
            if session.scalars(select(exists(select(PrimaryRow)) | exists(select(ContributorRow)))).one():
                raise UsageError(f"{hub.settings.database}: this database is a hub's already; make another one")
    if hub.settings.storage is not None:
        hub.storage.check()
        for prefix in ("tuf", "blobs", "uploads"):
            if found := next(hub.storage.list(prefix), None):
                raise UsageError(
                    f"{hub.storage.place(found.name)}: another hub lies here. Choose another prefix, or remove what a killed "
                    "`init` left"
                )


def _fill(settings: Settings, root_keys: Sequence[SSlibKey], root_threshold: int) -> None:
    """Make everything. What lies outside the folder comes last, so that a kill leaves little of it."""
    keyring = create_keys(settings.keys, read_passphrase(), but=frozenset({"root"}) if root_keys else frozenset())
    write_policy(settings.policy, Policy.new())
    settings.write()
    hub = replace(build_hub(settings), keyring=keyring)
    try:
        upgrade(hub.database)
        if root_keys:
            write_draft(settings.root_draft, draft_first_root(keyring, root_keys, root_threshold))
        else:
            write_atomic(settings.root, hub.repository.create())
    finally:
        hub.close()
