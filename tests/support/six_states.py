"""A bundle and images for which every one of the six states occurs: honest networks, thresholds laid through their scores."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from manyheads_client.store import Store
from manyheads_client.update import pull
from manyheads_shared.artifact import read_head, read_primary
from manyheads_shared.bundle import LeftOut
from manyheads_shared.calibration import Band, Calibration
from manyheads_shared.compute import choose_compute
from manyheads_shared.decision import State, decide
from manyheads_shared.digest import digest_bytes
from manyheads_shared.image import Pixels
from manyheads_shared.scoring import Scorer
from tests.support.hub_simulator import URL, HubSimulator
from tests.support.makers import NO_DIGEST, MadeBundle, make_bundle, make_generator, make_images, make_primary_bytes

NAMES = ("alpha", "beta", "gamma")


def varied_images(count: int, *, size: int = 48) -> list[Pixels]:
    """Noise over ramps of every brightness and direction: images whose scores differ."""
    y, x = np.mgrid[0:size, 0:size] / size
    images = []
    for i, noise in enumerate(make_images(count, size=size, seed=5)):
        draw = np.random.default_rng(i)
        ramp = draw.uniform(0, 255, 3) * x[..., None] + draw.uniform(-255, 255, 3) * y[..., None] + draw.uniform(0, 128)
        images.append(np.clip(ramp + draw.uniform(0, 0.6) * (noise - 128.0), 0, 255).astype(np.uint8))
    return images


def lay_bands(logits: NDArray[np.float32]) -> tuple[Band, tuple[Band, ...]]:
    """Find a detector band and head bands under which all six states occur.

    Args:
        logits: float32 (N, 1 + K).
    """
    names = [str(i) for i in range(logits.shape[1] - 1)]
    for cut, width, head_cut in product((0.4, 0.5, 0.3), (0.1, 0.2), (0.6, 0.7, 0.5, 0.8)):
        detector = _band(logits[:, 0], cut, cut + width)
        heads = tuple(
            _band(column, head_cut + 0.05 * i, head_cut + 0.05 * i + 0.08) for i, column in enumerate(logits[:, 1:].T)
        )
        states = {decide(row, detector, heads, names).state for row in logits}
        if states == set(State):
            return detector, heads
    raise AssertionError("these images do not show all six states under any bands tried")


def make_six_states(images: list[Pixels], *, names: tuple[str, ...] = NAMES, size: int = 32) -> MadeBundle:
    """Make a bundle under which the images show all six states."""
    bundle = make_bundle(names, primary_bytes=make_primary_bytes(size=size))
    manifest, objects = bundle.manifest, dict(bundle.objects)
    primary = read_primary(objects[manifest.primary])
    heads = [read_head(objects[entry.head], primary) for entry in manifest.heads]
    scorer = Scorer(primary, heads, choose_compute("cpu", "float32"))
    detector, bands = lay_bands(scorer.score(images))
    calibration = Calibration.from_bytes(objects[manifest.calibration]).model_copy(
        update={"detector": detector, "heads": dict(zip((entry.head for entry in manifest.heads), bands, strict=True))}
    )
    data = calibration.to_bytes()
    objects[digest_bytes(data)] = data
    yanked = LeftOut(
        generator=make_generator("omega"), head=NO_DIGEST, state="yanked", reason="claimed photographs of one camera too often"
    )
    changes = {"calibration": digest_bytes(data), "left_out": (yanked,)}
    return replace(bundle, manifest=manifest.model_copy(update=changes), objects=objects)


def write_images(folder: Path, images: list[Pixels]) -> list[Path]:
    """Write images as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:03d}.png" for i in range(len(images))]
    for path, pixels in zip(paths, images, strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def pull_into(folder: Path, bundle: MadeBundle) -> Store:
    """Publish a bundle on a simulated hub and pull it into a store."""
    hub, store = HubSimulator(bundle), Store(folder)
    pull(store, URL, hub.root_bytes, hub)
    return store


def _band(scores: NDArray[np.float32], low: float, high: float) -> Band:
    edges = np.quantile(scores, [low, min(high, 0.97)])
    return Band(low=float(edges[0]), high=float(edges[1]), negatives=400, positives=400, resolved=True)
