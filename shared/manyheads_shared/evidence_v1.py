"""Evidence records of version 1, still read: each carried its instrument, and none said under which conditions it holds.

Specification: docs/formats/evidence.md. Nothing writes them any more; `manyheads_shared.evidence` has what took their place.
"""

from typing import ClassVar

from manyheads_shared.decision import Answer, State
from manyheads_shared.document import Count, Document, Value
from manyheads_shared.manifest import DigestField, Generator, Name, Time


class ItemExaminedV1(Value):
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


class InstrumentV1(Value):
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


class MeasurementV1(Value):
    """One score against its band. Logits, not probabilities."""

    logit: float
    low: float
    high: float
    answer: Answer


class HeadMeasurementV1(Value):
    """One head's score."""

    generator: Generator
    head: DigestField
    measurement: MeasurementV1


class EvidenceRecordV1(Document):
    """The analysis of one image."""

    FORMAT: ClassVar[str] = "manyheads.evidence/1"

    item: ItemExaminedV1
    instrument: InstrumentV1
    detector: MeasurementV1
    heads: tuple[HeadMeasurementV1, ...]  # all of them, in the bundle's order, not only the winner
    state: State
    claimed_by: tuple[str, ...]  # titles of the generators whose heads said yes
    explanation: str
    created: Time
