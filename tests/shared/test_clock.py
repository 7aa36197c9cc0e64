from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from manyheads_shared.clock import now, read_time, write_time
from manyheads_shared.manifest import Time


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_a_moment_is_read_as_it_was_written_to_the_second(moment: datetime) -> None:
    assert read_time(write_time(moment)) == moment.replace(microsecond=0)
    assert TypeAdapter(Time).validate_python(write_time(moment))


def test_a_moment_elsewhere_is_written_in_utc() -> None:
    moment = datetime(2026, 1, 2, 4, 4, 5, tzinfo=timezone(timedelta(hours=1)))

    assert write_time(moment) == "2026-01-02T03:04:05Z"


def test_now_is_now() -> None:
    assert abs(read_time(now()) - datetime.now(UTC)) < timedelta(seconds=2)


@pytest.mark.parametrize("text", ["2026-01-02", "2026-01-02T03:04:05", "2026-13-01T00:00:00Z", "now"])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="does not match"):
        read_time(text)
