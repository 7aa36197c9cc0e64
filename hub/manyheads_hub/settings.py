"""A hub is one folder. Where everything lies in it, and the numbers that hub.toml sets.

FOLDER/hub.toml            name, suite, database, storage, limits
FOLDER/policy.json         the gate's numbers
FOLDER/root.json           the TUF root that clients are given
FOLDER/keys/{offline,online}/
FOLDER/hub.sqlite          the database, unless hub.toml names a PostgreSQL
FOLDER/blobs/, tuf/, uploads/    the storage, unless hub.toml names a bucket

A hub of several replicas has a copy of this folder on each machine, without the last two lines.
"""

import json
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from manyheads_hub.engines.address import check_database_url
from manyheads_hub.storage.location import S3Location
from manyheads_shared.artifact import MAX_HEAD_BYTES
from manyheads_shared.errors import UsageError
from manyheads_shared.files import write_atomic
from manyheads_shared.image import MAX_FILE_BYTES
from manyheads_shared.manifest import Name

SETTINGS_FILE = "hub.toml"


@dataclass(frozen=True)
class Limits:
    """What one contributor, or one job, may use. Set under `[limits]` in hub.toml."""

    upload_bytes: int = max(MAX_HEAD_BYTES, MAX_FILE_BYTES)  # of one object: no head and no image may be larger
    contributor_bytes: int = 8 << 30  # of all objects of one contributor: 2,000 proofs of 4 MB
    submissions_per_day: int = 50  # each shows the contributor a figure measured on the hidden suite
    offers_per_day: int = 200  # heads that come to the door, taken in or not: each is up to 2,000 images to decode
    proof_pixels: int = 25_000_000  # of one proof image: 75 MB decoded, a second's work; what a trunk sees is far smaller
    request_bytes: int = 1 << 20  # of any other request: 2,000 proof digests are 150 kB
    requests_per_minute: int = 1200  # of one token or one address: pages, API, signing in
    transfers_per_minute: int = 20_000  # likewise, of files: a pull of 1,000 heads is 3,000, a submission 4,000 small ones
    sign_ins_per_minute: int = 10  # of one address, to the pages and with invitations
    job_seconds: int = 4 * 3600  # of one evaluation or publication, before its process is ended
    job_cpu_seconds: int = 16 * 3600  # likewise, of all its threads together
    job_memory_bytes: int = 16 << 30  # likewise, resident


@dataclass(frozen=True)
class Settings:
    """A hub's folder, name, suite, database, storage and limits."""

    folder: Path
    name: str
    suite: Path | None = None  # labelled images, in the layout of manyheads_shared.dataset
    database: str | None = None  # a PostgreSQL's address; None: SQLite in the folder
    storage: S3Location | None = None  # None: the folder
    limits: Limits = Limits()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read FOLDER/hub.toml.

        Raises:
            UsageError: no hub there, or hub.toml has an unknown key or a value of the wrong type.
        """
        path = folder / SETTINGS_FILE
        try:
            values = tomllib.loads(path.read_text())
        except FileNotFoundError as error:
            raise UsageError(
                f"{folder}: no hub here (no {SETTINGS_FILE}); make one with `manyheads-hub init {folder} --name NAME`"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: expected TOML: {error}") from error
        limits, storage = values.pop("limits", {}), values.pop("storage", None)
        _refuse_unknown(path, values, {"name", "suite", "database"})
        _refuse_unknown(path, limits, {field.name for field in fields(Limits)})
        if bad := [key for key, value in limits.items() if type(value) is not int or value <= 0]:
            raise UsageError(f"{path}: limits.{bad[0]}: expected a whole number above 0, got {limits[bad[0]]!r}")
        suite = values.get("suite")
        if suite is not None and not isinstance(suite, str):
            raise UsageError(f"{path}: suite: expected the path of a folder, got {suite!r}")
        return cls(
            folder=folder,
            name=check_hub_name(values.get("name")),
            suite=folder / suite if suite else None,  # an absolute path stands for itself
            database=check_database_url(values["database"]) if "database" in values else None,
            storage=None if storage is None else S3Location.parse(path, storage),
            limits=Limits(**limits),
        )

    def with_suite(self, suite: Path) -> "Settings":
        """Return these settings with another suite."""
        return replace(self, suite=suite.resolve())

    def write(self) -> None:
        """Write FOLDER/hub.toml."""
        lines = [f"name = {json.dumps(self.name)}"]
        if self.suite is not None:
            lines.append(f"suite = {json.dumps(str(self.suite))}")
        if self.database is not None:
            lines.append(f"database = {json.dumps(self.database)}")
        if self.storage is not None:
            lines += ["", "[storage]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in self.storage.to_table().items()]
        lines += ["", "[limits]"]
        lines += [f"{field.name} = {getattr(self.limits, field.name)}" for field in fields(Limits)]
        write_atomic(self.folder / SETTINGS_FILE, ("\n".join(lines) + "\n").encode())

    @property
    def sqlite(self) -> Path:
        """The SQLite file, where there is one."""
        return self.folder / "hub.sqlite"

    @property
    def keys(self) -> Path:
        """The folder of the offline and the online keys."""
        return self.folder / "keys"

    @property
    def root(self) -> Path:
        """The TUF root that clients are given."""
        return self.folder / "root.json"

    @property
    def root_draft(self) -> Path:
        """The first root, waiting for the signatures of a ceremony."""
        return self.folder / "root-draft.json"

    @property
    def policy(self) -> Path:
        """The gate's policy."""
        return self.folder / "policy.json"


def check_hub_name(name: Any) -> str:
    """Return a hub's name.

    Raises:
        UsageError: it is none.
    """
    try:
        return TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise UsageError(f"name: expected a hub's name of a-z, 0-9, '.', '_', '-' (64 at most), got {name!r}") from error


def _refuse_unknown(path: Path, values: Any, known: set[str]) -> None:
    if not isinstance(values, dict):
        raise UsageError(f"{path}: limits: expected a table, got {values!r}")
    if unknown := sorted(values.keys() - known):
        raise UsageError(f"{path}: unknown key {unknown[0]!r}; known here: {', '.join(sorted(known))}")
