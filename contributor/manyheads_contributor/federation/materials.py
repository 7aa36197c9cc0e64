"""An owner's images made ready once: decoded, fitted, and kept on the owner's disk, so that a round begins with training.

Flower starts a process for every round; without this each would decode all images again.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads_contributor.samples import Labels, Samples, primary_labels, read_samples
from manyheads_shared.canonical import to_canonical
from manyheads_shared.dataset import dataset_digest, scan_dataset
from manyheads_shared.digest import digest_bytes, hex_of
from manyheads_shared.errors import DatasetError
from manyheads_shared.files import open_atomic
from manyheads_shared.manifest import Preprocessing


@dataclass(frozen=True)
class Materials:
    """A party's images and labels."""

    samples: Samples
    labels: Labels  # 1 for generated, 0 for real

    def __len__(self) -> int:
        return len(self.labels)


def prepare_materials(data: Path, work: Path, spec: Preprocessing) -> Materials:
    """Read a party's images, from what an earlier call left in `work` if nothing has changed since.

    All images outside external/ are trained on: what an owner wants to measure on, they keep elsewhere.

    Raises:
        DatasetError: no such folder, a damaged image, or only one kind of image.
    """
    items = scan_dataset(data).select(external=False)
    labels = primary_labels(items)
    if not 0 < labels.sum() < len(labels):
        raise DatasetError(
            f"{data}: expected real and generated images, got {int(labels.sum())} generated of {len(labels)}; add the others"
        )
    key = digest_bytes(to_canonical([dataset_digest(items), spec.model_dump(mode="json")]))
    cache = work / f"pixels-{hex_of(key)[:16]}.npy"
    pixels = _read_cache(cache, len(items))
    if pixels is None:
        samples = read_samples(items, spec, work / "pixels-overflow.npy")
        with open_atomic(cache) as stream:
            np.save(stream, samples.pixels)
        pixels = samples.pixels
    return Materials(Samples(tuple(items), pixels, 0), labels)


def _read_cache(path: Path, count: int) -> NDArray[np.uint8] | None:
    if not path.exists():
        return None
    pixels: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return pixels if len(pixels) == count else None
