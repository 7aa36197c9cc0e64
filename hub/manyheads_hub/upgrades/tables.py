"""Tables of upgrades: candidates, and how each head stands on each primary. Sentences about times: `manyheads_hub.tables`."""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from manyheads_hub.tables import BYTES, Table
from manyheads_shared.digest import Digest


class CandidateRow(Table):
    """A primary that is measured before it may become the hub's. Its file is in the blob store."""

    __tablename__ = "candidates"
    __table_args__ = (Index("uq_candidates_name_version", "name", "version", unique=True),)

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    architecture: Mapped[str]
    image_size: Mapped[int | None]
    size_bytes: Mapped[int] = mapped_column(BYTES)
    offered: Mapped[str]
    state: Mapped[str]  # api.CandidateState
    report: Mapped[Digest | None]  # the signed retention report; None: not measured yet
    error: Mapped[str | None]  # why it could not be measured


class CompatibilityRow(Table):
    """How a head of an earlier primary stands on a later one. Written when the later one is promoted."""

    __tablename__ = "compatibility"

    head: Mapped[Digest] = mapped_column(primary_key=True)
    primary: Mapped[Digest] = mapped_column(primary_key=True)  # the later one
    compatibility: Mapped[str]  # retention.Compatibility
    way: Mapped[str | None]  # passage.Way; None: it is not carried over
    loss: Mapped[float | None]  # of AUROC, on the way or, without one, straight
    until: Mapped[str | None]  # when it is left out; None: never, for its way's sake
