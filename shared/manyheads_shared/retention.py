"""Retention reports: what a candidate primary makes of the heads that are listed, measured before it is promoted.

The hub signs one for every candidate. A bundle that carries heads over names it, and a client accepts no way of running a head
that is not in it. How figures come about and what they must be is for the hub. Specification: docs/formats/retention.md.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from securesystemslib.signer import CryptoSigner, SSlibKey

from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.document import Document, Fraction, Value
from manyheads_shared.envelope import read_envelope, sign_envelope, verify_signed
from manyheads_shared.manifest import DigestField, Generator, Name, Time
from manyheads_shared.passage import Way
from manyheads_shared.statements import Bound, SourceResult

PAYLOAD_TYPE = "application/vnd.manyheads.retention+json"
MAX_RETENTION_BYTES = 32 << 20  # of the envelope: 1.5 kB for each head

Compatibility = Literal["native", "compatible", "degraded", "obsolete"]


class AreaResult(Value):
    """An AUROC with its interval at 95 %."""

    value: Fraction
    lower: Fraction
    upper: Fraction


class LossResult(Value):
    """AUROC before less AUROC after, on the same images, with its paired interval at 95 %; negative where the head gains."""

    value: float
    lower: float
    upper: float


class Figures(Value):
    """What a head does on the suite's test half, at the threshold that its calibration half asks for."""

    threshold: float  # logit
    recall: Bound  # of its generator's images
    photographs: Bound | None  # of photographs, those claimed
    worst: SourceResult | None  # of the other generators, the one claimed most surely
    auroc: AreaResult  # of its generator's images against everything of another origin
    contradiction: Bound | None  # of the images that the detector calls real, those claimed


class WayMeasured(Value):
    """A head on the candidate, by one way."""

    way: Way
    figures: Figures
    loss: LossResult
    reasons: tuple[str, ...]  # what the policy holds against running it so; none where it may


class HeadRetention(Value):
    """One head: before, after by every way it could live on, and what follows."""

    generator: Generator
    head: DigestField
    primary: DigestField  # its own
    before: Figures  # as the present bundle runs it
    ways: tuple[WayMeasured, ...]  # none: the candidate takes other images, or has another architecture
    compatibility: Compatibility
    way: Way | None  # in which it is carried over; None: it is native, or left out


class DetectorChange(Value):
    """What the candidate's detector makes of one source, beside the present one's."""

    source: str
    external: bool
    recall_before: Bound
    recall: Bound  # of the source's images, those called generated
    auroc_before: AreaResult
    auroc: AreaResult  # of the source's images against all photographs of the suite
    loss: LossResult


class Floor(Value):
    """One thing that the policy asks of a candidate."""

    code: str  # stable, for machines
    subject: str  # what it is about, such as a source; empty: the whole
    limit: float
    found: float
    met: bool
    message: str  # in words: what was asked, what was found


class RetentionReport(Document):
    """What the hub measured of a candidate primary."""

    FORMAT: ClassVar[str] = "manyheads.retention/1"

    hub: Name
    candidate: DigestField
    name: Name
    version: Name
    present: DigestField  # the primary it is to follow
    suite: DigestField
    policy: DigestField
    max_loss: Fraction  # of AUROC, for a head to count as compatible
    min_auroc: Fraction  # for a head to count as degraded, and not as obsolete
    detector: tuple[DetectorChange, ...]
    photographs: Bound  # of photographs, those that the candidate's detector calls generated
    heads: tuple[HeadRetention, ...]  # every listed head
    floors: tuple[Floor, ...]  # all of them, met or not
    created: Time

    @property
    def title(self) -> str:
        """`name@version` of the candidate."""
        return f"{self.name}@{self.version}"

    @property
    def unmet(self) -> tuple[Floor, ...]:
        """What stands in the way of a promotion."""
        return tuple(floor for floor in self.floors if not floor.met)

    def find(self, head: Digest) -> HeadRetention | None:
        """Return what was measured of a head."""
        return next((row for row in self.heads if row.head == head), None)


@dataclass(frozen=True)
class SignedRetention:
    """A report whose signature was verified."""

    report: RetentionReport
    digest: Digest  # of the envelope's bytes


def sign_retention(report: RetentionReport, signer: CryptoSigner) -> bytes:
    """Return a report in its envelope, signed by the hub's evaluation key."""
    return sign_envelope(report.to_bytes(), PAYLOAD_TYPE, signer)


def verify_retention(data: bytes, key: SSlibKey) -> SignedRetention:
    """Verify a report's signature.

    The plan: (1) an envelope of this type with one signature; (2) by the hub's key; (3) whose payload is a report.

    Raises:
        ManifestError, UnsupportedVersionError: step 1 or 3 fails.
        SignatureError: step 2 fails.
    """
    # step 1
    envelope = read_envelope(data, PAYLOAD_TYPE, name="retention report", max_bytes=MAX_RETENTION_BYTES)
    # step 2
    verify_signed(envelope, key, name="retention report", by="the hub's evaluation key")
    # step 3
    return SignedRetention(RetentionReport.from_bytes(envelope.payload), digest_bytes(data))
