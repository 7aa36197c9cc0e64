"""Record files: one evidence or failure record a line (JSONL), in canonical form. A killed scan is taken up where it stopped.

A batch of lines is written and synced at once. What a kill cuts off is the last line; it is removed when the file is opened
again, so that no record is there twice and none by half. A file that holds anything else is never touched.

A name has a second record where its file was examined again: because it could not be read the first time, or its size changed.
The later record counts.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from manyheads_client.inputs import item_name
from manyheads_shared.digest import Digest, short
from manyheads_shared.errors import ManifestError, UnreadableImageError, UsageError
from manyheads_shared.evidence import EvidenceRecord, FailureRecord

Record = EvidenceRecord | FailureRecord

_STARTS = (b'{"claimed_by":[', b'{"created":"')  # of evidence and failure records in canonical form
_LONGEST_START = max(map(len, _STARTS))
_IS_FAILURE = f'"format":"{FailureRecord.FORMAT}"'.encode()  # cannot occur in a value: quotes are escaped there


class RecordFile:
    """A record file open for adding to.

    Example:
        >>> with RecordFile(Path("scan.jsonl"), bundle.verified.digest) as file:
        ...     file.write(records)
    """

    def __init__(self, path: Path, bundle: Digest) -> None:
        """Open or create `path`, read which items it has and repair its end.

        The plan: (1) nobody else writes to it; (2) it begins as records do; (3) every whole line is a record made with
        `bundle`; (4) what follows them is a record cut off, and is removed.

        Raises:
            UsageError: it is no record file, was made with another bundle, or another process is writing to it.
        """
        self.path = path
        self.done: dict[str, int | None] = {}  # item name -> size in bytes; None for a failure that will repeat itself
        self._handle = _open(path)
        try:
            # step 1
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # step 2
            self._refuse_foreign(os.pread(self._handle, _LONGEST_START, 0))
            # step 3
            whole = self._read_done(bundle)
            # step 4
            self._cut_off(whole)
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
        """Whether an item is recorded already, and its file has the size it had then. One that could not be read is not."""
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

    def _refuse_foreign(self, start: bytes) -> None:
        if not any(start.startswith(own) or own.startswith(start) for own in _STARTS):
            raise UsageError(f"{self.path}: exists and holds no evidence records; it is left alone. Choose another file.")

    def _cut_off(self, whole: int) -> None:
        """Remove what follows the first `whole` bytes, if that is the beginning of a record."""
        size = os.fstat(self._handle).st_size
        if size == whole:
            return
        rest = os.pread(self._handle, size - whole, whole)
        self._refuse_foreign(rest)
        if _is_json(rest) and not _is_record(rest):  # somebody's file, whole, that happens to begin like a record
            self._refuse_foreign(b"?")
        os.ftruncate(self._handle, whole)
        os.fsync(self._handle)

    def _read_done(self, bundle: Digest) -> int:
        """Read the whole lines; return how many bytes they have."""
        whole = 0
        for number, line in _lines(self.path):
            whole += len(line) + 1
            try:
                value = _load(line)
                if value["format"] == FailureRecord.FORMAT:
                    self.done[value["name"]] = None
                    if value["error"] == UnreadableImageError.__name__:
                        del self.done[value["name"]]
                    continue
                item, made_with = value["item"], value["instrument"]["bundle"]
                self.done[item["name"]] = item["size_bytes"]
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(f"{self.path}, line {number}: expected a record, got something else") from error
            if made_with != bundle:
                raise UsageError(
                    f"{self.path} holds records made with bundle {short(str(made_with))}, the current one is {short(bundle)}. "
                    "Write to another file: one scan is made with one instrument."
                )
        return whole


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
    return (record for _, record in _numbered(path))


def read_latest(path: Path) -> Iterator[Record]:
    """Read a record file, of every name its last record, in the order of the file. Errors as `read_records`."""
    last = {_name_in(line): number for number, line in _lines(path)}
    numbers = set(last.values())
    return (record for number, record in _numbered(path) if number in numbers)


def _numbered(path: Path) -> Iterator[tuple[int, Record]]:
    for number, line in _lines(path):
        try:
            yield number, _parse(line)
        except ManifestError as error:
            raise ManifestError(f"{path}, line {number}: {error}") from error


def _name_in(line: bytes) -> Any:
    """The name in a record, read quickly; of a line that is none, the line, so that nobody passes it over."""
    try:
        value = _load(line)
        name = value.get("item", value)["name"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return line
    return name if isinstance(name, str) else line


def _load(line: bytes) -> Any:
    """Parse JSON; whatever is wrong with it is a ValueError."""
    try:
        return json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _is_json(data: bytes) -> bool:
    try:
        _load(data)
    except ValueError:
        return False
    return True


def _is_record(line: bytes) -> bool:
    try:
        _parse(line)
    except ManifestError:
        return False
    return True


def _parse(line: bytes) -> Record:
    return (FailureRecord if _IS_FAILURE in line else EvidenceRecord).from_bytes(line)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    with file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                yield number, line[:-1]
