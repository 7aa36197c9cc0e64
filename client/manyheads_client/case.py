"""A case folder: evidence as it came, scans of it, and the custody log that tells of both.

    CASE/custody.jsonl         every act; the first line opens the case and names its laboratory's key
    CASE/evidence/HEX.png      files as they came, read-only, named by sha256; their own names are in the log
    CASE/scans/0001.jsonl      records, and beside them their seal
    CASE/incoming/HEX          copies under way: the log's line makes one evidence, and without that line it counts for nothing

A line is written once what it tells of is safe on the disk, and nothing is taken out afterwards. So a case killed at any moment
is whole: what was under way is finished or dropped by whoever works in it next.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from securesystemslib.signer import SSlibKey

from manyheads_client.archives import is_archive
from manyheads_client.bundle import Bundle
from manyheads_client.custody import FILE, CustodyEntry, CustodyLog, begin_custody, open_custody, read_custody
from manyheads_client.inputs import Inputs, Item, item_name
from manyheads_client.records import RecordFile
from manyheads_client.scan import Options, Scanned, scan
from manyheads_client.sealing import Signatory, seal_records
from manyheads_shared.digest import Digest, hex_of
from manyheads_shared.errors import ChainError, ManifestError, UsageError
from manyheads_shared.files import sync_folder
from manyheads_shared.image import SUFFIXES
from manyheads_shared.keys import parse_public_key, public_pem
from manyheads_shared.seal import SignedSeal

EVIDENCE_MODE = 0o444
_CHUNK_BYTES = 1 << 20
_SUFFIX = re.compile(r"(\.[a-z0-9]{1,8}){1,2}")


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
        final, incoming = self.folder / evidence.file, self.folder / "incoming" / hex_of(evidence.digest)
        return incoming if not final.exists() and incoming.exists() else final


@dataclass(frozen=True)
class Examination:
    """What examining a case did."""

    file: Path  # of the records
    scanned: Scanned
    sealed: SignedSeal


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
        _finish_incoming(case)
        yield case, log


def add_evidence(folder: Path, paths: Iterable[Path], *, who: str | None = None) -> list[Evidence]:
    """Copy files, and whole folders of them, into a case.

    For each: (1) a copy, whole and digested while it is read; (2) the line, with which it is evidence; (3) its place.

    Raises:
        UsageError: as `open_case`; or a path that is not there or cannot be read, and then nothing of it is in the case.
    """
    files = [file for path in paths for file in _files(path)]
    with open_case(folder) as (case, log):
        known = {each.digest: each.file for each in case.evidence}
        return [_add(case, log, known, file, who or case.examiner) for file in files]


def examine_case(
    folder: Path,
    bundle: Bundle,
    signatory_of: Callable[[Case], Signatory],
    options: Options,
    *,
    who: str | None = None,
    on_item: Callable[[], None] = lambda: None,
) -> Examination:
    """Attribute the evidence of a case, and seal what came of it.

    The plan: (1) the key is the case's; (2) a scan that was not sealed is taken up, if it is of this bundle, or else a new one
    started; (3) every image in the evidence is examined; (4) the records are sealed, and with them the log so far; (5) the log
    tells of the seal. A kill at any moment costs what `scan` says; examining again goes on from there.

    Raises:
        UsageError: step 1 fails, or as `open_case`; or the evidence holds no image.
        As `scan`.
    """
    with open_case(folder) as (case, log):
        # step 1
        signatory = signatory_of(case)
        if signatory.key.public_key.keyid != case.key.keyid:
            raise UsageError(
                f"{folder}: the case is sealed by key {case.key.keyid[:12]}, not {signatory.key.public_key.keyid[:12]}"
            )
        if not any(map(_is_examined, case.evidence)):
            raise UsageError(f"{folder}: no png, jpeg or webp file and no archive in evidence; add some with `case add`")
        # step 2
        file = _choose_scan(case, log, bundle, who or case.examiner)
        # step 3
        with RecordFile(folder / file, bundle.verified.digest) as records:
            scanned = scan(_items(case), records, bundle, options, on_item)
        # step 4
        sealed = seal_records(folder / file, signatory, custody=log.head)
        # step 5
        found = sealed.seal
        log.append(
            who or case.examiner,
            "scan.sealed",
            file,
            records=found.records,
            seal=sealed.digest,
            examined=found.examined,
            failed=found.failed,
        )
    return Examination(folder / file, scanned, sealed)


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


def _files(path: Path) -> Iterator[Path]:
    """Files to add: whatever a folder holds, not images alone; links to folders are not followed."""
    if path.is_dir():
        for folder, names, files in os.walk(path):
            names.sort()
            yield from (Path(folder, name) for name in sorted(files))
    elif path.is_file():
        yield path
    else:
        raise UsageError(f"{path}: no such file or folder")


def _add(case: Case, log: CustodyLog, known: dict[Digest, str], source: Path, who: str) -> Evidence:
    # step 1
    incoming = case.folder / "incoming"
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
    _finish(case.folder, evidence)
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


def _finish_incoming(case: Case) -> None:
    """Put copies that the log tells of into their place; drop those that it does not."""
    by_name = {hex_of(evidence.digest): evidence for evidence in case.evidence}
    for path in (case.folder / "incoming").glob("*"):
        if path.name in by_name:
            _finish(case.folder, by_name[path.name])
        else:
            path.unlink()


def _finish(folder: Path, evidence: Evidence) -> None:
    incoming, final = folder / "incoming" / hex_of(evidence.digest), folder / evidence.file
    if final.exists():
        incoming.unlink(missing_ok=True)
        return
    final.parent.mkdir(exist_ok=True)
    incoming.replace(final)
    sync_folder(final.parent)


def _choose_scan(case: Case, log: CustodyLog, bundle: Bundle, who: str) -> str:
    """The scan to go on with, or the next one, started by a line of the log."""
    before = case.scans
    if before and before[-1].sealed is None and before[-1].bundle == bundle.verified.digest:
        return before[-1].file
    manifest, file = bundle.verified.manifest, f"scans/{len(before) + 1:04d}.jsonl"
    log.append(who, "scan.started", file, hub=manifest.hub, bundle=bundle.verified.digest, bundle_sequence=manifest.sequence)
    return file


def _is_examined(evidence: Evidence) -> bool:
    file = Path(evidence.file)
    return file.suffix in SUFFIXES or is_archive(file)


def _items(case: Case) -> Iterator[Item]:
    """The images in the evidence, each named by where it lies below the case's folder."""
    prefix = item_name(case.folder) + "/"
    files = dict.fromkeys(case.folder / evidence.file for evidence in case.evidence if _is_examined(evidence))
    for item in Inputs(list(files)).items():
        yield replace(item, name=item.name.removeprefix(prefix))
