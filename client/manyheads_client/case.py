"""A case folder: evidence as it came, scans of it, and the custody log that tells of both.

    CASE/custody.jsonl         every act; the first line opens the case and names its laboratory's key
    CASE/evidence/HEX.png      files as they came, read-only, named by sha256; their own names are in the log
    CASE/scans/0001.jsonl      records, and beside them their seal
    CASE/incoming/HEX          copies under way: the log's line makes one evidence, and without that line it counts for nothing

A line is written once what it tells of is safe on the disk, and nothing is taken out afterwards. So a case killed at any moment
is whole: what was under way is finished or dropped by whoever works in it next. `intake` takes evidence in,
`case_scan` examines it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from securesystemslib.signer import SSlibKey

from manyheads_client.custody import FILE, CustodyEntry, CustodyLog, begin_custody, open_custody, read_custody
from manyheads_shared.digest import Digest, hex_of
from manyheads_shared.errors import ChainError, ManifestError, UsageError
from manyheads_shared.files import sync_folder
from manyheads_shared.keys import parse_public_key, public_pem

INCOMING = "incoming"


@dataclass(frozen=True)
class Evidence:
    """A file of a case."""

    digest: Digest
    file: str  # below the case's folder
    name: str  # it came with
    size_bytes: int


@dataclass(frozen=True)
class CaseScan:
    """One scan of a case."""

    file: str  # below the case's folder
    bundle: str  # digest
    sealed: CustodyEntry | None  # the line that says so; None: it is under way, or was given up


@dataclass(frozen=True)
class Case:
    """A case, as its log tells it."""

    folder: Path
    entries: Sequence[CustodyEntry]

    @property
    def opened(self) -> CustodyEntry:
        """The line that opened it."""
        return self.entries[0]

    @property
    def id(self) -> str:
        """What the laboratory calls it."""
        return self.opened.subject

    @property
    def examiner(self) -> str:
        """Who opened it."""
        return self.opened.who

    @property
    def laboratory(self) -> str:
        """Whose case it is."""
        return str(self.opened.details["laboratory"])

    @property
    def key(self) -> SSlibKey:
        """The key that seals its scans."""
        return parse_public_key(str(self.opened.details["public_key"]))

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Every file that was added, in that order; one that came under two names is there twice."""
        return tuple(
            Evidence(Digest(line.subject), line.details["file"], line.details["name"], line.details["size_bytes"])
            for line in self.entries
            if line.action == "evidence.added"
        )

    @property
    def scans(self) -> tuple[CaseScan, ...]:
        """Every scan that was started, in that order."""
        sealed = {line.subject: line for line in self.entries if line.action == "scan.sealed"}
        started = (line for line in self.entries if line.action == "scan.started")
        return tuple(CaseScan(line.subject, line.details["bundle"], sealed.get(line.subject)) for line in started)

    def place(self, evidence: Evidence) -> Path:
        """Where a file lies; it may be on its last step in, if the one who added it was killed."""
        final, incoming = self.folder / evidence.file, self.folder / INCOMING / hex_of(evidence.digest)
        return incoming if not final.exists() and incoming.exists() else final


def new_case(folder: Path, *, case_id: str, examiner: str, laboratory: str, key: SSlibKey) -> Case:
    """Open a case in a folder that is empty or not there yet.

    Raises:
        UsageError: the folder holds something, or a name is empty or too long.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: expected an empty folder, or one that is not there yet; a case is never overwritten")
    try:
        begin_custody(folder / FILE, examiner, case_id, laboratory=laboratory, key_id=key.keyid, public_key=public_pem(key))
    except ManifestError as error:
        raise UsageError(f"{folder}: no case can be opened like this: {error}") from error
    return read_case(folder)


def read_case(folder: Path) -> Case:
    """Read a case; its log is verified.

    Raises:
        UsageError: the folder holds no case.
        ChainError: its log was changed.
    """
    return _as_case(folder, read_custody(folder / FILE))


@contextmanager
def open_case(folder: Path) -> Iterator[tuple[Case, CustodyLog]]:
    """Hold a case for working in it, and finish or drop what a killed process left under way.

    Raises:
        UsageError: the folder holds no case, or another process works in it.
        ChainError: its log was changed.
    """
    with open_custody(folder / FILE) as log:
        case = _as_case(folder, log.entries)
        _finish_all(case)
        yield case, log


def add_note(folder: Path, text: str, *, who: str | None = None) -> CustodyEntry:
    """Write something down in a case's log.

    Raises:
        UsageError: as `open_case`, or there is no text.
    """
    if not text.strip():
        raise UsageError("expected a note of some words, got none")
    with open_case(folder) as (case, log):
        return log.append(who or case.examiner, "note.added", case.id, text=text)


def _as_case(folder: Path, entries: Sequence[CustodyEntry]) -> Case:
    if not entries or entries[0].action != "case.opened":
        raise ChainError(f"{folder / FILE}: expected a first line that opens a case, got none")
    return Case(folder, entries)


def finish_incoming(folder: Path, evidence: Evidence) -> None:
    """Bring a copy that the log tells of to its place."""
    incoming, final = folder / INCOMING / hex_of(evidence.digest), folder / evidence.file
    if final.exists():
        incoming.unlink(missing_ok=True)
        return
    final.parent.mkdir(exist_ok=True)
    incoming.replace(final)
    sync_folder(final.parent)
    sync_folder(folder)


def _finish_all(case: Case) -> None:
    """Bring copies that the log tells of to their places; drop those that it does not."""
    by_name = {hex_of(evidence.digest): evidence for evidence in case.evidence}
    for path in (case.folder / INCOMING).glob("*"):
        if path.name in by_name:
            finish_incoming(case.folder, by_name[path.name])
        else:
            path.unlink()
