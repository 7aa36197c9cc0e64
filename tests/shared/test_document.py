from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from manyheads_shared.canonical import to_canonical
from manyheads_shared.digest import digest_bytes
from manyheads_shared.document import MAX_INTEGER, Count, Document, Fraction, Value
from manyheads_shared.errors import ManifestError, UnsupportedVersionError


class _Part(Value):
    label: str
    weight: float


class _Sample(Document):
    """A document of every kind of field."""

    FORMAT: ClassVar[str] = "manyheads.sample/2"

    count: Count
    share: Fraction
    parts: tuple[_Part, ...]
    note: str | None


VALUE: dict[str, Any] = {
    "format": "manyheads.sample/2",
    "count": 3,
    "share": 0.5,
    "parts": [{"label": "a", "weight": 1.5}],
    "note": None,
}
samples = st.builds(
    _Sample.new,
    count=st.integers(0, MAX_INTEGER),
    share=st.floats(0, 1),
    parts=st.lists(st.builds(_Part, label=st.text(), weight=st.floats(allow_nan=False, allow_infinity=False))).map(tuple),
    note=st.none() | st.text(),
)


@given(samples)
def test_a_document_is_what_its_bytes_say(sample: _Sample) -> None:
    assert _Sample.from_bytes(sample.to_bytes()) == sample
    assert sample.digest == digest_bytes(sample.to_bytes())


def test_a_document_of_the_newest_version_is_built_and_frozen() -> None:
    sample = _Sample.new(count=3, share=0.5, parts=(_Part(label="a", weight=1.5),), note=None)

    assert sample.to_bytes() == to_canonical(VALUE)
    with pytest.raises(ValidationError, match="frozen"):
        sample.count = 4  # type: ignore[misc]  # that is the point


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": ({"extra": 1}, "extra: Extra inputs"),
    "an unknown field in a part": ({"parts": [{"label": "a", "weight": 1, "x": 2}]}, "parts.0.x: Extra inputs"),
    "text for a number": ({"count": "3"}, "count: .* valid integer"),
    "a number for text": ({"note": 3}, "note: .* valid string"),
    "true for a number": ({"count": True}, "count: .* valid integer"),
    "a fraction for a whole number": ({"count": 3.5}, "count: .* valid integer"),
    "a count below nothing": ({"count": -1}, "count: .* greater than or equal to 0"),
    "a share above everything": ({"share": 1.5}, "share: .* less than or equal to 1"),
    "no list": ({"parts": {}}, "parts: .* valid array"),
    "null where a value must be": ({"count": None}, "count: .* valid integer"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_field_that_breaks_the_schema_is_named(case: str) -> None:
    change, message = BROKEN[case]

    with pytest.raises(ManifestError, match=f"manyheads.sample/2: {message}"):
        _Sample.from_bytes(to_canonical(VALUE | change))


@pytest.mark.parametrize("field", [name for name in VALUE if name != "format"])
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(ManifestError, match=f"{field}: Field required"):
        _Sample.from_bytes(to_canonical({name: value for name, value in VALUE.items() if name != field}))


@pytest.mark.parametrize("version", ["1", "3", "10", "2.0", "", "2/1", "02"])
def test_another_major_version_is_an_error_of_its_own(version: str) -> None:
    with pytest.raises(UnsupportedVersionError, match="reads version 2"):
        _Sample.from_bytes(to_canonical(VALUE | {"format": f"manyheads.sample/{version}"}))


def test_a_newer_version_is_told_before_its_new_fields_are_complained_of() -> None:
    with pytest.raises(UnsupportedVersionError):
        _Sample.from_bytes(to_canonical(VALUE | {"format": "manyheads.sample/3", "new": True}))


@pytest.mark.parametrize("value", [[], "text", None, 3, {}, {"format": 3}, {"format": None}], ids=str)
def test_json_without_a_format_is_refused(value: Any) -> None:
    with pytest.raises(ManifestError, match="a field `format`"):
        _Sample.from_bytes(to_canonical(value))


def test_a_document_of_another_kind_is_refused_by_its_name() -> None:
    with pytest.raises(ManifestError, match=r"expected a manyheads\.sample document, got a 'manyheads\.head'"):
        _Sample.from_bytes(to_canonical(VALUE | {"format": "manyheads.head/1"}))


def test_only_the_first_three_problems_are_told() -> None:
    with pytest.raises(ManifestError, match="and 1 more"):
        _Sample.from_bytes(to_canonical({"format": "manyheads.sample/2"}))


def test_a_document_built_with_a_wrong_field_is_refused() -> None:
    with pytest.raises(ManifestError, match="count"):
        _Sample.new(count="3", share=0.5, parts=(), note=None)


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_part_holds_no_nan_and_no_infinity(weight: float) -> None:
    with pytest.raises(ValidationError):
        _Part(label="a", weight=weight)
