"""The lines of the audit log, and what a broken chain of them is. Pure: lines in, the newest line or the first broken one out.

The chain itself is `manyheads_shared.chain`. Specification: docs/formats/audit.md.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from manyheads_hub.errors import HubError
from manyheads_shared.chain import EMPTY, GENESIS, Head, Link, verify_links
from manyheads_shared.errors import ChainError, FormatError
from manyheads_shared.manifest import Time

__all__ = ["EMPTY", "GENESIS", "AuditEntry", "AuditError", "Head", "read_lines", "verify_chain"]


class AuditError(HubError):
    """The audit log was changed, or is not the one that an anchor was taken from."""


class AuditEntry(Link):
    """One line: who did what to what, when and why."""

    FORMAT: ClassVar[str] = "manyheads.audit/1"

    time: Time
    actor: str  # an account, `worker`, or `folder:USER`: whoever ran a command in the hub's folder
    token: int | None  # the token used
    action: str
    subject: str
    reason: str | None
    details: dict[str, Any]


def verify_chain(entries: Iterable[AuditEntry], *, anchors: Iterable[Head] = ()) -> Head:
    """Verify lines from the first one on, and return the newest; the plan is that of `verify_links`.

    Raises:
        AuditError: a step fails; the message names the first line that is not what it was.
    """
    try:
        return verify_links(entries, log="audit log", anchors=anchors)
    except ChainError as error:
        raise AuditError(str(error)) from error


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
