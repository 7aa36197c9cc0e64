"""The hub's tables. Times are text as in documents, and sort as text; leases are seconds since 1970.

No relationships: every query says what it reads (`queries.py` of each slice). A blob named here is in the blob store.
Accounts, the audit log and webhooks have their tables beside them (`accounts.tables`, `audit.tables`, `webhooks.tables`).
"""

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, MetaData, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from manyheads_shared.digest import Digest

NAMES = MetaData(  # one spelling of every constraint, on every database
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
REVISION = "0007"  # the newest migration, the one that makes these tables
MAX_NUMBER = (1 << 31) - 1  # as large as an Integer is on PostgreSQL: no row has a greater number
BYTES = BigInteger().with_variant(Integer(), "sqlite")  # a size may pass 2 GiB; SQLite's integers have 64 bits as they are
WAITING_OR_ACCEPTED = "state IN ('received', 'evaluating', 'challenged', 'accepted')"


class Table(DeclarativeBase):
    """Base of every table."""

    metadata = NAMES
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        Digest: String(71),
        list[str]: JSON,
        list[dict[str, Any]]: JSON,
        dict[str, Any]: JSON,
    }


class ContributorRow(Table):
    """An owner of generators, with the key that signs their statements."""

    __tablename__ = "contributors"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(unique=True)
    key_id: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[str]  # PEM
    enrolled: Mapped[str]


class GeneratorRow(Table):
    """A generator's name, and the only contributor who may submit heads for it."""

    __tablename__ = "generators"

    name: Mapped[str] = mapped_column(primary_key=True)
    contributor_id: Mapped[int] = mapped_column(ForeignKey("contributors.id"), index=True)


class UploadRow(Table):
    """One contributor's upload of one object. Its bytes are pieces until `completed`, then a blob."""

    __tablename__ = "uploads"

    contributor_id: Mapped[int] = mapped_column(ForeignKey("contributors.id"), primary_key=True)
    digest: Mapped[Digest] = mapped_column(primary_key=True)
    length: Mapped[int] = mapped_column(BYTES)
    created: Mapped[str]
    completed: Mapped[str | None]


class PrimaryRow(Table):
    """A primary that a bundle holds, or is to hold. The one whose turn came last is the next bundle's.

    Its turn comes once it is promoted, and again when the hub goes back to it. What is measured first is a `CandidateRow`.
    """

    __tablename__ = "primaries"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[Digest] = mapped_column(unique=True)
    name: Mapped[str]
    version: Mapped[str]
    architecture: Mapped[str]
    image_size: Mapped[int | None]
    size_bytes: Mapped[int] = mapped_column(BYTES)
    added: Mapped[str]
    published: Mapped[str | None]
    turn: Mapped[int | None]  # greater than any other's when it came; None: its id, as in hubs that never went back
    retention: Mapped[Digest | None]  # the signed report it was promoted by; None: it was published without


class OfferRow(Table):
    """A head that came to the door, taken in or not: the last day's are counted."""

    __tablename__ = "offers"

    id: Mapped[int] = mapped_column(primary_key=True)
    contributor_id: Mapped[int] = mapped_column(ForeignKey("contributors.id"), index=True)
    made: Mapped[str]


class SubmissionRow(Table):
    """A head offered to the hub. One name@version waits or is accepted at most once."""

    __tablename__ = "submissions"
    __table_args__ = (
        Index(
            "uq_submissions_generator_waiting_or_accepted",
            "generator",
            "version",
            unique=True,
            sqlite_where=text(WAITING_OR_ACCEPTED),
            postgresql_where=text(WAITING_OR_ACCEPTED),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    contributor_id: Mapped[int] = mapped_column(ForeignKey("contributors.id"), index=True)
    generator: Mapped[str]
    version: Mapped[str]
    owner: Mapped[str]
    level: Mapped[str]
    head: Mapped[Digest]
    primary: Mapped[Digest] = mapped_column(ForeignKey("primaries.digest"))
    owner_statement: Mapped[Digest]
    owner_key: Mapped[str] = mapped_column(server_default="", index=True)  # id of the key that signed the statement
    proofs: Mapped[list[str]]  # digests
    state: Mapped[str] = mapped_column(index=True)  # api.SubmissionState
    reasons: Mapped[list[dict[str, Any]]]  # api.Reason
    evaluation: Mapped[dict[str, Any] | None]  # api.EvaluationInfo
    bundle_sequence: Mapped[int | None]
    created: Mapped[str] = mapped_column(index=True)
    updated: Mapped[str]


class ExaminationRow(Table):
    """One examination of a submission: what it found, and on which hidden images. Full ones are counted."""

    __tablename__ = "examinations"
    __table_args__ = (Index("ix_examinations_contributor_id_epoch", "contributor_id", "epoch"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), index=True)
    contributor_id: Mapped[int] = mapped_column(ForeignKey("contributors.id"))
    epoch: Mapped[Digest]  # of the suite's hidden images
    stage: Mapped[str]  # findings.Stage
    findings: Mapped[Digest]  # the document
    made: Mapped[str]


class ChallengeRow(Table):
    """A submission's ownership challenge, with what its head will be listed with once it is met."""

    __tablename__ = "challenges"

    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    nonce: Mapped[str]
    images: Mapped[int]  # how many are asked for
    issued: Mapped[str]
    deadline: Mapped[str]
    state: Mapped[str]  # api.ChallengeState
    statement: Mapped[Digest | None]  # the owner's, on the answer
    answer: Mapped[list[str]]  # digests, in the order of the seeds
    passed: Mapped[dict[str, Any]]  # challenges.Passed


class HeadRow(Table):
    """A catalogued head: accepted once, and listed until it is yanked, quarantined, replaced or obsolete."""

    __tablename__ = "heads"
    __table_args__ = (UniqueConstraint("generator", "version"),)

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), unique=True)
    contributor_id: Mapped[int] = mapped_column(ForeignKey("contributors.id"))
    generator: Mapped[str]
    version: Mapped[str]
    owner: Mapped[str]
    level: Mapped[str]
    primary: Mapped[Digest] = mapped_column(ForeignKey("primaries.digest"), index=True)
    state: Mapped[str]  # api.CatalogueEntry.state
    reason: Mapped[str | None]  # why it is not listed any more
    state_before: Mapped[str | None]  # of a quarantined head: what it was, should it be released
    reason_before: Mapped[str | None]
    owner_statement: Mapped[Digest]
    hub_statement: Mapped[Digest]
    proofs: Mapped[list[str]]  # digests
    evaluation: Mapped[dict[str, Any]]  # api.EvaluationInfo, when it was accepted
    accepted: Mapped[str]


class PictureRow(Table):
    """One of a head's proof images beside its saliency, as PNG."""

    __tablename__ = "pictures"

    head: Mapped[Digest] = mapped_column(ForeignKey("heads.digest"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[Digest] = mapped_column(index=True)
    caption: Mapped[str]
    logit: Mapped[float]


class BundleRow(Table):
    """A bundle. Written before it is signed, marked `published` afterwards; forgotten when clients never saw it."""

    __tablename__ = "bundles"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[Digest] = mapped_column(unique=True)
    primary: Mapped[Digest] = mapped_column(ForeignKey("primaries.digest"))
    calibration: Mapped[Digest]
    generators: Mapped[list[str]]  # name@version
    created: Mapped[str]
    published: Mapped[str | None] = mapped_column(index=True)


class AliasMoveRow(Table):
    """One move of an alias to a bundle. The newest move of a name is where it points; none is ever changed."""

    __tablename__ = "alias_moves"

    id: Mapped[int] = mapped_column(primary_key=True)
    alias: Mapped[str] = mapped_column(index=True)
    sequence: Mapped[int | None] = mapped_column(ForeignKey("bundles.sequence"))  # None: it points nowhere any more
    moved: Mapped[str]
    reason: Mapped[str]


class PublishedObjectRow(Table):
    """An object that some published bundle named: what anyone may download, for ever."""

    __tablename__ = "published_objects"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(ForeignKey("bundles.sequence"))  # the first bundle that named it


class SignedFileRow(Table):
    """A TUF file as it was signed: a second copy beside the storage's (`signing.ledger`)."""

    __tablename__ = "signed_files"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    data: Mapped[bytes]
    written: Mapped[str]


class JobRow(Table):
    """Work for the worker. Written in the transaction that makes it necessary (`evaluations.jobs`)."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(
            "uq_jobs_kind_subject_queued",
            "kind",
            "subject",
            unique=True,
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        Index("ix_jobs_state_run_after", "state", "run_after"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]  # jobs.JobKind
    subject: Mapped[str]  # a submission's id; of measure a candidate's digest; empty for publish, or what it waits for
    state: Mapped[str]  # queued | leased | done | dead | superseded (by its like, queued meanwhile)
    attempts: Mapped[int]
    run_after: Mapped[float]  # seconds since 1970
    lease_until: Mapped[float | None]
    lease_token: Mapped[str | None]
    error: Mapped[str | None]  # of the last attempt
    created: Mapped[str]
    finished: Mapped[str | None]
