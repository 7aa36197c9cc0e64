"""The chain of the audit log, and its verification. Pure: lines in, the newest line or the first broken one out.

A line names the digest of the line before, so that none can be changed, taken out or moved without every later one showing
it. Lines cut off at the end show by a digest that was noted earlier: an anchor. Specification: docs/formats/audit.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from manyheads_hub.errors import HubError
from manyheads_shared.digest import Digest
from manyheads_shared.document import Document
from manyheads_shared.errors import FormatError
from manyheads_shared.manifest import DigestField, Time

GENESIS = Digest("sha256:" + "0" * 64)  # what the first line names as the one before


class AuditError(HubError):
    """The audit log was changed, or is not the one that an anchor was taken from."""


class AuditEntry(Document):
    """One line: who did what to what, when and why."""

    FORMAT: ClassVar[str] = "manyheads.audit/1"

    sequence: Annotated[int, Field(ge=1)]  # 1, 2, 3 …
    time: Time
    actor: str  # an account, `worker`, or `folder:USER`: whoever ran a command in the hub's folder
    token: int | None  # the token used
    action: str
    subject: str
    reason: str | None
    details: dict[str, Any]
    previous: DigestField


@dataclass(frozen=True)
class Head:
    """A line by number and digest: it vouches for every line before."""

    sequence: int
    digest: Digest


EMPTY = Head(0, GENESIS)


def verify_chain(entries: Iterable[AuditEntry], *, anchors: Iterable[Head] = ()) -> Head:
    """Verify lines from the first one on, and return the newest.

    The plan: (1) lines numbered without a gap; (2) each naming the digest of the one before; (3) every anchor is a line here.

    Raises:
        AuditError: a step fails; the message names the first line that is not what it was.
    """
    head, open_anchors = EMPTY, {anchor.sequence: anchor.digest for anchor in anchors if anchor != EMPTY}
    for entry in entries:
        # step 1
        if entry.sequence != head.sequence + 1:
            raise AuditError(
                f"audit log: expected line {head.sequence + 1}, got line {entry.sequence}: lines are missing or moved"
            )
        # step 2
        if entry.previous != head.digest:
            raise AuditError(
                f"audit log: line {entry.sequence} follows a line of digest {entry.previous}, line {head.sequence} has "
                f"{head.digest}: one of the two was changed"
            )
        head = Head(entry.sequence, entry.digest)
        # step 3
        if open_anchors.pop(head.sequence, head.digest) != head.digest:
            raise AuditError(
                f"audit log: line {head.sequence} has digest {head.digest}, and had another when the anchor was taken"
            )
    if open_anchors:
        raise AuditError(
            f"audit log: it ends at line {head.sequence}, an anchor names line {max(open_anchors)}: lines were cut off"
        )
    return head


def read_lines(lines: Iterable[bytes]) -> Iterable[AuditEntry]:
    """Yield the entries of an exported log, one line each.

    Raises:
        AuditError: a line is none.
    """
    for number, line in enumerate(lines, 1):
        try:
            yield AuditEntry.from_bytes(line.rstrip(b"\n"))
        except FormatError as error:
            raise AuditError(f"audit log: line {number}: {error}") from error
