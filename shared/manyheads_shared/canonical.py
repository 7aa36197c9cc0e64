"""Values to canonical JSON bytes (RFC 8785) and back.

Signatures and digests cover exact bytes, so one value has one form. Reading is strict: duplicate keys, trailing
data, NaN and any byte sequence that is not the canonical form of its own value are refused.
"""

import json
from typing import Any

import rfc8785

from manyheads_shared.errors import ManifestError

MAX_DOCUMENT_BYTES = 16 << 20  # a bundle manifest of 10,000 heads is about 6 MB


def to_canonical(value: Any) -> bytes:
    """Return the canonical JSON form of a value made of dict, list, str, int, float, bool and None.

    Raises:
        ValueError: the value has no canonical form (NaN, an integer beyond 2**53, a key that is no string).
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"no canonical JSON form: {error}") from error


def from_canonical(data: bytes, *, name: str = "document", max_bytes: int = MAX_DOCUMENT_BYTES) -> Any:
    """Return the value whose canonical form is `data`.

    Raises:
        ManifestError: too large, not JSON, a duplicate key, or not in canonical form.
    """
    if len(data) > max_bytes:
        raise ManifestError(f"{name}: expected at most {max_bytes} bytes, got {len(data)}")
    try:
        value, is_plain = _load(data)
        canonical = data if is_plain else to_canonical(value)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{name}: expected canonical JSON (RFC 8785), got something else: {error}") from error
    if canonical != data:
        raise ManifestError(
            f"{name}: the JSON is readable but not in canonical form (RFC 8785: sorted keys, no white space). "
            "Was it edited by hand or re-formatted? Write it again with manyheads."
        )
    return value


def _load(data: bytes) -> tuple[Any, bool]:
    """Return the value, and whether `data` is surely its canonical form: found in a tenth of the time it takes to write that.

    Python's own encoder agrees with RFC 8785 on ASCII whose fractions have no exponent and are none of whole numbers. What is
    not like that may be canonical all the same.
    """
    text, unlike = data.decode(), []

    def parse_fraction(number: str) -> float:
        if "e" in number or "E" in number or number.endswith(".0"):
            unlike.append(number)
        return float(number)

    value = json.loads(
        text,
        object_pairs_hook=refuse_duplicates,
        parse_constant=_refuse_constant,
        parse_int=_parse_whole,
        parse_float=parse_fraction,
    )
    if unlike or not text.isascii():
        return value, False
    return value, json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) == text


def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """`object_pairs_hook` for `json.loads`: two readers must never see two values under one key."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object names the same key twice")
    return value


def _parse_whole(text: str) -> int | float:
    """RFC 8785 writes a double such as 1e17 without a fraction; beyond 2**53 whole numbers are doubles again."""
    number = float(text)
    return int(text) if abs(number) < 2**53 else number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
