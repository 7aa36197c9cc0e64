r"""The folders of every party, cut from one labelled folder. Who holds which image, and why the figures are fair:

| images | hub: suite | hub: public (trains the primary) | owner of G | proofs of G | client's examples |
|---|---|---|---|---|---|
| real | 20 % | 75 % | the public ones | - | 5 % |
| of G | 20 % | 30 % | the public and 30 % private ones | 15 % | 5 % |
| of a rival | 20 % | 30 % | the public ones | - | 5 % |
| external | one half | none | the other half, to measure on | - | the owners' half |

A generator's private images are in its owner's folder and nowhere else. Suite, proofs and examples are in nobody's
training. Near-duplicates, and files that `group_pattern` names as one (`latent(\d+)`), are held by one party together, over
all sources. Everything is decided by content, so the same images give the same folders.
"""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from manyheads_contributor.split import split_dataset
from manyheads_shared.api import MIN_PROOFS
from manyheads_shared.dataset import Dataset, Item, scan_dataset
from manyheads_shared.digest import hex_of
from manyheads_shared.errors import DatasetError
from manyheads_shared.files import write_atomic

_SUITE, _RESERVE, _OPEN = 0.20, 0.20, 0.60
_PROOFS = 3 / 4  # of the reserve; the rest are examples
_PUBLIC = 1 / 2  # of a generator's open images; the rest are private
_SEEDS = (101, 102, 103)  # of the three cuts; independent of each other and of the kit's own split
_MARKER = "partition.json"


@dataclass(frozen=True)
class Partition:
    """Where every party's folder is."""

    root: Path
    generators: tuple[str, ...]

    @property
    def suite(self) -> Path:
        """The hub's hidden suite."""
        return self.root / "hub" / "suite"

    @property
    def public(self) -> Path:
        """What the hub trains its primary on."""
        return self.root / "hub" / "public"

    @property
    def examples(self) -> Path:
        """What the client asks about."""
        return self.root / "client" / "examples"

    def owner(self, generator: str) -> Path:
        """An owner's own folder."""
        return self.root / "owners" / generator

    def data(self, generator: str) -> Path:
        """What an owner trains on."""
        return self.owner(generator) / "data"

    def proofs(self, generator: str) -> Path:
        """The images an owner shows the hub."""
        return self.owner(generator) / "proofs"


def make_partition(data: Path, root: Path, *, group_pattern: str | None = None) -> Partition:
    """Cut `data` into the parties' folders under `root`, or return at once where they stand already.

    The plan: (1) suite, reserve and open images of every source; (2) the reserve into proofs and examples; (3) a
    generator's open images into public and private ones; (4) external images into halves; (5) link every folder's files.

    Args:
        data: images in the standard layout.
        root: working folder; the parties' folders are `hub`, `owners` and `client` below it.
        group_pattern: as `manyheads_contributor.split.split_dataset`.

    Raises:
        DatasetError: no real images, no generators, or too few images of one.
        UsageError: a pattern without a group or without a match.
    """
    dataset = scan_dataset(data)
    generators = dataset.sources("generated")
    if not generators or not dataset.sources("real"):
        raise DatasetError(f"{data}: expected images in real/SOURCE and generated/GENERATOR; at least one of each")
    partition = Partition(root, generators)
    stamp = json.dumps({"images": dataset.digest, "group_pattern": group_pattern}, indent=2).encode()
    if (root / _MARKER).is_file() and (root / _MARKER).read_bytes() == stamp:
        return partition
    # step 1
    fractions = (_OPEN, _RESERVE, _SUITE)
    first = split_dataset(dataset, seed=_SEEDS[0], fractions=fractions, group_pattern=group_pattern)
    # step 2
    proofs, examples = _cut_in_two(data, first.val, _PROOFS, _SEEDS[1], group_pattern)
    # step 3
    public, private = _cut_in_two(data, first.train, _PUBLIC, _SEEDS[2], group_pattern)
    real = [item for item in (*first.train, *proofs) if item.kind == "real"]  # photographs need no proofs and no secrets
    shared = real + [item for item in public if item.kind == "generated"]
    # step 4
    hidden = [item for item in dataset.select(external=True) if int(hex_of(item.digest), 16) % 2]
    shown = [item for item in dataset.select(external=True) if not int(hex_of(item.digest), 16) % 2]
    # step 5
    for party in ("hub", "owners", "client"):
        shutil.rmtree(root / party, ignore_errors=True)
    _link(data, [*first.test, *hidden], partition.suite)
    _link(data, shared, partition.public)
    _link(data, [*examples, *shown], partition.examples)
    for name in generators:
        own = [item for item in private if (item.kind, item.source) == ("generated", name)]
        _link(data, [*shared, *own, *shown], partition.data(name))
        own_proofs = [item for item in proofs if (item.kind, item.source) == ("generated", name)]
        if len(own_proofs) < MIN_PROOFS:
            raise DatasetError(f"{data}: {len(own_proofs)} proof images of {name}, expected {MIN_PROOFS}; give it more images")
        _link(data / "generated" / name, own_proofs, partition.proofs(name))
    write_atomic(root / _MARKER, stamp)
    return partition


def _cut_in_two(
    data: Path, items: tuple[Item, ...], share: float, seed: int, group_pattern: str | None
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Cut images in two by content, near-duplicates kept together."""
    cut = split_dataset(Dataset(data, items), seed=seed, fractions=(share, 0.0, 1 - share), group_pattern=group_pattern)
    return cut.train, cut.test


def _link(data: Path, items: Iterable[Item], folder: Path) -> None:
    """Give `folder` the same files under the same paths: hard links, or copies where the file system has none."""
    for item in items:
        target = folder / item.path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(item.path, target)
        except OSError:
            shutil.copyfile(item.path, target)
