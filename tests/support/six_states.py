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
from manyheads_shared.calibration import Band, BoundedCalibration, BoundedEvidence, Calibration, Reach, Sides, fit_thresholds
from manyheads_shared.compute import choose_compute
from manyheads_shared.condition import find_usual
from manyheads_shared.decision import State, decide
from manyheads_shared.digest import digest_bytes
from manyheads_shared.image import Pixels
from manyheads_shared.likelihood import fit_likelihood
from manyheads_shared.metrics import Share, wilson
from manyheads_shared.ratio_bounds import bound_ratio
from manyheads_shared.rungs import RUNGS
from manyheads_shared.scoring import Scorer
from manyheads_shared.statements import Bound, SourceResult
from tests.support.hub_simulator import URL, HubSimulator
from tests.support.makers import NO_DIGEST, MadeBundle, make_bundle, make_generator, make_primary_bytes

NAMES = ("alpha", "beta", "gamma")


def varied_images(count: int, *, size: int = 48) -> list[Pixels]:
    """Discs and bars in flat colours over a ramp: images whose scores differ, and which show no sign of degradation."""
    return [_draw_shapes(size, np.random.default_rng(i)) for i in range(count)]


def _draw_shapes(size: int, draw: np.random.Generator) -> Pixels:
    y, x = np.mgrid[0:size, 0:size]
    picture = np.zeros((size, size, 3)) + draw.uniform(0, 255, 3)
    for is_disc in draw.random(12) < 0.5:
        (down, right), (tall, wide) = draw.uniform(0, size, 2), draw.uniform(3, size / 3, 2)
        inside = ((x - right) ** 2 + (y - down) ** 2 < wide**2) if is_disc else (abs(x - right) < wide) & (abs(y - down) < tall)
        picture[inside] = draw.uniform(0, 255, 3)
    picture += draw.uniform(-40, 40, 3) * (x[..., np.newaxis] / size)
    return np.clip(picture, 0, 255).astype(np.uint8)


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
    logits = scorer.score(images)
    detector, bands = lay_bands(logits)
    digests = [entry.head for entry in manifest.heads]
    before = Calibration.from_bytes(objects[manifest.calibration])
    side = images[0].shape[0]
    data = BoundedCalibration.new(
        **before.model_dump(exclude={"format", "detector", "heads"}),
        sides=Sides(shortest=side, longest=side),
        usual=find_usual({}),
        detector=detector,
        heads=dict(zip(digests, bands, strict=True)),
        detector_evidence=_evidence(logits[:, 0], detector),
        heads_evidence={
            digest: _evidence(column, band) for digest, column, band in zip(digests, logits[:, 1:].T, bands, strict=True)
        },
    ).to_bytes()
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


def _evidence(scores: NDArray[np.float32], band: Band) -> BoundedEvidence:
    """What such scores would be worth if those above the band were of the answer yes; valid up to a JPEG quality of 75."""
    own, foreign = scores[scores >= band.high], scores[scores < band.high]
    seen, claimed = to_bound(wilson(35, 40)), to_bound(wilson(1, 400))
    worst = SourceResult(kind="generated", source="rival", external=False, yes=claimed)
    return BoundedEvidence(
        likelihood=bound_ratio(fit_likelihood({"real": foreign}, own), {"real": foreign}, own),
        thresholds=fit_thresholds({("real", "photos"): foreign}, head_count=1),
        reach=tuple(
            Reach(
                ladder=rung.ladder,
                strength=float(rung.strength),
                recall=seen,
                real=claimed,
                worst=worst,
                valid=rung.ladder == "jpeg" and rung.strength >= 75,
            )
            for rung in RUNGS
        ),
    )


def to_bound(share: Share | None) -> Bound:
    assert share is not None
    return Bound(share=share.value, lower=share.lower, upper=share.upper, hits=share.hits, total=share.total)


def _band(scores: NDArray[np.float32], low: float, high: float) -> Band:
    edges = np.quantile(scores, [low, min(high, 0.97)])
    return Band(low=float(edges[0]), high=float(edges[1]), negatives=400, positives=400, resolved=True)
