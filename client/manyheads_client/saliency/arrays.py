"""The saliency file: one image's maps, and a manifest that ties them to its evidence record.

Specification: docs/formats/saliency.md.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from manyheads_client.errors import SaliencyError
from manyheads_shared.artifact import MANIFEST_KEY
from manyheads_shared.digest import digest_bytes, hex_of
from manyheads_shared.document import Document
from manyheads_shared.errors import ManifestError
from manyheads_shared.evidence import Examined
from manyheads_shared.files import write_atomic
from manyheads_shared.manifest import DigestField

DETECTOR = "detector"
_TENSOR = "saliency"
_SLUG = 80  # characters of an image's own name in that of its files
_KEY = 32  # hexadecimal digits, of the whole name's digest


class SaliencyManifest(Document):
    """Whose maps these are, and what made them."""

    FORMAT: ClassVar[str] = "manyheads.saliency/1"

    name: str  # of the image, as in its record
    sha256: DigestField  # of the file's bytes, as in its record
    pixels: DigestField  # of the decoded picture, as in its record
    instrument: DigestField
    networks: tuple[str, ...]  # of each map: "detector", then titles of generators

    @classmethod
    def of(cls, entry: Examined) -> "SaliencyManifest":
        """The manifest of a record's maps."""
        item = entry.record.item
        networks = (DETECTOR, *entry.instrument.titles)
        return cls.new(
            name=item.name, sha256=item.sha256, pixels=item.pixels, instrument=entry.record.instrument, networks=networks
        )


@dataclass(frozen=True)
class SaliencyFile:
    """A saliency file that satisfies its format."""

    manifest: SaliencyManifest
    maps: NDArray[np.float32]  # (1 + K, h, w), in logits, in the order of `manifest.networks`


def stem_of(name: str) -> str:
    """What the files of an image are called: the end of its name for people, and a digest of all of it.

    Whatever the name is, this is one plain file name, and two names have two.
    """
    last = re.split(r"[/\\]", name)[-1]
    slug = re.sub(r"[^A-Za-z0-9._-]+", "_", last).lstrip(".-")[:_SLUG] or "image"
    return f"{slug}-{hex_of(digest_bytes(name.encode('utf-8', 'surrogatepass')))[:_KEY]}"


def write_saliency(path: Path, entry: Examined, maps: NDArray[np.float32]) -> None:
    """Write an image's maps, whole or not at all; the same maps give the same bytes.

    Args:
        maps: float32 (1 + K, h, w), in logits: detector, then heads in the instrument's order.

    Raises:
        OSError: the disk is full or the folder not writable.
    """
    manifest = SaliencyManifest.of(entry)
    tensors = {_TENSOR: np.ascontiguousarray(maps, dtype=np.float32)}
    write_atomic(path, safetensors.numpy.save(tensors, metadata={MANIFEST_KEY: manifest.to_bytes().decode()}))


def read_saliency(path: Path) -> SaliencyFile:
    """Read a saliency file.

    Raises:
        SaliencyError: it is none; its maps are not float32 (1 + K, h, w), or not as many as its manifest names.
        UnsupportedVersionError: it is of a later version.
    """
    try:
        with safe_open(path, "numpy") as file:
            manifest = _manifest(file.metadata(), path)
            maps = file.get_tensor(_TENSOR)
    except (OSError, SafetensorError) as error:
        raise SaliencyError(f"{path}: expected a saliency file: {error}") from error
    if maps.dtype != np.float32 or maps.ndim != 3 or len(maps) != len(manifest.networks):
        raise SaliencyError(f"{path}: expected float32 ({len(manifest.networks)}, h, w), got {maps.dtype} {maps.shape}")
    return SaliencyFile(manifest, maps)


def read_manifest(path: Path) -> SaliencyManifest:
    """Read whose maps a file holds, and no maps. Errors as `read_saliency`."""
    try:
        with safe_open(path, "numpy") as file:
            return _manifest(file.metadata(), path)
    except (OSError, SafetensorError) as error:
        raise SaliencyError(f"{path}: expected a saliency file: {error}") from error


def _manifest(metadata: dict[str, str] | None, path: Path) -> SaliencyManifest:
    try:
        return SaliencyManifest.from_bytes((metadata or {}).get(MANIFEST_KEY, "").encode())
    except ManifestError as error:
        raise SaliencyError(f"{path}: expected a saliency file: {error}") from error
