"""The demo world: photographs and generated images in the standard layout, with labels that are true by construction.

Every generator is fitted on crops of its own, drawn from the same photographs as the real images: what it shows tells
nothing, what is left is how it enlarges. All files are PNGs written by one path. One generator and two photographs are
external: no training and no catalogue ever sees them.
"""

import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from deploy.demo import photographs
from deploy.demo.generators import GeneratorSpec, generate
from manyheads_shared.files import write_atomic
from manyheads_shared.image import Pixels

CATALOGUED = (
    GeneratorSpec("transposed", "transposed", seed=1),
    GeneratorSpec("nearest", "nearest", seed=2),
    GeneratorSpec("shuffle", "shuffle", seed=3),
)
EXTERNAL = GeneratorSpec("bilinear", "bilinear", seed=4)

_MARKER = "world.json"  # written last: a folder with it is whole


@dataclass(frozen=True)
class WorldSize:
    """How much to make."""

    real: int = 1600  # images; a tenth of them calibrates the detector, and 1 % of false alarms needs 99
    generated: int = 1000  # images of each catalogued generator
    external: int = 200  # images of the external generator, and unseen photographs
    fitted_on: int = 1600  # crops of its own for each generator
    steps: int = 500  # of each fit


def build_world(root: Path, size: WorldSize | None = None, *, seed: int = 0) -> None:
    """Build the world under `root`, or return at once where this very world stands already."""
    size = size or WorldSize()
    stamp = json.dumps({"size": asdict(size), "seed": seed}, indent=2).encode()
    marker = root / _MARKER
    if marker.is_file() and marker.read_bytes() == stamp:
        return
    shutil.rmtree(root, ignore_errors=True)
    _write_crops(root / "real" / "photographs", photographs.TRAINING, size.real, seed=seed)
    for i, unseen in enumerate(photographs.UNSEEN):
        _write_crops(root / "external" / "real" / unseen.name, [unseen], size.external // 2, seed=seed + 100 + i)
    jobs = [(spec, root / "generated" / spec.name, size.generated) for spec in CATALOGUED]
    jobs.append((EXTERNAL, root / "external" / "generated" / EXTERNAL.name, size.external))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_write_generated, spec, folder, count, size, seed) for spec, folder, count in jobs]
        for future in running:
            future.result()
    write_atomic(marker, stamp)


def _write_crops(folder: Path, chosen: Sequence[photographs.Photograph], count: int, *, seed: int) -> None:
    crops = photographs.cut_crops(chosen, count, seed=seed)
    names = [f"{crop.photograph}-tile{crop.tile:02d}-{i:04d}" for i, crop in enumerate(crops)]
    _write_images(folder, names, np.stack([crop.pixels for crop in crops]))


def _write_generated(spec: GeneratorSpec, folder: Path, count: int, size: WorldSize, seed: int) -> None:
    spec = GeneratorSpec(spec.name, spec.kind, seed=1000 * seed + spec.seed, steps=size.steps)
    own = photographs.cut_crops(photographs.TRAINING, size.fitted_on, seed=1000 + spec.seed)
    images = generate(spec, np.stack([crop.pixels for crop in own]), count)
    _write_images(folder, [f"{i:04d}" for i in range(count)], images)


def _write_images(folder: Path, names: Sequence[str], images: Pixels) -> None:
    """The one path by which every file of the world is written."""
    folder.mkdir(parents=True)
    for name, pixels in zip(names, images, strict=True):
        Image.fromarray(pixels).save(folder / f"{name}.png")
