"""Record files: one document a line (JSONL), in canonical form. A killed scan is taken up where it stopped.

An instrument comes before the first record that names it; then evidence and failure records. A batch of lines is written and
synced at once. What a kill cuts off is the last line; it is removed when the file is opened again, so that no record is there
twice and none by half. A file that holds anything else is never touched.

A name has a second record where its file was examined again: because it could not be read the first time, or its size changed.
The later record counts. However many records there are, memory does not grow with them.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from manyheads_client.inputs import Item
from manyheads_client.names import Names
from manyheads_shared.digest import Digest, short
from manyheads_shared.errors import FormatError, ManifestError, UnreadableImageError, UsageError
from manyheads_shared.evidence import CarryingInstrument, EvidenceRecord, Examined, FailureRecord, Instrument, read_instrument
from manyheads_shared.evidence_v1 import EvidenceRecordV1

Record = Examined | FailureRecord
OldRecord = EvidenceRecordV1

_KINDS = (Instrument, CarryingInstrument, EvidenceRecord, FailureRecord, EvidenceRecordV1)
_MARKS = {f'"format":"{kind.FORMAT}"'.encode(): kind for kind in _KINDS}  # cannot occur in a value: quotes are escaped there
_INSTRUMENTS = (Instrument.FORMAT, CarryingInstrument.FORMAT)
_STARTS = (b'{"bundle":"', b'{"claimed_by":[', b'{"created":"')  # of instruments, evidence and failure records
_LONGEST_START = max(map(len, _STARTS))
_FINAL = -1  # the size of what failed and will fail again


class RecordFile:
    """A record file open for adding to.

    Example:
        >>> with RecordFile(Path("scan.jsonl"), bundle.verified.digest) as file:
        ...     file.write(records)
    """

    def __init__(self, path: Path, bundle: Digest) -> None:
        """Open or create `path`, read which items it has and repair its end.

        The plan: (1) nobody else writes to it; (2) it begins as records do; (3) every whole line is an instrument of `bundle`
        or a record made with one; (4) what follows them is a line cut off, and is removed.

        Raises:
            UsageError: it is no record file, was made with another bundle or by an earlier version, or another process is
                writing to it.
        """
        self.path = path
        self._sizes = Names()  # item name -> bytes of its file
        self._instruments: set[Digest] = set()
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
            self._close()
            if isinstance(error, BlockingIOError):
                raise UsageError(f"{path}: another process is writing records to this file") from error
            raise
        self.done = len(self._sizes)  # items that were recorded before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def has(self, item: Item) -> bool:
        """Whether an item is recorded already, and its file has the size it had then. One that could not be read is not."""
        size = self._sizes.find(item.name)
        return size is not None and (size == _FINAL or item.size is None or item.size == size)

    def has_failed(self, item: Item) -> bool:
        """Whether an item is recorded as one that could not be examined, and never will be."""
        return self._sizes.find(item.name) == _FINAL

    @property
    def instruments(self) -> frozenset[Digest]:
        """The instruments that its records name."""
        return frozenset(self._instruments)

    def write(self, records: Iterable[Record]) -> None:
        """Add records, and their instruments where the file has none of them; they survive a power cut once this returns."""
        lines = memoryview(b"".join(line + b"\n" for record in records for line in self._lines_of(record)))
        while lines:
            lines = lines[os.write(self._handle, lines) :]
        os.fsync(self._handle)

    def _lines_of(self, record: Record) -> Iterator[bytes]:
        if isinstance(record, FailureRecord):
            self._note_failure(record.name, record.error)
        else:
            self._sizes.put(record.name, record.record.item.size_bytes)
        return lines_of(record, self._instruments)

    def _note_failure(self, name: str, error: str) -> None:
        if error == UnreadableImageError.__name__:
            self._sizes.drop(name)
        else:
            self._sizes.put(name, _FINAL)

    def _refuse_foreign(self, start: bytes) -> None:
        if not any(start.startswith(own) or own.startswith(start) for own in _STARTS):
            raise UsageError(f"{self.path}: exists and holds no evidence records; it is left alone. Choose another file.")

    def _cut_off(self, whole: int) -> None:
        """Remove what follows the first `whole` bytes, if that is the beginning of a line of ours."""
        size = os.fstat(self._handle).st_size
        if size == whole:
            return
        rest = os.pread(self._handle, size - whole, whole)
        self._refuse_foreign(rest)
        if _is_json(rest) and not _is_ours(rest):  # somebody's file, whole, that happens to begin like a record
            self._refuse_foreign(b"?")
        os.ftruncate(self._handle, whole)
        os.fsync(self._handle)

    def _read_done(self, bundle: Digest) -> int:
        """Read the whole lines; return how many bytes they have."""
        whole = 0
        for number, line in _lines(self.path):
            whole += len(line) + 1
            try:
                self._note(_load(line), line, bundle)
            except (ValueError, KeyError, TypeError, ManifestError) as error:
                raise UsageError(f"{self.path}, line {number}: expected a record, got something else") from error
        return whole

    def _note(self, value: dict[str, Any], line: bytes, bundle: Digest) -> None:
        kind = value["format"]
        if kind == FailureRecord.FORMAT:
            self._note_failure(_text(value["name"]), value["error"])
        elif kind == EvidenceRecord.FORMAT and value["instrument"] in self._instruments:
            self._sizes.put(_text(value["item"]["name"]), int(value["item"]["size_bytes"]))
        elif kind in _INSTRUMENTS and value["bundle"] == bundle:
            self._instruments.add(read_instrument(line).digest)
        elif kind in _INSTRUMENTS:
            before = short(str(value["bundle"]))
            raise UsageError(
                f"{self.path} holds records made with bundle {before}, the current one is {short(bundle)}. "
                "Write to another file: one scan is made with one bundle."
            )
        elif kind == EvidenceRecordV1.FORMAT:
            raise UsageError(f"{self.path} holds records of an earlier version of manyheads; write to another file.")
        else:
            raise ValueError(kind)

    def _close(self) -> None:
        os.close(self._handle)
        self._sizes.close()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r:.60}")
    return value


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except (PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise UsageError(f"{path}: expected a file that can be written to ({error.strerror})") from error


def lines_of(record: Record, known: set[Digest]) -> Iterator[bytes]:
    """The lines that a record adds to a file, without their ends.

    Args:
        known: the instruments that the file has; one that is new comes first and is added.
    """
    if isinstance(record, FailureRecord):
        yield record.to_bytes()
        return
    if record.record.instrument not in known:
        known.add(record.record.instrument)
        yield record.instrument.to_bytes()
    yield record.record.to_bytes()


def read_records(path: Path) -> Iterator[Record | OldRecord]:
    """Read a record file; an unfinished last line is passed over.

    Raises:
        UsageError: no such file.
        FormatError: a line is no record, or names an instrument that no line before it is; the message has its number.
    """
    return (record for _, record in _numbered(path))


def read_latest(path: Path) -> Iterator[Record | OldRecord]:
    """Read a record file, of every name its last record, in the order of the file. Errors as `read_records`."""
    with Names() as last:
        for number, line in _lines(path):
            last.put(_name_in(line), number)
        for number, record in _numbered(path):
            if last.find(name_of(record)) == number:
                yield record


def read_instruments(path: Path) -> Iterator[Instrument]:
    """Read the instruments of a record file. Errors as `read_records`."""
    marks = [f'"format":"{kind}"'.encode() for kind in _INSTRUMENTS]
    return (read_instrument(line) for _, line in _lines(path) if any(mark in line for mark in marks))


def check_lines(path: Path) -> Iterator[tuple[int, Instrument | Record | OldRecord | ManifestError]]:
    """Read a record file line by line, by number; what is no record is yielded as the error that says why.

    Raises:
        UsageError: no such file.
    """
    instruments: dict[Digest, Instrument] = {}
    for number, line in _lines(path):
        try:
            yield number, _parse_next(line, instruments)
        except FormatError as error:
            yield number, ManifestError(str(error))


def is_record_file(path: Path) -> bool:
    """Whether a file begins as record files do."""
    with path.open("rb") as file:
        return file.read(_LONGEST_START).startswith(_STARTS)


def name_of(record: Record | OldRecord) -> str:
    """The image a record is about, as it was given."""
    return record.item.name if isinstance(record, EvidenceRecordV1) else record.name


def _numbered(path: Path) -> Iterator[tuple[int, Record | OldRecord]]:
    instruments: dict[Digest, Instrument] = {}
    for number, line in _lines(path):
        try:
            value = _parse_next(line, instruments)
        except ManifestError as error:
            raise ManifestError(f"{path}, line {number}: {error}") from error
        if not isinstance(value, Instrument):
            yield number, value


def _parse_next(line: bytes, instruments: dict[Digest, Instrument]) -> Instrument | Record | OldRecord:
    """Read one line, knowing the instruments before it, and learn the one it is."""
    value = _parse(line)
    if isinstance(value, Instrument):
        instruments[value.digest] = value
        return value
    return _with_instrument(value, instruments)


def _with_instrument(
    value: EvidenceRecord | FailureRecord | OldRecord, instruments: dict[Digest, Instrument]
) -> Record | OldRecord:
    if not isinstance(value, EvidenceRecord):
        return value
    instrument = instruments.get(value.instrument)
    if instrument is None:
        raise ManifestError(f"expected a record of an instrument named before, it names {value.instrument}")
    if len(instrument.heads) != len(value.heads):
        raise ManifestError(f"expected {len(instrument.heads)} heads' answers, as its instrument has, got {len(value.heads)}")
    return Examined(value, instrument)


def _name_in(line: bytes) -> str:
    """The name in a record, read quickly; of what has none, nothing."""
    try:
        value = _load(line)
        return str(value.get("item", value)["name"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


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


def _is_ours(line: bytes) -> bool:
    try:
        _parse(line)
    except ManifestError:
        return False
    return True


def _parse(line: bytes) -> Instrument | EvidenceRecord | FailureRecord | EvidenceRecordV1:
    kind = next((kind for mark, kind in _MARKS.items() if mark in line), EvidenceRecord)
    return kind.from_bytes(line)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    with file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                yield number, line[:-1]
