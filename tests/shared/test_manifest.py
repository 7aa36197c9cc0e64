import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from manyheads_shared.canonical import to_canonical
from manyheads_shared.document import Document
from manyheads_shared.errors import FormatError, ManifestError
from manyheads_shared.manifest import Generator, HeadManifest, PrimaryManifest
from tests.support.makers import make_generator, make_head, make_primary

PRIMARY = make_primary().manifest
HEAD = make_head(make_primary()).manifest
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.floats(-1e9, 1e9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def _changed(manifest: Document, **change: Any) -> bytes:
    """The manifest's JSON with fields replaced; `preprocessing__fit` reaches inside."""
    value = json.loads(manifest.to_bytes())
    for path, new in change.items():
        *parents, last = path.split("__")
        inner = value
        for parent in parents:
            inner = inner[parent]
        inner[last] = new
    return to_canonical(value)


@pytest.mark.parametrize("manifest", [PRIMARY, HEAD], ids=["primary", "head"])
def test_a_manifest_is_what_its_bytes_say(manifest: Document) -> None:
    assert type(manifest).from_bytes(manifest.to_bytes()) == manifest


@pytest.mark.parametrize("manifest", [PRIMARY, HEAD], ids=["primary", "head"])
@given(st.data())
def test_a_manifest_with_any_value_in_any_field_is_read_whole_or_refused_by_name(
    manifest: Document, data: st.DataObject
) -> None:
    value = json.loads(manifest.to_bytes())
    field = data.draw(st.sampled_from([*value, "something new"]))
    value[field] = data.draw(json_values)
    try:
        read = type(manifest).from_bytes(to_canonical(value))
    except FormatError:
        return
    assert read.to_bytes() == to_canonical(value)


REFUSED: dict[str, dict[str, Any]] = {
    "an upper-case name": {"name": "Tiny"},
    "a name with a path": {"name": "../../etc"},
    "an empty name": {"name": ""},
    "a name beyond 64": {"name": "a" * 65},
    "a moment with a zone": {"created": "2026-01-02T03:04:05+01:00"},
    "a moment that never was": {"created": "2026-02-30T00:00:00Z"},
    "a moment in other digits": {"created": "٢٠٢٦-01-02T03:04:05Z"},
    "a digest in capitals": {"training__recipe": "sha256:" + "A" * 64},
    "a digest that is too short": {"training__recipe": "sha256:00"},
    "an unknown representation": {"preprocessing__representation": "wavelet"},
    "an unknown fit": {"preprocessing__fit": "stretch"},
    "an image size of nothing": {"preprocessing__image_size": 0},
    "an image size beyond reason": {"preprocessing__image_size": 1 << 20},
    "a training beyond exact integers": {"training__images": 2.0**60},
    "fewer than no epochs": {"training__epochs": -1},
    "an endless device name": {"training__device": "x" * 501},
    "three probe rows": {"probe": [[0.0] * 8] * 3},
    "a probe row of seven": {"probe": [[0.0] * 8] * 3 + [[0.0] * 7]},
    "a probe of text": {"probe": [["0"] * 8] * 4},
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_outside_its_range_is_refused(case: str) -> None:
    with pytest.raises(ManifestError, match=r"manyheads\.primary/1"):
        PrimaryManifest.from_bytes(_changed(PRIMARY, **REFUSED[case]))


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "an undeclared architecture": ({"architecture": "resnet50"}, "declared architecture"),
    "dct images for a pixel network": ({"preprocessing__representation": "dct"}, "takes pixel images"),
    "native with a size": ({"preprocessing__fit": "native"}, "image_size null with fit native"),
    "resize without a size": ({"preprocessing__image_size": None}, "image_size null with fit native"),
    "a size that does not halve thrice": ({"preprocessing__image_size": 36}, "multiple of 8"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_manifest_whose_parts_do_not_fit_builds_no_architecture(case: str) -> None:
    change, message = MISFITS[case]

    with pytest.raises(ManifestError, match=message):
        PrimaryManifest.from_bytes(_changed(PRIMARY, **change)).build_architecture()


def test_a_flatten_read_out_works_at_one_size_only() -> None:
    native = {"architecture": "khoo2022-dct", "preprocessing": {"representation": "dct", "image_size": None, "fit": "native"}}

    with pytest.raises(ManifestError, match="works at one image size"):
        PrimaryManifest.from_bytes(_changed(PRIMARY, **native)).build_architecture()


@pytest.mark.parametrize("field", ["name", "version", "owner"])
def test_a_generators_names_are_plain(field: str) -> None:
    good = make_generator().model_dump()

    for name in ("", "A", "a b", "a/b", "a@b", ".hidden", "a\n", "ä"):
        with pytest.raises(ValidationError):
            Generator.model_validate(good | {field: name})


def test_a_generators_title_is_its_name_and_version() -> None:
    assert make_generator("dcgan", "2.1").title == "dcgan@2.1"


def test_a_head_manifest_is_no_primary_manifest() -> None:
    with pytest.raises(ManifestError, match=r"expected a manyheads\.primary document"):
        PrimaryManifest.from_bytes(HEAD.to_bytes())
    with pytest.raises(ManifestError, match=r"expected a manyheads\.head document"):
        HeadManifest.from_bytes(PRIMARY.to_bytes())
