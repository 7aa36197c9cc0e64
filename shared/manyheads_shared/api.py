"""The hub's HTTP shapes, version 1: what the contributor kit sends and reads. Normative description: docs/formats/api.md.

Errors are RFC 9457 problem documents with a stable `code`. Uploads are content-addressed and resumable: `HEAD` tells the
offset the server holds (0 when nothing), `PATCH` appends from there, the last byte is checked against the digest in the
address. Both answer with the offset then held, in `Upload-Offset`; `PATCH` answers 204, or 409 `upload-offset` when it does
not start where the server stands. An upload belongs to whoever made it: the same bytes by another owner are sent again.

    GET        /v1/health                     Health
    GET        /v1/primary                    PrimaryInfo, the present one
    GET        /v1/primaries                  list[PrimaryInfo], newest first
    GET        /v1/candidates                 list[CandidateInfo], newest first
    GET        /v1/primaries/{digest}/retention      the signed report (`manyheads_shared.retention`)
    GET        /v1/primaries/{digest}/compatibility  list[CompatibilityInfo]
    GET        /v1/notices            token   list[Notice]
    GET        /v1/objects/{digest}           the bytes of anything a published bundle names, or 307
    HEAD PATCH /v1/uploads/{digest}   token   OFFSET_HEADER, LENGTH_HEADER; the body of PATCH is the bytes
    POST       /v1/submissions        token   SubmissionRequest -> 201 SubmissionInfo
    GET        /v1/submissions        token   list[SubmissionInfo], the caller's, newest first
    GET        /v1/submissions/{id}   token   SubmissionInfo
    GET        /v1/submissions/{id}/challenge token ChallengeInfo
    POST       /v1/submissions/{id}/challenge token ChallengeAnswer -> ChallengeInfo
    GET        /v1/budget             token   BudgetInfo
    GET        /v1/catalogue                  list[CatalogueEntry]
    GET        /v1/catalogue/{name}/{version} CatalogueEntry
    GET        /v1/catalogue/{name}/{version}/recall  Recall (`manyheads_shared.recall`)
    GET        /v1/bundles                    list[BundleInfo], newest first
    GET        /v1/bundles/latest?as_of=TIME  BundleInfo: the newest, or the newest at that time
    GET        /v1/bundles/{sequence}         BundleInfo
    GET        /v1/aliases                    list[AliasInfo]; /{alias}?as_of=TIME, /{alias}/history
    GET        /v1/audit/head                 AuditHead
    GET        /tuf/metadata/{file}  /tuf/targets/{path}

`token` means the header `Authorization: Bearer mh_…`. Accounts, tokens and keys are in `manyheads_shared.accounts`; what
reviewers and maintainers do, in docs/formats/api.md.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from manyheads_shared.manifest import DigestField, Generator, Name, Time
from manyheads_shared.passage import Way
from manyheads_shared.retention import Compatibility

API_PREFIX = "/v1"
TUF_METADATA_PREFIX = "/tuf/metadata"
TUF_TARGETS_PREFIX = "/tuf/targets"
OFFSET_HEADER = "Upload-Offset"  # bytes the server holds
LENGTH_HEADER = "Upload-Length"  # bytes of the whole object
UPLOAD_CHUNK_BYTES = 8 << 20
MIN_PROOFS = 20  # fewer images bound no recall worth stating
MAX_PROOFS = 2000

SubmissionState = Literal["received", "evaluating", "challenged", "accepted", "refused", "failed"]
ChallengeState = Literal["open", "answered", "met", "failed", "expired"]
HeadState = Literal["listed", "yanked", "quarantined", "replaced", "obsolete"]
CandidateState = Literal["waiting", "measured", "failed", "promoted", "withdrawn"]


class Message(BaseModel):
    """A request or response body: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Message):
    """RFC 9457 problem document."""

    type: str = "about:blank"
    title: str
    status: int
    code: str  # stable, for machines
    detail: str  # for people: what was expected, what came, what to do


class Reason(Message):
    """One reason for a refusal or a failure."""

    code: str  # stable, for machines: recall-too-low, false-positives-real …
    message: str


class Health(Message):
    """The hub answers."""

    hub: Name
    software: str
    bundle_sequence: int | None  # of the newest bundle; None before the first


class PrimaryInfo(Message):
    """A published primary."""

    digest: DigestField
    name: Name
    version: Name
    architecture: Name
    image_size: int | None
    size_bytes: int
    published: Time

    @property
    def title(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


class CandidateInfo(Message):
    """A primary that is, or was, measured before it may become the hub's."""

    digest: DigestField
    name: Name
    version: Name
    architecture: Name
    image_size: int | None
    state: CandidateState
    offered: Time
    report: DigestField | None  # of the signed retention report; None: it is not measured yet
    error: str | None  # why it could not be measured

    @property
    def title(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


class CompatibilityInfo(Message):
    """How one head stands on one primary: a cell of the compatibility matrix."""

    generator: Generator
    head: DigestField
    belongs_to: DigestField  # the head's own primary
    primary: DigestField
    compatibility: Compatibility
    way: Way | None  # in which the primary's bundles run it; None: natively, or not at all
    loss: float | None  # of AUROC; None: native, or not measured
    until: Time | None  # when it is left out


class Notice(Message):
    """What an upgrade means for one of the caller's heads, and what to do."""

    generator: Generator
    head: DigestField
    belongs_to: DigestField  # the head's own primary
    primary: DigestField  # the hub's present one
    compatibility: Compatibility
    way: Way | None
    until: Time | None
    message: str


class SubmissionRequest(Message):
    """A head offered to the hub; every digest was uploaded before."""

    head: DigestField
    owner_statement: DigestField
    proofs: list[DigestField] = Field(min_length=MIN_PROOFS, max_length=MAX_PROOFS)
    # proofs: images the owner chose to show the hub, made by the generator for this purpose; never training images


class ShareInfo(Message):
    """A share with its interval."""

    share: float
    lower: float
    upper: float
    hits: int
    total: int


class SourceInfo(Message):
    """How often a head said yes on one source of the suite."""

    kind: Literal["real", "generated"]
    source: str
    external: bool
    yes: ShareInfo


class EvaluationInfo(Message):
    """What the hub measured of a head."""

    suite: DigestField
    threshold: float
    recall: ShareInfo
    false_positives: list[SourceInfo]
    auroc: float
    contradiction: ShareInfo | None


class SubmissionInfo(Message):
    """A submission as its owner sees it."""

    id: str
    generator: Generator
    head: DigestField
    primary: DigestField
    state: SubmissionState
    reasons: list[Reason]
    queue_position: int | None  # 1 is next; None when not waiting
    evaluation: EvaluationInfo | None
    bundle_sequence: int | None  # first bundle that holds the head
    created: Time
    updated: Time


class ChallengeInfo(Message):
    """An ownership challenge as the submission's owner sees it."""

    submission: str
    generator: Generator
    head: DigestField
    state: ChallengeState
    nonce: str
    seeds: list[int]  # one image for each, in this order
    issued: Time
    deadline: Time


class ChallengeAnswer(Message):
    """Fresh images in the order of the seeds, and the owner's statement on them; every digest was uploaded before."""

    statement: DigestField
    images: list[DigestField] = Field(max_length=MAX_PROOFS)


class Usage(Message):
    """How much of something a contributor has used, and may use."""

    used: int
    limit: int


class BudgetInfo(Message):
    """What a contributor may still have measured on the hub's present hidden suite, bring and keep there."""

    epoch: DigestField | None  # names the hidden images; None before any head was examined here
    examinations: int  # full ones made on it
    limit: int
    submissions: Usage  # taken in within a day
    offers: Usage  # brought to the door within a day, refused there or not
    stored_bytes: Usage  # uploaded, or begun
    upload_bytes: int  # the largest object that may be uploaded


class CatalogueEntry(Message):
    """An accepted head."""

    generator: Generator
    head: DigestField
    primary: DigestField
    state: HeadState
    reason: str | None
    owner_statement: DigestField
    hub_statement: DigestField
    evaluation: EvaluationInfo
    accepted: Time


class Resolution(Message):
    """The head to take for a generator on a primary."""

    head: CatalogueEntry
    note: str | None  # what became of newer heads of the generator, or why this one is not listed any more


class BundleInfo(Message):
    """A published bundle."""

    sequence: int
    digest: DigestField
    primary: DigestField
    generators: list[str]  # name@version
    published: Time


class AliasInfo(Message):
    """A name for a bundle, and the one it points to."""

    alias: Name
    since: Time
    reason: str | None  # why it was moved there; None for `latest`, which moves by itself
    bundle: BundleInfo


class AliasMove(Message):
    """One move in the history of an alias."""

    alias: Name
    sequence: int | None  # None: from then on it pointed nowhere
    moved: Time
    reason: str | None


class AliasRequest(Message):
    """Where an alias is to point, and why."""

    sequence: int | None = Field(ge=1)
    reason: str = Field(min_length=1, max_length=500)


class AuditHead(Message):
    """The newest line of the audit log: whoever notes it can hold the hub to every line before."""

    sequence: int
    digest: DigestField
