"""A log chained by digest, and its verification. Pure: links in, the newest one or the first broken one out.

A link names the digest of the one before, so that none can be changed, taken out or moved without every later one showing it.
Links cut off at the end show by a digest that was noted elsewhere: an anchor. The hub's audit log and a case's custody log are
such chains.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from manyheads_shared.digest import Digest
from manyheads_shared.document import MAX_INTEGER, Document
from manyheads_shared.errors import ChainError
from manyheads_shared.manifest import DigestField

GENESIS = Digest("sha256:" + "0" * 64)  # what the first link names as the one before


class Link(Document):
    """One line of a chained log."""

    sequence: Annotated[int, Field(ge=1, le=MAX_INTEGER)]  # 1, 2, 3 …
    previous: DigestField


@dataclass(frozen=True)
class Head:
    """A link by number and digest: it vouches for every one before."""

    sequence: int
    digest: Digest


EMPTY = Head(0, GENESIS)


def verify_links(links: Iterable[Link], *, log: str, anchors: Iterable[Head] = ()) -> Head:
    """Verify links from the first one on, and return the newest.

    The plan: (1) links numbered without a gap; (2) each naming the digest of the one before; (3) every anchor is a link here.

    Args:
        log: its name, for the message.

    Raises:
        ChainError: a step fails; the message names the first line that is not what it was.
    """
    head, open_anchors = EMPTY, [anchor for anchor in anchors if anchor != EMPTY]
    for link in links:
        # step 1
        if link.sequence != head.sequence + 1:
            raise ChainError(f"{log}: expected line {head.sequence + 1}, got line {link.sequence}: lines are missing or moved")
        # step 2
        if link.previous != head.digest:
            raise ChainError(
                f"{log}: line {link.sequence} follows a line of digest {link.previous}, line {head.sequence} has "
                f"{head.digest}: one of the two was changed"
            )
        head = Head(link.sequence, link.digest)
        # step 3
        if any(anchor.sequence == head.sequence and anchor != head for anchor in open_anchors):
            raise ChainError(f"{log}: line {head.sequence} has digest {head.digest}, and had another when the anchor was taken")
    if beyond := [anchor.sequence for anchor in open_anchors if anchor.sequence > head.sequence]:
        raise ChainError(f"{log}: it ends at line {head.sequence}, an anchor names line {max(beyond)}: lines were cut off")
    return head
