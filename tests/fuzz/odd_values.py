"""JSON with one value replaced by an odd one, or taken away: every place, every value. Finds what random bytes seldom reach."""

import copy
import json
from collections.abc import Iterator
from typing import Any

_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**53,
    2**70,
    1.5,
    "",
    "x",
    "\ud800",
    "2100-02-30T00:00:00Z",
    [],
    [[]],
    [1, 2],
    {},
    {"a": {}},
)

Place = tuple[str | int, ...]


def with_odd_values(data: bytes) -> Iterator[bytes]:
    """Yield a JSON text again and again, each time with one value changed or one member gone."""
    value = json.loads(data)
    for place in _places(value):
        for odd in _ODD:
            yield _write(_replace(value, place, odd))
        if place:
            yield _write(_remove(value, place))


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from _places(member, (*place, key))


def _replace(value: Any, place: Place, odd: Any) -> Any:
    if not place:
        return odd
    changed = copy.deepcopy(value)
    _parent(changed, place)[place[-1]] = odd
    return changed


def _remove(value: Any, place: Place) -> Any:
    changed = copy.deepcopy(value)
    del _parent(changed, place)[place[-1]]
    return changed


def _parent(value: Any, place: Place) -> Any:
    for key in place[:-1]:
        value = value[key]
    return value


def _write(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
