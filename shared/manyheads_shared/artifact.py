"""Artifacts: a primary or a head as one safetensors file, its manifest in the file's metadata.

Heads come from strangers, so reading is a list of refusals, cheapest first. Specification: docs/formats/artifact.md.
What the weights mean is for `manyheads_shared.networks`; no torch here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from manyheads_shared.architectures import Architecture, Shape
from manyheads_shared.canonical import refuse_duplicates
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import (
    ArtifactError,
    HeaderTooLargeError,
    NonFiniteTensorError,
    PrimaryMismatchError,
    TensorDtypeError,
    TensorSetError,
    TensorShapeError,
)
from manyheads_shared.manifest import HeadManifest, PrimaryManifest

Tensors = Mapping[str, NDArray[np.float32]]

MAX_HEADER_BYTES = 1 << 20  # safetensors itself allows 100 MB; ours need about 10 kB
MAX_HEAD_BYTES = 64 << 20  # the reference head has 84 kB
MAX_PRIMARY_BYTES = 4 << 30  # room for a large pre-trained backbone
MANIFEST_KEY = "manyheads.manifest"
_LENGTH_BYTES = 8  # safetensors: little-endian header length


@dataclass(frozen=True)
class PrimaryArtifact:
    """A primary that satisfies its format: every tensor declared, present, float32 and finite."""

    manifest: PrimaryManifest
    architecture: Architecture
    tensors: Tensors  # names start with `trunk.`, `detector.` or, for dct, `preprocessing.`
    digest: Digest

    def part(self, prefix: str) -> dict[str, NDArray[np.float32]]:
        """Return the tensors under `prefix.`, without the prefix."""
        return {name.removeprefix(prefix + "."): t for name, t in self.tensors.items() if name.startswith(prefix + ".")}


@dataclass(frozen=True)
class HeadArtifact:
    """A head that satisfies its format and names the primary it was read for."""

    manifest: HeadManifest
    tensors: Tensors
    digest: Digest


def primary_tensors(architecture: Architecture, image_size: int | None) -> dict[str, Shape]:
    """Names and shapes of every tensor a primary artifact holds."""
    shapes = {f"trunk.{name}": shape for name, shape in architecture.trunk_tensors().items()}
    shapes |= {f"detector.{name}": shape for name, shape in architecture.head_tensors(image_size).items()}
    if architecture.representation == "dct":
        assert image_size is not None  # PrimaryManifest.build_architecture refuses a dct primary without a size
        shapes |= {f"preprocessing.{name}": (image_size, image_size) for name in ("mean", "std")}
    return shapes


def write_primary(manifest: PrimaryManifest, tensors: Tensors) -> bytes:
    """Return the bytes of a primary artifact, after checking them as a reader would."""
    data = _to_safetensors(manifest.to_bytes(), tensors)
    read_primary(data)
    return data


def write_head(manifest: HeadManifest, tensors: Tensors, primary: PrimaryArtifact) -> bytes:
    """Return the bytes of a head artifact, after checking them as a reader would."""
    data = _to_safetensors(manifest.to_bytes(), tensors)
    read_head(data, primary)
    return data


def read_primary(data: bytes) -> PrimaryArtifact:
    """Read a primary artifact.

    The plan: (1) size and header limits; (2) the manifest; (3) its architecture; (4) exactly the declared tensors.

    Raises:
        ArtifactError: steps 1 or 4 fail (the subclass says how).
        ManifestError, UnsupportedVersionError: steps 2 or 3 fail.
    """
    # step 1
    header = _read_header(data, "primary", MAX_PRIMARY_BYTES)
    # step 2
    manifest = PrimaryManifest.from_bytes(_manifest_bytes(header, "primary"))
    # step 3
    architecture = manifest.build_architecture()
    # step 4
    declared = primary_tensors(architecture, manifest.preprocessing.image_size)
    tensors = _read_tensors(data, header, declared, "primary")
    return PrimaryArtifact(manifest, architecture, tensors, digest_bytes(data))


def read_head_manifest(data: bytes) -> HeadManifest:
    """Read only the manifest of a head artifact: whose it is and for which primary. The weights are not checked.

    Raises:
        ArtifactError, ManifestError, UnsupportedVersionError: as `read_head`, steps 1 and 2.
    """
    return HeadManifest.from_bytes(_manifest_bytes(_read_header(data, "head", MAX_HEAD_BYTES), "head"))


def read_head(data: bytes, primary: PrimaryArtifact) -> HeadArtifact:
    """Read a head artifact for a primary.

    The plan: (1) size and header limits; (2) the manifest; (3) made for this very primary; (4) the primary's
    architecture; (5) exactly the declared tensors. The feature contract (`manyheads_shared.scoring`) is checked
    when networks are built.

    Raises:
        ArtifactError: steps 1, 4 or 5 fail (the subclass says how).
        ManifestError, UnsupportedVersionError: step 2 fails.
        PrimaryMismatchError: step 3 fails.
    """
    # step 1
    header = _read_header(data, "head", MAX_HEAD_BYTES)
    # step 2
    manifest = HeadManifest.from_bytes(_manifest_bytes(header, "head"))
    # step 3
    if manifest.primary != primary.digest:
        raise PrimaryMismatchError(manifest.generator.title, manifest.primary, primary.digest)
    # step 4
    if manifest.architecture != primary.architecture.name:
        raise ArtifactError(
            f"head {manifest.generator.title}: expected architecture {primary.architecture.name} like its primary, "
            f"got {manifest.architecture}"
        )
    # step 5
    declared = primary.architecture.head_tensors(primary.manifest.preprocessing.image_size)
    return HeadArtifact(manifest, _read_tensors(data, header, declared, "head"), digest_bytes(data))


def _to_safetensors(manifest: bytes, tensors: Tensors) -> bytes:
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    return safetensors.numpy.save(contiguous, metadata={MANIFEST_KEY: manifest.decode()})


def _read_header(data: bytes, kind: str, max_bytes: int) -> dict[str, Any]:
    """Parse the JSON header ourselves, before the library allocates anything on a stranger's word."""
    if len(data) > max_bytes:
        raise ArtifactError(f"{kind}: expected at most {max_bytes} bytes, got {len(data)}")
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        raise HeaderTooLargeError(f"{kind}: expected a header of at most {MAX_HEADER_BYTES} bytes, it claims {length}")
    raw = data[_LENGTH_BYTES : _LENGTH_BYTES + length]
    if len(raw) != length or length == 0:
        raise ArtifactError(f"{kind}: expected a safetensors file, got {len(data)} bytes that are none or are cut off")
    try:
        header = json.loads(raw, object_pairs_hook=refuse_duplicates)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{kind}: expected a safetensors file; its header is not JSON: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise ArtifactError(f"{kind}: expected a safetensors file; its header is not an object")
    return header


def _manifest_bytes(header: dict[str, Any], kind: str) -> bytes:
    metadata = header.get("__metadata__", {})
    manifest = metadata.get(MANIFEST_KEY)
    if not isinstance(manifest, str):
        raise ArtifactError(
            f"{kind}: a safetensors file without a manyheads manifest. Plain weights are not an artifact; "
            "make one with `manyheads-contributor package`."
        )
    if len(metadata) > 1:  # safetensors writes several in no fixed order, and nobody vouches for them
        raise ArtifactError(f"{kind}: expected no metadata but {MANIFEST_KEY}, got {sorted(metadata)[:5]}")
    return manifest.encode("utf-8", errors="replace")


def _read_tensors(data: bytes, header: dict[str, Any], declared: dict[str, Shape], kind: str) -> Tensors:
    """Return exactly the declared tensors: names, then dtypes, then shapes, then values."""
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    if missing := sorted(declared.keys() - entries.keys()):
        raise TensorSetError(f"{kind}: tensor {missing[0]} is missing ({len(missing)} of {len(declared)} are)")
    if extra := sorted(entries.keys() - declared.keys()):
        raise TensorSetError(f"{kind}: tensor {extra[0][:80]!r} is not declared by the architecture")
    for name, shape in declared.items():
        entry = entries[name]
        if not isinstance(entry, dict) or entry.get("dtype") != "F32":
            raise TensorDtypeError(f"{kind}: tensor {name}: expected float32 (F32), got {str(entry)[:80]}")
        if entry.get("shape") != list(shape):
            raise TensorShapeError(f"{kind}: tensor {name}: expected shape {list(shape)}, got {entry.get('shape')}")
    try:
        tensors: dict[str, NDArray[np.float32]] = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, OverflowError) as error:
        raise ArtifactError(f"{kind}: expected a safetensors file: {error}") from error
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise NonFiniteTensorError(f"{kind}: tensor {name} holds NaN or infinity")
        if name.endswith(("running_var", "preprocessing.std")) and (tensor < 0).any():
            raise ArtifactError(f"{kind}: tensor {name} is a spread and holds negative numbers")
    return tensors
