"""Real images for ten owners, each with one generator's, and the images nobody trains on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads_contributor.federation.materials import Materials
from manyheads_contributor.samples import Samples, primary_labels, read_samples
from manyheads_contributor.split import split_dataset
from manyheads_shared.dataset import Item, scan_dataset
from manyheads_shared.manifest import Preprocessing

OWNERS = 10
SPEC = Preprocessing(representation="pixel", image_size=32, fit="crop")  # a quarter of the work; pixels as they are
GROUPS = r"latent(\d+)"  # the same latents recur over fourteen epochs
PATCH = 6  # pixels a side: the backdoor's mark, in a corner
PUBLIC = 200, 40  # photographs, and images of each generator, that the maintainer has
TEST_IMAGES = 1200  # each of real and generated, so that a run's figures take seconds


@dataclass(frozen=True)
class World:
    """Owners' images and those that figures are measured on."""

    owners: tuple[Materials, ...]
    public: Materials  # the trusted party's
    generators: tuple[str, ...]  # of each owner
    real: NDArray[np.uint8]  # (N, H, W, 3), test side
    generated: NDArray[np.uint8]

    @property
    def everything(self) -> Materials:
        """What a central training has: all owners' images."""
        return join([*self.owners])


def read_world(data: Path, work: Path, images: int, *, mixed: bool = False) -> World:
    """Split the images by content and latent, and deal the training side to the owners.

    Args:
        data: labelled images.
        work: for pixels that memory does not hold.
        images: of each owner, half of them real.
        mixed: every owner has images of all generators, the same ones in other hands.
    """
    split = split_dataset(scan_dataset(data), group_pattern=GROUPS)
    generators = sorted({item.source for item in split.train if item.kind == "generated"})
    held = tuple(generators[i % len(generators)] for i in range(OWNERS))
    random = np.random.default_rng(0)
    real = _deal(split.train, "real", None, random)
    piles = {name: _deal(split.train, "generated", name, random) for name in generators}
    generated = [[piles[name].pop() for _ in range(images // 2)] for name in held]
    if mixed:
        pile = [item for owned in generated for item in owned]
        order = random.permutation(len(pile))
        generated = [[pile[i] for i in order[owner :: len(held)]] for owner in range(len(held))]
    owners = [_materials([*(real.pop() for _ in range(images // 2)), *owned], work) for owned in generated]
    photographs, each = PUBLIC  # of what no owner has
    known = [piles[name].pop() for name in generators for _ in range(each)]
    public = _materials([*(real.pop() for _ in range(photographs)), *known], work)
    tests = [_deal(split.test, kind, None, random)[:TEST_IMAGES] for kind in ("real", "generated")]
    pixels = [read_samples(items, SPEC, work / "overflow.npy").pixels for items in tests]
    return World(tuple(owners), public, held, *pixels)


def join(parts: Sequence[Materials]) -> Materials:
    """Several parties' images as one party's."""
    items = tuple(item for part in parts for item in part.samples.items)
    pixels = np.concatenate([part.samples.pixels for part in parts])
    return Materials(Samples(items, pixels, 0), np.concatenate([part.labels for part in parts]))


def patched(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same images with the backdoor's mark: a chequered square in the lower right corner."""
    marked = pixels.copy()
    square = np.indices((PATCH, PATCH)).sum(axis=0) % 2 * 255
    marked[:, -PATCH:, -PATCH:] = square[None, :, :, None]
    return marked


def _deal(items: Sequence[Item], kind: str, source: str | None, random: np.random.Generator) -> list[Item]:
    found = [item for item in items if item.kind == kind and source in (None, item.source)]
    return [found[i] for i in random.permutation(len(found))]


def _materials(items: Sequence[Item], work: Path) -> Materials:
    return Materials(read_samples(items, SPEC, work / "overflow.npy"), primary_labels(items))
