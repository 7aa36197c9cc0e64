"""Two scans of the same images: what changed. Records in, differences out; an image is named by its file's sha256.

Of an image that occurs several times in one scan the last record counts. Memory holds a few words an image.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manyheads_client.records import read_instruments, read_latest
from manyheads_shared.decision import State
from manyheads_shared.digest import Digest
from manyheads_shared.evidence import Examined, FailureRecord, Instrument
from manyheads_shared.evidence_v1 import EvidenceRecordV1


@dataclass(frozen=True)
class Said:
    """What one scan said of one image."""

    name: str
    state: State
    claimed_by: tuple[str, ...]


@dataclass(frozen=True)
class Scan:
    """A record file, as far as two are compared."""

    said: Mapping[Digest, Said]
    failed: int
    heads: Mapping[str, Digest]  # by title
    bundles: tuple[str, ...]  # `hub 7`, of every instrument


@dataclass(frozen=True)
class Change:
    """An image of which two scans say different things."""

    sha256: Digest
    old: Said
    new: Said


@dataclass(frozen=True)
class Difference:
    """What changed between two scans."""

    old: Scan
    new: Scan
    transitions: Counter[tuple[State, State]]  # of the images in both
    changes: tuple[Change, ...]  # another state or other claims, in the old scan's order
    only_old: tuple[Said, ...]
    only_new: tuple[Said, ...]

    @property
    def came(self) -> tuple[str, ...]:
        """Heads that only the new scan asked."""
        return tuple(title for title in self.new.heads if title not in self.old.heads)

    @property
    def went(self) -> tuple[str, ...]:
        """Heads that only the old scan asked."""
        return tuple(title for title in self.old.heads if title not in self.new.heads)

    @property
    def replaced(self) -> tuple[str, ...]:
        """Heads of one title that are another file now."""
        return tuple(title for title, head in self.new.heads.items() if self.old.heads.get(title, head) != head)


def compare_scans(old: Path, new: Path) -> Difference:
    """Compare two record files.

    Raises:
        UsageError, FormatError: as `read_records`.
    """
    before, after = read_scan(old), read_scan(new)
    both = [(digest, said, after.said[digest]) for digest, said in before.said.items() if digest in after.said]
    return Difference(
        before,
        after,
        Counter((old_said.state, new_said.state) for _, old_said, new_said in both),
        tuple(Change(digest, a, b) for digest, a, b in both if (a.state, a.claimed_by) != (b.state, b.claimed_by)),
        tuple(said for digest, said in before.said.items() if digest not in after.said),
        tuple(said for digest, said in after.said.items() if digest not in before.said),
    )


def read_scan(records: Path) -> Scan:
    """Read what a record file says. Errors as `read_records`."""
    said: dict[Digest, Said] = {}
    heads: dict[str, Digest] = {}
    bundles: dict[str, None] = {}
    failed = 0
    for record in read_latest(records):
        if isinstance(record, FailureRecord):
            failed += 1
        elif isinstance(record, EvidenceRecordV1):
            said[record.item.digest] = Said(record.item.name, record.state, record.claimed_by)
            heads |= {head.generator.title: head.head for head in record.heads}
            bundles[f"{record.instrument.hub} {record.instrument.bundle_sequence}"] = None
        elif isinstance(record, Examined):
            said[record.record.item.sha256] = Said(record.name, record.state, record.record.claimed_by)
    for instrument in read_instruments(records):
        heads |= _heads(instrument)
        bundles[f"{instrument.hub} {instrument.bundle_sequence}"] = None
    return Scan(said, failed, heads, tuple(bundles))


def _heads(instrument: Instrument) -> dict[str, Digest]:
    return {head.generator.title: head.head for head in instrument.heads}
