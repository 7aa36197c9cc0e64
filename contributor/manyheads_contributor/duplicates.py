"""Near-duplicates: which images show the same picture, whatever was done to the file since.

Two images are near-duplicates when their perceptual hashes differ in at most `HASH_RADIUS` of 64 bits *and* their thumbnails
correlate above `MIN_CORRELATION`. Re-saving as JPEG (down to quality 10), resizing, blur, noise, brightness and contrast keep
both; a crop of 4 % a side, a mirror image or another frame of the same scene does not. What to do about them is for others.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from manyheads_shared.errors import ImageError
from manyheads_shared.image import Pixels, read_image

# Measured on 13,400 aligned 64-pixel faces, where strangers look most alike: with both limits no pair across sources or
# latents was joined; with the hash alone sixteen were at radius 4, 136 at 6. Re-saved copies stay within 8 and above 0.98.
HASH_RADIUS = 8  # bits of 64
MIN_CORRELATION = 0.97  # of the 16x16 luma thumbnails, mean removed
MIN_CONTRAST = 2.0  # grey levels, standard deviation of the thumbnail; below it a hash describes rounding, not the picture

_HASH_SIDE = 32  # pixels: as the pHash of imagehash
_BANDS = 4  # of 16 bits: two hashes within radius 8 agree within 2 bits in at least one band
_BAND_BITS = 16
_MAX_CANDIDATES = 1 << 22  # pairs looked at at once: 32 MB

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Fingerprint:
    """What duplicates are recognised by."""

    thumbnail: NDArray[np.uint8]  # (32, 32), luma, Lanczos
    pixels: bytes  # SHA-256 of the decoded RGB pixels and their shape


def fingerprint(pixels: Pixels) -> Fingerprint:
    """Return the fingerprint of an image, uint8 (H, W, 3)."""
    grey = Image.fromarray(pixels).convert("L").resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.LANCZOS)
    state = hashlib.sha256(repr(pixels.shape).encode())
    state.update(pixels.tobytes())
    return Fingerprint(np.asarray(grey), state.digest())


def read_fingerprints(paths: Sequence[Path], *, on_image: Callable[[], None] | None = None) -> list[Fingerprint | ImageError]:
    """Read the fingerprint of every file, in order; an undecodable file gives its error in its place."""

    def read(path: Path) -> Fingerprint | ImageError:
        try:
            return fingerprint(read_image(path).pixels)
        except ImageError as error:
            return error

    results = []
    with ThreadPoolExecutor() as pool:
        for result in pool.map(read, paths):
            results.append(result)
            if on_image:
                on_image()
    return results


def perceptual_hashes(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the 64-bit DCT hashes of luma thumbnails, uint8 (N, 32, 32): bit by bit the pHash of imagehash."""
    low = fft.dctn(thumbnails.astype(np.float64), axes=(1, 2))[:, :8, :8].reshape(-1, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64).ravel()


def find_duplicates(prints: Sequence[Fingerprint]) -> NDArray[np.int64]:
    """Return the near-duplicate pairs (i, j), i < j, as int64 (M, 2), sorted.

    Images of equal pixels are always a pair with the first of them. Images without contrast (`MIN_CONTRAST`) are compared
    by their pixels only: their hashes are those of every other flat image.
    """
    pairs = [_equal_pairs(prints)]
    if prints:
        thumbnails = np.stack([item.thumbnail for item in prints])
        small = thumbnails.reshape(-1, 16, 2, 16, 2).mean(axis=(2, 4)).reshape(-1, 256)
        contrast = small.std(axis=1)
        judged = np.flatnonzero(contrast >= MIN_CONTRAST)
        centred = (small - small.mean(axis=1, keepdims=True))[judged] / (16 * contrast[judged, np.newaxis])
        hashes = perceptual_hashes(thumbnails[judged])
        for left, right in _close_hashes(hashes):
            alike = np.einsum("nk,nk->n", centred[left], centred[right]) > MIN_CORRELATION
            pairs.append(np.stack([judged[left[alike]], judged[right[alike]]], axis=1))
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def find_copies(prints: Sequence[Fingerprint], originals: Sequence[Fingerprint]) -> NDArray[np.bool_]:
    """Return which of `prints` are near-duplicates of any of `originals`: bool (len(prints),)."""
    first = len(originals)
    pairs = find_duplicates([*originals, *prints])
    copies = np.zeros(len(prints), dtype=np.bool_)
    copies[pairs[(pairs[:, 0] < first) & (pairs[:, 1] >= first), 1] - first] = True
    return copies


def join(count: int, pairs: NDArray[np.int64]) -> Labels:
    """Return a group number for each of `count` images, joined through any chain of pairs: int64 (count,)."""
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _equal_pairs(prints: Sequence[Fingerprint]) -> NDArray[np.int64]:
    first: dict[bytes, int] = {}
    pairs = [(first[item.pixels], i) for i, item in enumerate(prints) if first.setdefault(item.pixels, i) != i]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _close_hashes(hashes: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield index pairs within the radius, some of them twice: multi-index hashing (Norouzi, Punjani and Fleet 2012)."""
    near = [sum(1 << bit for bit in bits) for count in range(HASH_RADIUS // _BANDS + 1) for bits in _bit_choices(count)]
    for band in range(_BANDS):
        keys = ((hashes >> np.uint64(band * _BAND_BITS)) & np.uint64(0xFFFF)).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        counts = np.bincount(keys, minlength=1 << _BAND_BITS)
        starts = np.concatenate([[0], np.cumsum(counts)])
        for mask in near:
            wanted = keys ^ mask
            for chunk in _chunks(counts[wanted]):
                found = counts[wanted[chunk]]
                left = np.repeat(chunk, found)
                within = np.arange(found.sum()) - np.repeat(np.cumsum(found) - found, found)
                right = order[np.repeat(starts[wanted[chunk]], found) + within]
                close = (left < right) & (np.bitwise_count(hashes[left] ^ hashes[right]) <= HASH_RADIUS)
                yield left[close], right[close]


def _bit_choices(count: int) -> Iterable[tuple[int, ...]]:
    return combinations(range(_BAND_BITS), count)


def _chunks(sizes: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield indices of the non-empty sizes in runs that add up to about `_MAX_CANDIDATES`."""
    indices = np.flatnonzero(sizes)
    if indices.size:
        run = np.cumsum(sizes[indices]) // _MAX_CANDIDATES
        yield from np.split(indices, np.flatnonzero(np.diff(run)) + 1)
