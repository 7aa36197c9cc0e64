from typing import Any

import pytest

from manyheads_shared.decision import Answer, State
from manyheads_shared.errors import ManifestError
from manyheads_shared.evidence_v1 import EvidenceRecordV1, HeadMeasurementV1, InstrumentV1, ItemExaminedV1, MeasurementV1
from tests.support.makers import NO_DIGEST, TIME, make_generator

MEASUREMENT = MeasurementV1(logit=-1.25, low=-1.0, high=1.5, answer=Answer.NO)


def _record(**change: Any) -> EvidenceRecordV1:
    item = ItemExaminedV1(
        name="scène.png",
        digest=NO_DIGEST,
        size_bytes=10,
        file_format="PNG",
        width=32,
        height=32,
        mode="RGB",
        resampled=False,
        notes=(),
    )
    instrument = InstrumentV1(
        hub="test-hub",
        bundle=NO_DIGEST,
        bundle_sequence=1,
        primary=NO_DIGEST,
        calibration=NO_DIGEST,
        metadata_expires=None,
        software="manyheads test",
        decoder="Pillow",
        device="CPU",
        precision="float32",
        warnings=(),
    )
    fields: dict[str, Any] = {
        "item": item,
        "instrument": instrument,
        "detector": MEASUREMENT,
        "heads": (HeadMeasurementV1(generator=make_generator(), head=NO_DIGEST, measurement=MEASUREMENT),),
        "state": State.REAL,
        "claimed_by": (),
        "explanation": "words",
        "created": TIME,
    }
    return EvidenceRecordV1.new(**(fields | change))


@pytest.mark.parametrize("state", State)
def test_a_record_of_every_state_is_read_as_it_was_written(state: State) -> None:
    record = _record(state=state)

    assert EvidenceRecordV1.from_bytes(record.to_bytes()) == record


def test_a_record_is_one_line() -> None:
    assert b"\n" not in _record(explanation="two\nlines").to_bytes()


def test_the_same_analysis_gives_the_same_bytes() -> None:
    assert _record().to_bytes() == _record().to_bytes()


def test_a_state_nobody_decided_is_refused() -> None:
    data = _record().to_bytes().replace(b'"state":"real"', b'"state":"fake"')

    with pytest.raises(ManifestError, match="state"):
        EvidenceRecordV1.from_bytes(data)
