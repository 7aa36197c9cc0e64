"""Evidence records: what was examined, with which instrument, what it said. Reports are rendered from them alone.

Specification: docs/formats/evidence.md. A scan writes one record a line (JSONL); a file that could not be examined leaves a
failure record, so nothing is passed over in silence.
"""

from typing import ClassVar

from manyheads_shared.decision import Answer, State
from manyheads_shared.document import Count, Document, Value
from manyheads_shared.manifest import DigestField, Generator, Name, Time


class ItemExamined(Value):
    """The file, as it came."""

    name: str  # as given on the command line, for people; `digest` identifies
    digest: DigestField  # of the file's bytes
    size_bytes: Count
    file_format: str
    width: Count  # pixels, as stored and turned upright
    height: Count
    mode: str
    resampled: bool  # the primary's preprocessing interpolated it: its finest traces are lost
    notes: tuple[str, ...]


class Instrument(Value):
    """Everything the answer depends on beside the image."""

    hub: Name
    bundle: DigestField
    bundle_sequence: Count
    primary: DigestField
    calibration: DigestField
    metadata_expires: Time | None  # of the TUF timestamp the bundle was last verified with
    software: str
    decoder: str
    device: str
    precision: str
    warnings: tuple[str, ...]  # what weakens the instrument: expired metadata, a threshold on too few images


class Measurement(Value):
    """One score against its band. Logits, not probabilities."""

    logit: float
    low: float
    high: float
    answer: Answer


class HeadMeasurement(Value):
    """One head's score."""

    generator: Generator
    head: DigestField
    measurement: Measurement


class EvidenceRecord(Document):
    """The analysis of one image."""

    FORMAT: ClassVar[str] = "manyheads.evidence/1"

    item: ItemExamined
    instrument: Instrument
    detector: Measurement
    heads: tuple[HeadMeasurement, ...]  # all of them, in the bundle's order, not only the winner
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
