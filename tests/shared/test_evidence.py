import pytest

from manyheads_shared.decision import State
from manyheads_shared.errors import ManifestError, UnsupportedVersionError
from manyheads_shared.evidence import EvidenceRecord, Examined, FailureRecord, Instrument
from manyheads_shared.evidence_v1 import EvidenceRecordV1
from tests.support.evidence import make_instrument, make_record
from tests.support.makers import TIME


@pytest.mark.parametrize("state", State)
def test_a_record_of_every_state_is_read_as_it_was_written(state: State) -> None:
    record = make_record(state=state)
    assert EvidenceRecord.from_bytes(record.to_bytes()) == record


def test_an_instrument_is_read_as_it_was_written() -> None:
    instrument = make_instrument()
    assert Instrument.from_bytes(instrument.to_bytes()) == instrument
    assert instrument.titles == ("golden@1",)


def test_records_and_instruments_are_one_line_each() -> None:
    assert b"\n" not in make_record(explanation="two\nlines").to_bytes()
    assert b"\n" not in make_instrument(rule=("two\nlines",)).to_bytes()


def test_the_same_analysis_gives_the_same_bytes() -> None:
    assert make_record().to_bytes() == make_record().to_bytes()


def test_a_state_nobody_decided_is_refused() -> None:
    data = make_record().to_bytes().replace(b'"state":"inconclusive"', b'"state":"guilty"')
    with pytest.raises(ManifestError):
        EvidenceRecord.from_bytes(data)


def test_the_two_versions_are_told_apart() -> None:
    with pytest.raises(UnsupportedVersionError):
        EvidenceRecordV1.from_bytes(make_record().to_bytes())


def test_heads_and_answers_go_together() -> None:
    entry = Examined(make_record(), make_instrument())
    assert [(used.generator.title, result.logit) for used, result in entry.heads] == [("golden@1", 2.25)]


def test_a_failure_is_read_as_it_was_written_and_is_no_evidence() -> None:
    failure = FailureRecord.new(name="a.gif", error="ImageError", reason="no image", created=TIME)
    assert FailureRecord.from_bytes(failure.to_bytes()) == failure
    with pytest.raises(ManifestError):
        EvidenceRecord.from_bytes(failure.to_bytes())
