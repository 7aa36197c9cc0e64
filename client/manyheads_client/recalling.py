"""Which records rest on a head that was taken back: yanked or quarantined. Records and recalled heads in, touched records out.

Pure but for reading. A record that the head claimed is touched; one where it was merely asked says as much without it, or less.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from manyheads_client.bundle import verify_held
from manyheads_client.records import is_record_file, read_latest
from manyheads_client.store import Store
from manyheads_shared.bundle import read_manifest
from manyheads_shared.decision import Answer, State
from manyheads_shared.digest import Digest
from manyheads_shared.errors import UsageError
from manyheads_shared.evidence import Examined
from manyheads_shared.evidence_v1 import EvidenceRecordV1
from manyheads_shared.recall import Recall

TAKEN_BACK = ("yanked", "quarantined")
_SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Recalled:
    """A head that was taken back."""

    head: Digest
    title: str
    state: str  # one of TAKEN_BACK
    reason: str
    told_by: str  # a bundle or a recall, in words


@dataclass(frozen=True)
class Touched:
    """A record that a recalled head answered."""

    name: str
    sha256: Digest
    state: State


@dataclass
class Rest:
    """What one record file has of one recalled head."""

    recalled: Recalled
    claimed: list[Touched] = field(default_factory=list)
    asked: list[Touched] = field(default_factory=list)


def read_recalled(store: Store | None, recalls: Sequence[Path]) -> dict[Digest, Recalled]:
    """Read which heads were taken back: by a store's newest bundle, verified from the root down, and by documents of a hub.

    Raises:
        UsageError: no bundle in the store, or a document that cannot be read.
        FormatError, VerificationError: something does not hold.
    """
    found: dict[Digest, Recalled] = {}
    if store is not None:
        held = store.current()
        verify_held(store, held)
        manifest = read_manifest(store.read_object(held.bundle))
        told_by = f"bundle {manifest.sequence} of hub {manifest.hub}"
        for entry in manifest.left_out:
            if entry.state in TAKEN_BACK:
                found[entry.head] = Recalled(entry.head, entry.generator.title, entry.state, entry.reason, told_by)
    for path in recalls:
        try:
            recall = Recall.from_bytes(path.read_bytes().rstrip(b"\n"))
        except OSError as error:
            raise UsageError(f"--recall {path}: cannot be read: {error.strerror}") from error
        if recall.state in TAKEN_BACK:
            told_by = f"recall of hub {recall.hub}, {recall.created}"
            found[recall.head] = Recalled(recall.head, recall.generator.title, recall.state, recall.reason or "", told_by)
    return found


def find_record_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Every record file that some paths mean; in folders `*.jsonl` that begin as record files do.

    Raises:
        UsageError: a path that is not there.
    """
    for path in paths:
        if path.is_dir():
            yield from (file for file in sorted(path.rglob(f"*{_SUFFIX}")) if file.is_file() and is_record_file(file))
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"{path}: no such file or folder")


def find_touched(records: Path, recalled: dict[Digest, Recalled]) -> list[Rest]:
    """Find the records of one file that recalled heads answered; a head that none was asked of does not occur.

    Raises:
        UsageError, FormatError: as `read_records`.
    """
    found: dict[Digest, Rest] = {}
    for record in read_latest(records):
        if isinstance(record, EvidenceRecordV1):
            touched = Touched(record.item.name, record.item.digest, record.state)
            answers = [(head.head, head.measurement.answer) for head in record.heads]
        elif isinstance(record, Examined):
            touched = Touched(record.name, record.record.item.sha256, record.state)
            answers = [(used.head, result.answer) for used, result in record.heads]
        else:
            continue
        for head, answer in answers:
            if head in recalled:
                rest = found.setdefault(head, Rest(recalled[head]))
                (rest.claimed if answer is Answer.YES else rest.asked).append(touched)
    return list(found.values())
