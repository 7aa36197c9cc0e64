import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from manyheads_shared import artifact
from manyheads_shared.artifact import (
    MANIFEST_KEY,
    HeadArtifact,
    PrimaryArtifact,
    read_head,
    read_head_manifest,
    read_primary,
    write_head,
)
from manyheads_shared.canonical import to_canonical
from manyheads_shared.digest import digest_bytes
from manyheads_shared.errors import (
    ArtifactError,
    FormatError,
    HeaderTooLargeError,
    ManifestError,
    NonFiniteTensorError,
    PrimaryMismatchError,
    TensorDtypeError,
    TensorSetError,
    TensorShapeError,
    UnsupportedVersionError,
)
from tests.support.makers import make_head, make_head_bytes, make_primary, make_primary_bytes

PRIMARY_BYTES = make_primary_bytes()
PRIMARY = read_primary(PRIMARY_BYTES)
HEAD_BYTES = make_head_bytes(PRIMARY)
HEAD = read_head(HEAD_BYTES, PRIMARY)
HEADER_LENGTH = int.from_bytes(HEAD_BYTES[:8], "little")
Tensors = Mapping[str, NDArray[Any]]


def _safetensors(tensors: Tensors, metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file that nobody checked."""
    manifest = {MANIFEST_KEY: HEAD.manifest.to_bytes().decode()} if metadata is None else metadata
    return safetensors.numpy.save(dict(tensors), manifest)


def _with_header(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The head's bytes with its JSON header edited."""
    header = json.loads(HEAD_BYTES[8 : 8 + HEADER_LENGTH])
    change(header)
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + HEAD_BYTES[8 + HEADER_LENGTH :]


def _with_manifest(**change: Any) -> bytes:
    manifest = json.loads(HEAD.manifest.to_bytes()) | change
    return _safetensors(HEAD.tensors, {MANIFEST_KEY: to_canonical(manifest).decode()})


@pytest.mark.parametrize("name", ["khoo2022-pixel", "khoo2022-dct"])
def test_a_primary_is_read_as_it_was_written(name: str) -> None:
    data = make_primary_bytes(name)
    primary = read_primary(data)

    assert primary.digest == digest_bytes(data)
    assert primary.tensors.keys() == artifact.primary_tensors(primary.architecture, 32).keys()
    assert sorted(primary.part("preprocessing")) == (["mean", "std"] if name.endswith("dct") else [])


def test_a_head_is_read_as_it_was_written() -> None:
    again = write_head(HEAD.manifest, HEAD.tensors, PRIMARY)

    assert again == HEAD_BYTES
    assert HEAD.manifest.primary == PRIMARY.digest
    assert all(tensor.dtype == np.float32 for tensor in HEAD.tensors.values())


def test_a_heads_manifest_is_read_without_its_primary() -> None:
    assert read_head_manifest(HEAD_BYTES) == HEAD.manifest


def _tensors(**change: NDArray[Any] | None) -> Tensors:
    tensors = {**HEAD.tensors} | {name.replace("__", "."): tensor for name, tensor in change.items() if tensor is not None}
    return {name: tensor for name, tensor in tensors.items() if change.get(name.replace(".", "__"), tensor) is not None}


BIAS = HEAD.tensors["decision.bias"]
BROKEN_TENSORS: dict[str, tuple[Tensors, type[ArtifactError], str]] = {
    "a tensor is missing": (_tensors(decision__bias=None), TensorSetError, "decision.bias is missing"),
    "a tensor nobody declared": (_tensors(extra=BIAS), TensorSetError, "'extra' is not declared"),
    "no tensors at all": ({}, TensorSetError, "14 of 14"),
    "another shape": (_tensors(decision__bias=np.zeros(2, np.float32)), TensorShapeError, r"\[1\], got \[2\]"),
    "a shape of the same size": (_tensors(decision__weight=np.zeros((32, 1), np.float32)), TensorShapeError, "decision.weight"),
    "a scalar": (_tensors(decision__bias=np.zeros((), np.float32)), TensorShapeError, "decision.bias"),
    "doubles": (_tensors(decision__bias=np.zeros(1)), TensorDtypeError, "F64"),
    "half precision": (_tensors(decision__bias=np.zeros(1, np.float16)), TensorDtypeError, "F16"),
    "integers": (_tensors(decision__bias=np.zeros(1, np.int32)), TensorDtypeError, "I32"),
    "not a number": (_tensors(decision__bias=np.full(1, np.nan, np.float32)), NonFiniteTensorError, "decision.bias"),
    "infinity": (_tensors(decision__bias=np.full(1, -np.inf, np.float32)), NonFiniteTensorError, "decision.bias"),
    "a negative variance": (_tensors(norm1__running_var=np.full(32, -1, np.float32)), ArtifactError, "negative"),
}


@pytest.mark.parametrize("case", BROKEN_TENSORS)
def test_tensors_that_are_not_those_declared_are_refused_by_name(case: str) -> None:
    tensors, error, message = BROKEN_TENSORS[case]

    with pytest.raises(error, match=message):
        read_head(_safetensors(tensors), PRIMARY)


def test_a_writer_refuses_what_a_reader_would() -> None:
    with pytest.raises(NonFiniteTensorError):
        write_head(HEAD.manifest, _tensors(decision__bias=np.full(1, np.nan, np.float32)), PRIMARY)


def _overlap(header: dict[str, Any]) -> None:
    header["norm1.bias"]["data_offsets"] = header["norm1.weight"]["data_offsets"]


BROKEN_FILES: dict[str, tuple[bytes, type[FormatError], str]] = {
    "nothing": (b"", ArtifactError, "0 bytes"),
    "text": (b"hello, I am no safetensors file", HeaderTooLargeError, "it claims"),
    "a pickle": (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94", HeaderTooLargeError, "it claims"),
    "a header of gigabytes": (struct.pack("<Q", 1 << 40) + b"{}", HeaderTooLargeError, "at most 1048576 bytes"),
    "a header beyond the limit": (struct.pack("<Q", (1 << 20) + 1) + b" " * 100, HeaderTooLargeError, "1048577"),
    "a header without end": (struct.pack("<Q", 100) + b"{}", ArtifactError, "cut off"),
    "an empty header": (struct.pack("<Q", 0), ArtifactError, "none or are cut off"),
    "a header that is no JSON": (struct.pack("<Q", 4) + b"{no}", ArtifactError, "not JSON"),
    "a header that is a list": (struct.pack("<Q", 2) + b"[]", ArtifactError, "not an object"),
    "a header nested beyond reason": (struct.pack("<Q", 200_000) + b"[" * 200_000, ArtifactError, "not JSON"),
    "one tensor twice": (struct.pack("<Q", 15) + b'{"a":1,"a":{} }', ArtifactError, "same key twice"),
    "metadata that is a list": (struct.pack("<Q", 19) + b'{"__metadata__":[]}', ArtifactError, "not an object"),
    "no manifest": (_safetensors(HEAD.tensors, {}), ArtifactError, "Plain weights are not an artifact"),
    "more metadata": (
        _with_header(lambda header: header["__metadata__"].update(author="eve")),
        ArtifactError,
        "no metadata but manyheads.manifest",
    ),
    "a manifest that is a number": (
        _with_header(lambda header: header["__metadata__"].update({MANIFEST_KEY: 1})),
        ArtifactError,
        "without a manyheads manifest",
    ),
    "bytes after the tensors": (HEAD_BYTES + b"\0", ArtifactError, "safetensors"),
    "bytes missing at the end": (HEAD_BYTES[:-1], ArtifactError, "safetensors"),
    "tensors that share their bytes": (_with_header(_overlap), ArtifactError, "safetensors"),
    "a tensor outside the file": (
        _with_header(lambda header: header["decision.bias"].update(data_offsets=[0, 1 << 62])),
        ArtifactError,
        "safetensors",
    ),
    "an entry that is no object": (_with_header(lambda h: h.update({"decision.bias": 3})), TensorDtypeError, "decision.bias"),
    "a manifest of another major version": (
        _with_manifest(format="manyheads.head/2"),
        UnsupportedVersionError,
        "reads version 1",
    ),
    "a manifest with an unknown field": (_with_manifest(licence="mit"), ManifestError, "licence"),
    "a manifest that is not canonical": (
        _safetensors(HEAD.tensors, {MANIFEST_KEY: json.dumps(json.loads(HEAD.manifest.to_bytes()))}),
        ManifestError,
        "not in canonical form",
    ),
    "a primary": (PRIMARY_BYTES, ManifestError, r"expected a manyheads\.head document"),
    "another architecture": (_with_manifest(architecture="khoo2022-dct"), ArtifactError, "like its primary"),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_file_that_breaks_the_format_is_refused_with_its_reason(case: str) -> None:
    data, error, message = BROKEN_FILES[case]

    with pytest.raises(error, match=message):
        read_head(data, PRIMARY)


@pytest.mark.parametrize("read", [lambda data: read_head(data, PRIMARY), read_primary], ids=["head", "primary"])
def test_an_artifact_over_the_limit_is_refused(read: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact, "MAX_HEAD_BYTES", 1000)
    monkeypatch.setattr(artifact, "MAX_PRIMARY_BYTES", 1000)

    with pytest.raises(ArtifactError, match="at most 1000 bytes"):
        read(HEAD_BYTES)


def test_a_head_for_another_primary_is_refused() -> None:
    other = make_primary(seed=9)

    with pytest.raises(PrimaryMismatchError, match=f"alpha@1 was trained on primary {PRIMARY.digest}"):
        read_head(HEAD_BYTES, other)


def test_a_primary_that_gained_a_byte_is_another_primary() -> None:
    other = read_primary(make_primary_bytes(name="tiny2"))

    with pytest.raises(PrimaryMismatchError):
        read_head(HEAD_BYTES, other)


def _read_or_refuse(data: bytes) -> HeadArtifact | None:
    """Read a damaged head; anything but an error of ours fails the test."""
    try:
        return read_head(data, PRIMARY)
    except (FormatError, PrimaryMismatchError):
        return None


@given(st.integers(0, 8 + HEADER_LENGTH - 1), st.integers(1, 255))
def test_a_changed_byte_in_the_header_is_refused_or_changes_no_weight_and_no_word_unseen(offset: int, flip: int) -> None:
    data = bytearray(HEAD_BYTES)
    data[offset] ^= flip
    head = _read_or_refuse(bytes(data))

    if head is not None:
        assert head.tensors.keys() == HEAD.tensors.keys()
        assert all(np.array_equal(head.tensors[name], tensor) for name, tensor in HEAD.tensors.items())
        assert head.manifest.to_bytes().decode() == json.loads(data[8 : 8 + HEADER_LENGTH])["__metadata__"][MANIFEST_KEY]


def test_some_changes_of_a_header_are_read_so_that_the_test_above_says_something() -> None:
    word = HEAD_BYTES.index(b"manyheads test")  # the training's software, which nobody checks
    changed = HEAD_BYTES[:word] + b"n" + HEAD_BYTES[word + 1 :]

    assert read_head(changed, PRIMARY).manifest.training.software == "nanyheads test"


@given(st.integers(0, len(HEAD_BYTES) - 1))
def test_a_truncated_head_is_refused(length: int) -> None:
    with pytest.raises(FormatError):
        read_head(HEAD_BYTES[:length], PRIMARY)


@given(st.integers(0, len(PRIMARY_BYTES) - 1))
def test_a_truncated_primary_is_refused(length: int) -> None:
    with pytest.raises(FormatError):
        read_primary(PRIMARY_BYTES[:length])


@given(st.binary(max_size=300))
def test_a_header_of_any_bytes_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        read_head(struct.pack("<Q", len(raw)) + raw, PRIMARY)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(["decision.bias", "__metadata__", "conv1.weight"]),
    st.sampled_from(["dtype", "shape", "data_offsets"]),
    json_values,
)
def test_any_value_in_a_tensors_entry_is_refused_or_means_the_same(name: str, key: str, value: Any) -> None:
    head = _read_or_refuse(_with_header(lambda header: header[name].update({key: value})))

    assert head is None or np.array_equal(head.tensors["decision.bias"], BIAS)


def test_a_primary_whose_statistics_spread_below_zero_is_refused() -> None:
    dct = make_primary("khoo2022-dct")
    tensors = {**dct.tensors, "preprocessing.std": -dct.tensors["preprocessing.std"]}

    with pytest.raises(ArtifactError, match=r"preprocessing\.std is a spread"):
        artifact.write_primary(dct.manifest, tensors)


def test_two_writes_give_the_same_bytes() -> None:
    primary: PrimaryArtifact = make_primary()

    assert make_head_bytes(primary) == make_head_bytes(primary)
    assert make_head(primary).digest == HEAD.digest
