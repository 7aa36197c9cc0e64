"""The custody log of a case: every act, one line each, chained by digest. Appends whole lines, and reads them verified.

What a kill cuts off is the last line, which then counts for nothing and is removed by whoever appends the next. Lines removed
from the end show by the seals, each of which signs the newest line of its moment. Specification: docs/formats/custody.md.
"""

import fcntl
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from manyheads_shared.bundle import KeyId
from manyheads_shared.chain import EMPTY, Head, Link, verify_links
from manyheads_shared.clock import now
from manyheads_shared.digest import DIGEST_PATTERN
from manyheads_shared.document import Count, Value
from manyheads_shared.errors import ChainError, FormatError, UsageError
from manyheads_shared.files import write_atomic
from manyheads_shared.manifest import DigestField, Name, Time
from manyheads_shared.seal import CustodyHead, Words

FILE = "custody.jsonl"
NAME = "custody log"

Action = Literal["case.opened", "evidence.added", "scan.started", "scan.sealed", "note.added"]


class Opened(Value):
    """Details of `case.opened`; its subject is the case's id."""

    laboratory: Words
    key_id: KeyId
    public_key: str  # PEM, of the key that seals the case's scans


class Added(Value):
    """Details of `evidence.added`; its subject is the file's digest."""

    name: str  # it came with
    file: Annotated[str, Field(pattern=r"^evidence/[0-9a-f]{64}(\.[a-z0-9]{1,8}){0,2}$")]  # below the case's folder
    size_bytes: Count


class Started(Value):
    """Details of `scan.started`; its subject is the record file, below the case's folder."""

    hub: Name
    bundle: DigestField
    bundle_sequence: Count


class Sealed(Value):
    """Details of `scan.sealed`; its subject is the record file."""

    records: DigestField
    seal: DigestField  # of the seal's bytes
    examined: Count
    failed: Count


class Noted(Value):
    """Details of `note.added`; its subject is the case's id."""

    text: Annotated[str, Field(min_length=1, max_length=10_000)]


_ANY, _DIGEST, _SCAN = r"^[\s\S]{1,500}$", DIGEST_PATTERN, r"^scans/[0-9]{4,9}\.jsonl$"
_SHAPES: Mapping[Action, tuple[str, type[Value]]] = {  # what the subject and the details of an action are
    "case.opened": (_ANY, Opened),
    "evidence.added": (_DIGEST, Added),
    "scan.started": (_SCAN, Started),
    "scan.sealed": (_SCAN, Sealed),
    "note.added": (_ANY, Noted),
}


class CustodyEntry(Link):
    """One act: who did what with what, and when."""

    FORMAT: ClassVar[str] = "manyheads.custody/1"

    time: Time
    who: Words
    action: Action
    subject: str
    details: dict[str, Any]

    @model_validator(mode="after")
    def _shaped(self) -> Self:
        subject, details = _SHAPES[self.action]
        if not re.fullmatch(subject, self.subject):
            raise ValueError(f"expected a subject of {self.action}, got {self.subject[:60]!r}")
        details.model_validate(self.details)
        return self


class CustodyLog:
    """A custody log open for appending."""

    def __init__(self, handle: int, entries: list[CustodyEntry], head: Head) -> None:
        self._handle, self.entries, self._head = handle, entries, head

    @property
    def head(self) -> CustodyHead:
        """The newest line, for a seal."""
        return CustodyHead(sequence=self._head.sequence, digest=self._head.digest)

    def append(self, who: str, action: Action, subject: str, **details: Any) -> CustodyEntry:
        """Append a line; it survives a power cut once this returns.

        Raises:
            ManifestError: a field is not what it has to be.
        """
        entry = build_entry(self._head, who, action, subject, details)
        data = memoryview(entry.to_bytes() + b"\n")
        while data:
            data = data[os.write(self._handle, data) :]
        os.fsync(self._handle)
        self.entries.append(entry)
        self._head = Head(entry.sequence, entry.digest)
        return entry


def build_entry(head: Head, who: str, action: Action, subject: str, details: dict[str, Any]) -> CustodyEntry:
    """Return the line that follows a head, now."""
    return CustodyEntry.new(
        sequence=head.sequence + 1,
        time=now(),
        who=who,
        action=action,
        subject=subject,
        details=details,
        previous=head.digest,
    )


def begin_custody(path: Path, who: str, subject: str, **details: Any) -> None:
    """Write a log of one line, `case.opened`, whole or not at all.

    Raises:
        ManifestError: a field is not what it has to be.
    """
    write_atomic(path, build_entry(EMPTY, who, "case.opened", subject, details).to_bytes() + b"\n")


@contextmanager
def open_custody(path: Path) -> Iterator[CustodyLog]:
    """Hold a log for appending: (1) nobody else does; (2) the chain holds; (3) a line that a kill cut off is removed.

    Raises:
        UsageError: it is not there, or another process holds it.
        ChainError: step 2 fails; nothing is appended to a log that was changed.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND)
    except OSError as error:
        raise UsageError(f"{path}: expected a case's custody log: {error.strerror}; make a case with `case new`") from error
    try:
        # step 1
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # step 2
        data = path.read_bytes()
        entries = list(read_entries(data))
        head = verify_links(entries, log=NAME)
        # step 3
        os.ftruncate(handle, data.rfind(b"\n") + 1)
        yield CustodyLog(handle, entries, head)
    except BlockingIOError as error:
        raise UsageError(f"{path}: another process is working in this case; try again when it is done") from error
    finally:
        os.close(handle)


def read_custody(path: Path, *, anchors: Iterable[Head] = ()) -> list[CustodyEntry]:
    """Read a log and verify its chain; an unfinished last line is passed over.

    Raises:
        UsageError: it cannot be read.
        ChainError: it is not the log that was written, or an anchor names a line that it does not have.
    """
    try:
        entries = list(read_entries(path.read_bytes()))
    except OSError as error:
        raise UsageError(f"{path}: expected a case's custody log: {error.strerror}; make a case with `case new`") from error
    verify_links(entries, log=NAME, anchors=anchors)
    return entries


def read_entries(data: bytes) -> Iterator[CustodyEntry]:
    """Read the whole lines of a log; their chain is not looked at.

    Raises:
        ChainError: a line is none.
    """
    *lines, _ = data.split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            yield CustodyEntry.from_bytes(line)
        except FormatError as error:
            raise ChainError(f"{NAME}: line {number}: {error}") from error
