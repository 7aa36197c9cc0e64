"""The trunk's features of many images, computed once and kept as a memory-mapped file.

The primary is frozen, so its features never change while a head trains: one pass replaces one in every epoch. The file is
named by everything the features depend on; another primary or another split is another file.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads_contributor.arrays import create_array
from manyheads_contributor.samples import Samples, images_at_once
from manyheads_shared.canonical import to_canonical
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.scoring import Scorer

BATCH = 256  # images a trunk pass, or fewer of large ones
# float16 halves the file; on faces64 it moves a head's logit by 0.0005 at most, while float32 and bfloat16 differ by 0.1
DTYPE = np.float16


def cached_features(
    folder: Path,
    primary: Digest,
    samples: Samples,
    scorer: Scorer,
    *,
    variant: str,
    on_images: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float16]:
    """Return features, float16 (N, H, W, C), from the folder's file or computed into it.

    Args:
        folder: where the file is or will be.
        primary: whose trunk it is.
        samples: the images.
        scorer: of the same primary; its precision is part of the file's name.
        variant: which degradation the pixels went through.
        on_images: called with the number of images done since the last call.

    Raises:
        OSError: the disk has no room for them (ENOSPC).
    """
    key = [primary, scorer.compute.precision, variant, [item.digest for item in samples.items]]
    path = folder / f"features-{hex_of(digest_bytes(to_canonical(key)))[:16]}.npy"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        _compute(unfinished, samples, scorer, on_images)
        unfinished.replace(path)  # whole or absent; a power cut may lose it, and the next run computes it again
    features: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return features


def _compute(path: Path, samples: Samples, scorer: Scorer, on_images: Callable[[int], None]) -> None:
    stored: np.memmap[tuple[int, ...], np.dtype[np.float16]] | None = None
    count = len(samples.items)
    size = images_at_once(BATCH, samples.pixels.shape[1:])
    for start in range(0, count, size):
        batch = scorer.features(list(samples.pixels[start : start + size])).float()
        rows = batch.permute(0, 2, 3, 1).cpu().numpy()  # (B, H, W, C): a batch of them is channels last without a copy
        if stored is None:
            stored = create_array(path, DTYPE, (count, *rows.shape[1:]))
        stored[start : start + len(rows)] = rows
        on_images(len(rows))
    assert stored is not None  # a side of a split is never empty
    stored.flush()
