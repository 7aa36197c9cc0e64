import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads_shared.canonical import MAX_DOCUMENT_BYTES, from_canonical, to_canonical
from manyheads_shared.errors import ManifestError

numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_written_is_read(value: Any) -> None:
    assert from_canonical(to_canonical(value)) == value


@given(values)
def test_one_value_has_one_form(value: Any) -> None:
    data = to_canonical(value)

    assert to_canonical(json.loads(data, parse_int=float)) == data


@given(values, st.integers(0, 10_000), st.integers(0, 255))
def test_changed_bytes_are_refused_or_are_the_canonical_form_of_another_value(value: Any, offset: int, byte: int) -> None:
    data = bytearray(to_canonical(value))
    data[offset % len(data)] = byte
    try:
        read = from_canonical(bytes(data))
    except ManifestError:
        return
    assert to_canonical(read) == bytes(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_by_name(data: bytes) -> None:
    with suppress(ManifestError):
        assert to_canonical(from_canonical(data)) == data


def test_the_form_is_that_of_rfc_8785() -> None:
    value = {
        "\u20ac": 1,
        "\r": 2,
        "1": 3,
        "\U0001f600": 4,
        "b": [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    }
    expected = '{"\\r":2,"1":3,"b":[333333333.3333333,1e+30,4.5,0.002,1e-27],"€":1,"😀":4}'

    assert to_canonical(value) == expected.encode()


@pytest.mark.parametrize("value", [2.0**53, -1e17, 123456789012345680000.0])
def test_a_large_double_that_looks_like_an_integer_is_read_back(value: float) -> None:
    assert from_canonical(to_canonical(value)) == value


REFUSED = {
    "white space": b'{"a": 1}',
    "a line break at the end": b'{"a":1}\n',
    "keys out of order": b'{"b":1,"a":2}',
    "the same key twice": b'{"a":1,"a":1}',
    "the same key twice, deep": b'[{"a":[{"b":1,"b":2}]}]',
    "trailing data": b'{"a":1}{}',
    "a needless fraction": b"1.0",
    "a needless exponent": b"1e2",
    "negative zero": b"-0",
    "NaN": b"NaN",
    "Infinity": b"[Infinity]",
    "a number beyond every double": b"1e999",
    "an integer beyond 2**53": b"9007199254740993",
    "a needless escape": b'"\\u0061"',
    "a lone surrogate": b'"\\ud800"',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "not UTF-8": b'"\xff"',
    "nothing": b"",
    "text": b"hello",
    "nested beyond reason": b"[" * 100_000 + b"]" * 100_000,
    "digits beyond reason": b"1" * 5000,
}


@pytest.mark.parametrize("case", REFUSED)
def test_anything_but_the_canonical_form_is_refused(case: str) -> None:
    with pytest.raises(ManifestError, match="thing:"):
        from_canonical(REFUSED[case], name="thing")


def test_a_document_over_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ManifestError, match="at most 10 bytes, got 11"):
        from_canonical(b"x" * 11, max_bytes=10)
    with pytest.raises(ManifestError, match=str(MAX_DOCUMENT_BYTES)):
        from_canonical(b"0" * (MAX_DOCUMENT_BYTES + 1))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, {1: 2}, pytest.param(object(), id="object")], ids=str)
def test_a_value_without_a_form_is_a_mistake(value: Any) -> None:
    with pytest.raises(ValueError, match="canonical"):
        to_canonical(value)


@given(
    values,
    st.integers(0, 10_000),
    st.sampled_from([b" ", b"0", b".0", b"e0", b"-", b"\\u0061", b"\\/", b"\x7f", b"E+1", b"00"]),
)
def test_the_quick_way_of_reading_accepts_nothing_that_the_slow_one_refuses(value: Any, offset: int, more: bytes) -> None:
    data = to_canonical(value)
    place = offset % (len(data) + 1)
    changed = data[:place] + more + data[place:]
    with suppress(ManifestError):
        assert to_canonical(from_canonical(changed)) == changed


@pytest.mark.parametrize(
    "text", ["1.0", "-0", "-0.0", "1e-05", "1e+22", "0.00001", "1e-7", "9007199254740993", '{"b":1,"a":2}', '"\\u001F"']
)
def test_only_the_one_form_of_a_number_or_a_text_is_read(text: str) -> None:
    canonical = {"1e+22", "0.00001", "1e-7"}
    if text in canonical:
        assert to_canonical(from_canonical(text.encode())) == text.encode()
    else:
        with pytest.raises(ManifestError):
            from_canonical(text.encode())
