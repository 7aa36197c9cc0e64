"""Record files: one evidence or failure record a line (JSONL), in canonical form. A killed scan is taken up where it stopped.

A batch of lines is written and synced at once. What a kill cuts off is the last line; it is removed when the file is opened
again, so that no record is there twice and none by half.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from manyheads_client.inputs import item_name
from manyheads_shared.digest import Digest, short
from manyheads_shared.errors import ManifestError, UsageError
from manyheads_shared.evidence import EvidenceRecord, FailureRecord

Record = EvidenceRecord | FailureRecord

_FIRST_BYTES = b'{"c'  # of every record in canonical form: `claimed_by` or `created`
_IS_FAILURE = f'"format":"{FailureRecord.FORMAT}"'.encode()  # cannot occur in a value: quotes are escaped there


class RecordFile:
    """A record file open for adding to.

    Example:
        >>> with RecordFile(Path("scan.jsonl"), bundle.verified.digest) as file:
        ...     file.write(records)
    """

    def __init__(self, path: Path, bundle: Digest) -> None:
        """Open or create `path`, repair its end and read which items it has.

        Raises:
            UsageError: it is no record file, was made with another bundle, or another process is writing to it.
        """
        self.path = path
        self.done: dict[str, int | None] = {}  # item name -> size in bytes; None for a failure
        self._handle = _open(path)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._repair()
            self._read_done(bundle)
        except BaseException as error:
            os.close(self._handle)
            if isinstance(error, BlockingIOError):
                raise UsageError(f"{path}: another process is writing records to this file") from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._handle)

    def has(self, path: Path) -> bool:
        """Whether an item is recorded already, and its file has the size it had then."""
        name = item_name(path)
        if name not in self.done:
            return False
        size = self.done[name]
        try:
            return size is None or path.stat().st_size == size
        except OSError:
            return True

    def write(self, records: Iterable[Record]) -> None:
        """Add records; they survive a power cut once this returns."""
        lines = memoryview(b"".join(record.to_bytes() + b"\n" for record in records))
        while lines:
            lines = lines[os.write(self._handle, lines) :]
        os.fsync(self._handle)

    def _repair(self) -> None:
        """Remove an unfinished last line, if this is a record file at all."""
        with os.fdopen(os.dup(self._handle), "rb") as file:
            start = file.read(len(_FIRST_BYTES))
            if start != _FIRST_BYTES[: len(start)]:
                raise UsageError(f"{self.path}: exists and holds no evidence records; it is left alone. Choose another file.")
            end = whole = file.seek(0, os.SEEK_END)
            while whole:
                file.seek(whole - 1)
                if file.read(1) == b"\n":
                    break
                whole -= 1
        if whole != end:
            os.ftruncate(self._handle, whole)
            os.fsync(self._handle)

    def _read_done(self, bundle: Digest) -> None:
        for number, line in _lines(self.path):
            try:
                value = json.loads(line)
                if value["format"] == FailureRecord.FORMAT:
                    self.done[value["name"]] = None
                    continue
                item, made_with = value["item"], value["instrument"]["bundle"]
                self.done[item["name"]] = item["size_bytes"]
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(f"{self.path}, line {number}: expected a record, got something else") from error
            if made_with != bundle:
                raise UsageError(
                    f"{self.path} holds records made with bundle {short(made_with)}, the current one is {short(bundle)}. "
                    "Write to another file: one scan is made with one instrument."
                )


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except (PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise UsageError(f"{path}: expected a file that can be written to ({error.strerror})") from error


def read_records(path: Path) -> Iterator[Record]:
    """Read a record file; an unfinished last line is passed over.

    Raises:
        UsageError: no such file.
        FormatError: a line is no record; the message has its number.
    """
    for number, line in _lines(path):
        kind = FailureRecord if _IS_FAILURE in line else EvidenceRecord
        try:
            yield kind.from_bytes(line)
        except ManifestError as error:
            raise ManifestError(f"{path}, line {number}: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    with file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                yield number, line[:-1]
