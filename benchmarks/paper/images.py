"""One set of images as the networks see it: split once, decoded once, degraded once for each profile, kept as memory maps.

As published, a degraded set is one fixed copy. What is kept lies in the work folder and can be made again.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper.config import DATA, Config, Representation
from manyheads_contributor.samples import degrade_batch, read_samples
from manyheads_contributor.split import split_dataset
from manyheads_shared.dataset import Item, scan_dataset
from manyheads_shared.manifest import Preprocessing
from manyheads_shared.preprocess import dct_statistics, log_dct

SIDES = ("train", "val", "test", "external")

A = TypeVar("A", bound=np.generic)

Inputs = NDArray[np.uint8] | NDArray[np.float32]  # pixel: uint8 (N, S, S, 3); dct: float32 (N, S, S, 1)


@dataclass(frozen=True)
class Split:
    """The items of every side; external ones are never trained on."""

    train: tuple[Item, ...]
    val: tuple[Item, ...]
    test: tuple[Item, ...]
    external: tuple[Item, ...]

    def side(self, name: str) -> tuple[Item, ...]:
        """The items of one side."""
        items: tuple[Item, ...] = getattr(self, name)
        return items

    @property
    def generators(self) -> tuple[str, ...]:
        """The generators that are attributed to, sorted."""
        return tuple(sorted({item.source for item in self.train if item.kind == "generated"}))


@dataclass(frozen=True)
class ImageSet:
    """One set, ready to train and test on."""

    name: str
    config: Config

    @property
    def size(self) -> int:
        """Pixels a side."""
        return self.config.images[self.name].size

    @cached_property
    def split(self) -> Split:
        """Split by content, near-duplicates and latents kept together; the same for every seed."""
        dataset = scan_dataset(DATA / self.name)
        pattern = self.config.images[self.name].group_pattern or None
        cut = split_dataset(dataset, seed=self.config.split_seed, group_pattern=pattern)
        return Split(cut.train, cut.val, cut.test, dataset.select(external=True))

    def inputs(self, representation: Representation, side: str, profile: str) -> Inputs:
        """The network's inputs of one side under one profile, before scaling (pixel) or normalised (dct)."""
        if representation == "pixel":
            return self.pixels(side, profile)
        return self._kept(f"dct-{side}-{profile}", lambda: self._spectra(side, profile))

    def pixels(self, side: str, profile: str) -> NDArray[np.uint8]:
        """One side's images under one profile, uint8 (N, S, S, 3), RGB."""
        if profile != self.config.clean:
            return self._kept(f"pixels-{side}-{profile}", lambda: self._degraded(side, profile))
        return self._kept(f"pixels-{side}-clean", lambda: self._decoded(self.split.side(side)))

    def _decoded(self, items: Sequence[Item]) -> NDArray[np.uint8]:
        spec = Preprocessing(representation="pixel", image_size=self.size, fit="resize")
        return read_samples(items, spec, self._folder / "overflow.npy").pixels

    def _degraded(self, side: str, profile: str) -> NDArray[np.uint8]:
        return degrade_batch(self.pixels(side, self.config.clean), self.split.side(side), profile, self.config.degradation_seed)

    def _spectra(self, side: str, profile: str) -> NDArray[np.float32]:
        mean, std = self.statistics
        with ThreadPoolExecutor() as pool:
            spectra = np.stack(list(pool.map(log_dct, self.pixels(side, profile))))
        normalised: NDArray[np.float32] = ((spectra - mean) / np.maximum(std, np.float32(1e-6))).astype(np.float32)
        return normalised[..., np.newaxis]

    @cached_property
    def statistics(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and deviation of every log-DCT coefficient, (S, S), of the clean training side."""
        mean, std = self._kept("dct-statistics", lambda: np.stack(dct_statistics(self.pixels("train", self.config.clean))))
        return mean, std

    @property
    def _folder(self) -> Path:
        return self.config.folder_of(self.name) / self.name / "inputs"

    def _kept(self, name: str, make: Callable[[], NDArray[A]]) -> NDArray[A]:
        """The array of that name, made once."""
        path = self._folder / f"{name}.npy"
        if not path.exists():
            array = make()
            unfinished = path.with_suffix(f".{os.getpid()}.npy")  # two workers may both make it; one replaces the other
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(unfinished, array)
            unfinished.replace(path)
        kept: NDArray[A] = np.load(path, mmap_mode="r")
        return kept
