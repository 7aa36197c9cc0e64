"""Taking evidence into a case: copied whole, digested while it is read, kept read-only. The originals are only read."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from manyheads_client.archives import is_archive
from manyheads_client.case import INCOMING, Case, Evidence, finish_incoming, open_case
from manyheads_client.custody import CustodyLog
from manyheads_client.inputs import item_name
from manyheads_shared.digest import Digest, hex_of
from manyheads_shared.errors import UsageError
from manyheads_shared.files import sync_folder

EVIDENCE_MODE = 0o444
_CHUNK_BYTES = 1 << 20
_SUFFIX = re.compile(r"(\.[a-z0-9]{1,8}){1,2}")


def add_evidence(
    folder: Path, paths: Iterable[Path], *, who: str | None = None, on_file: Callable[[], None] = lambda: None
) -> list[Evidence]:
    """Copy files, and whole folders of them, into a case.

    For each: (1) a copy, whole and digested while it is read; (2) the line, with which it is evidence; (3) its place.

    Raises:
        UsageError: as `open_case`; a path that is not there, that cannot be read or is no file.
        ChainError: the case's log was changed.
    """
    files = [file for path in paths for file in _files(path)]
    with open_case(folder) as (case, log):
        known = {each.digest: each.file for each in case.evidence}
        added = []
        for file in files:
            added.append(_add(case, log, known, file, who or case.examiner))
            on_file()
        return added


def _files(path: Path) -> Iterator[Path]:
    """Files to add: whatever a folder holds, not images alone, links to folders not followed.

    Raises:
        UsageError: something that is no file, or a folder that cannot be read: nothing is passed over in silence.
    """
    if not path.is_dir():
        yield _as_file(path)
        return
    for folder, names, files in os.walk(path, onerror=_refuse_unreadable):
        names.sort()
        yield from (_as_file(Path(folder, name)) for name in sorted(files))


def _as_file(path: Path) -> Path:
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if not path.is_file():  # a pipe would wait for its writer
        raise UsageError(f"{path}: expected a file, got something that is none; add what lies beside it by name")
    return path


def _refuse_unreadable(error: OSError) -> None:
    raise UsageError(f"{error.filename}: cannot be read: {error.strerror}")


def _add(case: Case, log: CustodyLog, known: dict[Digest, str], source: Path, who: str) -> Evidence:
    # step 1
    incoming = case.folder / INCOMING
    incoming.mkdir(exist_ok=True)
    copying = incoming / "copying"
    try:
        with source.open("rb") as stream, copying.open("wb") as copy:
            digest, size = _copy(stream, copy)
    except OSError as error:
        copying.unlink(missing_ok=True)
        if error.filename == str(source):
            raise UsageError(f"{source}: cannot be read: {error.strerror}") from error
        raise
    copying.chmod(EVIDENCE_MODE)
    copying.replace(incoming / hex_of(digest))
    sync_folder(incoming)
    # step 2
    file = known.setdefault(digest, f"evidence/{hex_of(digest)}{_suffix(source)}")
    evidence = Evidence(digest, file, item_name(source), size)
    log.append(who, "evidence.added", digest, name=evidence.name, file=file, size_bytes=size)
    # step 3
    finish_incoming(case.folder, evidence)
    return evidence


def _copy(source: BinaryIO, copy: BinaryIO) -> tuple[Digest, int]:
    state, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK_BYTES):
        state.update(chunk)
        size += copy.write(chunk)
    copy.flush()
    os.fsync(copy.fileno())
    return Digest("sha256:" + state.hexdigest()), size


def _suffix(source: Path) -> str:
    """The end of a file's name as far as it says of what kind it is; `.tar.gz` has two."""
    ending = "".join(source.suffixes[-2:]).lower() if is_archive(source) else source.suffix.lower()
    return ending if _SUFFIX.fullmatch(ending) else ""
