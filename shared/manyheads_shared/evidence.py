"""Evidence: the instrument, then what it said of each image. Reports are rendered from these alone.

A record file has one document a line (JSONL): an instrument before the first record that names it, then evidence records,
and a failure record for each file that could not be examined, so that nothing is passed over in silence.
Specification: docs/formats/evidence.md. Version 1: `manyheads_shared.evidence_v1`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from manyheads_shared.bundle import KeyId, LeftOut
from manyheads_shared.calibration import Band, Reach, Sides
from manyheads_shared.condition import Condition, Stratum, Usual
from manyheads_shared.decision import Answer, State
from manyheads_shared.document import Count, Document, Fraction, Value
from manyheads_shared.manifest import DigestField, Generator, Name, Time
from manyheads_shared.passage import Way
from manyheads_shared.retention import AreaResult, LossResult
from manyheads_shared.rungs import Rung
from manyheads_shared.statements import Bound, SourceResult

Hex512 = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
Table = Annotated[tuple[Count, ...], Field(min_length=64, max_length=64)]


class Credentials(Value):
    """Content credentials (C2PA) found in the file: a finding of its own, which no score and no verdict knows of."""

    reader: str  # software that read them
    manifest: str  # the label of the file's own manifest; it may hold others, of what the picture was made from
    valid: bool  # hashes and signatures hold; says nothing of who signed
    trusted: bool  # the signer's certificate leads to the reader's trust list
    signer: str | None  # from the certificate
    made_with: str | None  # the claim's own words
    signed: str | None  # when, by a time stamp
    sources: tuple[str, ...]  # digital source types (IPTC) that assertions name, in any of the manifests
    generated: bool  # one of them says that a trained algorithm made the image or part of it
    findings: tuple[str, ...]  # codes of what does not hold


class ItemExamined(Value):
    """The file, as it came."""

    name: str  # as given on the command line, for people; the digests identify
    sha256: DigestField  # of the file's bytes
    sha512: Hex512  # likewise
    pixels: DigestField  # of the decoded picture, upright RGB: E3
    size_bytes: Count
    file_format: str
    width: Count  # pixels, upright
    height: Count
    mode: str
    resampled: bool  # the primary's preprocessing interpolated it: its finest traces are lost
    exif: dict[str, str]  # tag name -> value in words, as far as it is short text
    quantisation: tuple[Table, ...]  # of a JPEG file, in the order of its tables, each row by row
    credentials: Credentials | None  # None: none found, or not looked for; a note says which
    notes: tuple[str, ...]


class UpdateMetadata(Value):
    """The TUF metadata the bundle was verified with."""

    versions: dict[str, Count]  # by role: root, timestamp, snapshot, targets
    expires: dict[str, Time]  # likewise
    confirmed: Time | None  # last moment the hub itself gave the bundle as its newest; None: it came in a pack


class PrimaryUsed(Value):
    """The primary."""

    digest: DigestField
    name: str
    version: str
    architecture: str
    image_size: Count | None  # pixels a side; None: images as they are


class CalibrationUsed(Value):
    """The thresholds, and the error rates they were set for."""

    digest: DigestField
    suite: DigestField
    detector_alpha: Fraction  # of photographs, those that may be called generated
    heads_alpha: Fraction  # of images of any other origin, those that may be claimed by any head at all
    miss_alpha: Fraction  # of a network's own images, those that may be missed outright
    sides: Sides | None  # of the suite's images; None: the hub did not say
    usual: Usual | None  # what these show, nothing having been done to them; likewise


class Standing(Value):
    """What one network may be asked."""

    band: Band
    cap: float | None  # log10: no ratio of this network is larger; None: none was fitted
    validated: tuple[Rung, ...]  # of each ladder, the strongest rung up to which its figures hold


class HeadUsed(Value):
    """One head, who vouches for it, and what the hub measured of it."""

    generator: Generator
    head: DigestField
    owner_key: KeyId
    owner_statement: DigestField
    hub_statement: DigestField
    recall: Bound  # on its own images
    worst: SourceResult | None  # the source of other images that it claimed most surely
    auroc: Fraction
    standing: Standing


class Instrument(Document):
    """Everything the answers depend on beside the images, and what the instrument covers."""

    FORMAT: ClassVar[str] = "manyheads.instrument/1"

    hub: Name
    bundle: DigestField
    bundle_sequence: Count
    bundle_created: Time
    metadata: UpdateMetadata | None
    primary: PrimaryUsed
    calibration: CalibrationUsed
    detector: Standing
    heads: tuple[HeadUsed, ...]  # the covered generators, in the order of every record's answers
    left_out: tuple[LeftOut, ...]  # catalogued heads that are not in the bundle
    software: str
    decoder: str
    device: str
    executor: str
    precision: str
    rule: tuple[str, ...]  # how answers become a state, in words
    limits: tuple[str, ...]  # what no answer of this instrument says
    warnings: tuple[str, ...]  # what weakens it, such as a threshold on too few images

    @property
    def titles(self) -> tuple[str, ...]:
        """The covered generators, `name@version`, in the order of the answers."""
        return tuple(head.generator.title for head in self.heads)

    @property
    def carried_heads(self) -> "tuple[CarriedUsed, ...]":
        """Heads of earlier primaries, and what each was run through."""
        return ()


class CarriedUsed(Value):
    """A head of an earlier primary: what it was run through, and what the hub measured of it so."""

    head: DigestField
    primary: PrimaryUsed  # its own
    way: Way
    until: Time | None  # when the hub means to leave it out
    recall: Bound  # on its own images, with the bundle's primary
    auroc: AreaResult
    loss: LossResult  # of AUROC, by the change of primary


class CarryingInstrument(Instrument):
    """As `Instrument`, of a bundle that carries heads over from earlier primaries. Version 2."""

    FORMAT: ClassVar[str] = "manyheads.instrument/2"

    retention: DigestField  # the hub's signed report that allows each way
    carried: Annotated[tuple[CarriedUsed, ...], Field(min_length=1)]

    @property
    def carried_heads(self) -> tuple[CarriedUsed, ...]:
        """See `Instrument.carried_heads`."""
        return self.carried


def read_instrument(data: bytes) -> Instrument:
    """Read an instrument of any version, as the class of that version.

    Raises:
        ManifestError, UnsupportedVersionError: as `Document.from_bytes`.
    """
    chosen = CarryingInstrument if f'"format":"{CarryingInstrument.FORMAT}"'.encode() in data else Instrument
    return chosen.from_bytes(data)


class Result(Value):
    """One network's answer, and what it is worth for this image."""

    logit: float
    answer: Answer
    log10_ratio: float | None  # of the probabilities of such a score if the answer is yes and if it is no
    lower: float | None  # its interval at 95 %; None: not known, or without bound
    upper: float | None
    valid: bool  # the network was validated for this image's condition
    reach: Reach | None  # what it did under this condition in the tests; None: the image shows no degradation


class Trial(Value):
    """The verdict on the image after a mild change."""

    change: str
    state: State
    claimed_by: tuple[str, ...]


class EvidenceRecord(Document):
    """The analysis of one image."""

    FORMAT: ClassVar[str] = "manyheads.evidence/2"

    item: ItemExamined
    instrument: DigestField
    condition: Condition
    strata: tuple[Stratum, ...]  # where the condition lies on the hub's ladders
    detector: Result
    heads: tuple[Result, ...]  # of every head, in the instrument's order, not only the winner
    scores_say: State  # by the thresholds alone
    trials: tuple[Trial, ...] | None  # None: stability was not tested
    doubts: tuple[str, ...]  # why the state says less than the scores
    state: State
    claimed_by: tuple[str, ...]  # titles of the generators whose heads said yes
    explanation: str
    created: Time


class FailureRecord(Document):
    """A file that was asked for and could not be examined."""

    FORMAT: ClassVar[str] = "manyheads.failure/1"

    name: str
    error: str  # class name
    reason: str
    created: Time


@dataclass(frozen=True)
class Examined:
    """A record, and the instrument it names."""

    record: EvidenceRecord
    instrument: Instrument

    @property
    def name(self) -> str:
        """The image, as it was given."""
        return self.record.item.name

    @property
    def state(self) -> State:
        """The outcome."""
        return self.record.state

    @property
    def heads(self) -> Iterator[tuple[HeadUsed, Result]]:
        """Every head with its answer."""
        return zip(self.instrument.heads, self.record.heads, strict=True)
