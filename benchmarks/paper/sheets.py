"""Saliency of the reference network, sixteen images a source: CAM for pixels, Grad-CAM for dct, as the paper has them.

The sheet over the photographs stays in the work folder, for faces of real people are in it; what is kept beside the tables is
the maps alone. Green says nothing, red speaks for "yes", blue against it. CAMs of a sheet share one scale, for they are
logits; Grad-CAMs have one for each network, for theirs is nobody's. A place in a dct network's map is a frequency, so its maps
lie over spectra: low frequencies at the upper left.
"""

import io
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from benchmarks.paper.cells import DETECTION, HEADS, Cell, list_cells, primary_of
from benchmarks.paper.config import Representation
from benchmarks.paper.images import Inputs
from benchmarks.paper.training import Trainer, as_tensor
from manyheads_shared.networks import Head, Primary
from manyheads_shared.overlay import jet, overlay
from manyheads_shared.saliency import class_activation_map

COUNT = 16  # images a source, as published
SCALE_QUANTILE = 0.98  # of all values: a single hot spot must not turn everything green
SPECTRUM_DEVIATIONS = 3  # of a coefficient, to black or white
_MAP_PIXELS = 32  # a side of a map that stands alone
_LABEL_PIXELS = 14  # height of a source's name
_INK = (51, 51, 51)

Maps = NDArray[np.float32]  # (N, h, w)
Pixels = NDArray[np.uint8]


def sheet_cells(trainer: Trainer) -> tuple[Cell, ...]:
    """Heads on clean images, first seed, trunk as published: one cell a representation."""
    config = trainer.config
    return tuple(
        cell
        for cell in list_cells(config)
        if (cell.images, cell.question, cell.phase, cell.seed) == (trainer.images.name, HEADS, "III", config.seeds[0])
        and cell.trunk == config.families["as-run"].multi
    )


def draw_sheets(cell: Cell, trainer: Trainer, generator: str) -> tuple[bytes, bytes]:
    """Draw detector and one head on every source; PNG over the images, and PNG of the maps alone."""
    primary_cell = primary_of(cell)
    assert primary_cell is not None
    primary, head = trainer.networks(primary_cell)[DETECTION].network, trainer.networks(cell)[generator].network
    assert isinstance(primary, Primary)
    assert isinstance(head, Head)
    sources: dict[str, tuple[Pixels, Maps, Maps]] = {}
    for source, side, chosen in _chosen(trainer):
        inputs = trainer.images.inputs(cell.representation, side, trainer.config.clean)[chosen]
        pixels = trainer.images.pixels(side, trainer.config.clean)[chosen] if cell.representation == "pixel" else _draw(inputs)
        features = primary.trunk(as_tensor(inputs, trainer.compute)).detach()
        detected, claimed = (_maps(network, features, cell.representation) for network in (primary.detector, head))
        sources[source] = pixels, detected, claimed
    maps = [[both[i] for _, *both in sources.values()] for i in range(2)]
    scales = [_scale(maps[0]), _scale(maps[1])] if cell.representation == "dct" else [_scale(maps[0] + maps[1])] * 2
    over, alone = [], []
    for source, (pixels, *both) in sources.items():
        drawn = [
            [overlay(p, m, scale=scale) for p, m in zip(pixels, maps, strict=True)]
            for maps, scale in zip(both, scales, strict=True)
        ]
        over.append(_strip(source, [list(pixels), *drawn]))
        plain = [[_plain(m, scale) for m in maps] for maps, scale in zip(both, scales, strict=True)]
        alone.append(_strip(source, plain))
    return _png(Image.fromarray(np.concatenate(over))), _png(Image.fromarray(np.concatenate(alone)).quantize(256))


def grad_cam(head: Head, maps: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017) of one head's logit: pooled gradients weigh the maps, and what speaks against is cut.

    The paper's code multiplied gradient and maps position by position, without pooling, and divided by the batch's maximum.

    Args:
        head: the detector or a head.
        maps: float32 (N, C, h, w), from `head.maps`.

    Returns:
        float32 (N, h, w), at least 0.
    """
    maps = maps.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(head.read_out(maps).sum(), maps)
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * maps).sum(dim=1).clamp(min=0).detach()


def _maps(network: Head, features: Tensor, representation: Representation) -> Maps:
    with torch.no_grad():
        maps = network.maps(features)
    saliency = class_activation_map(network, maps) if representation == "pixel" else grad_cam(network, maps)
    values: Maps = saliency.detach().numpy()
    return values


def _chosen(trainer: Trainer) -> list[tuple[str, str, NDArray[np.int64]]]:
    """The first images of every source: its name, its side, and where they are."""
    found = []
    for side in ("test", "external"):
        items = trainer.images.split.side(side)
        for source in dict.fromkeys((item.kind, item.source) for item in items):
            places = [i for i, item in enumerate(items) if (item.kind, item.source) == source]
            prefix = "external " if side == "external" else ""
            found.append((f"{prefix}{source[0]}: {source[1]}", side, np.array(places[:COUNT])))
    return found


def _scale(maps: Sequence[Maps]) -> float:
    """The value that is drawn as full red; of maps that are empty nearly everywhere, their largest, or anything."""
    values = np.abs(np.concatenate([each.ravel() for each in maps]))
    return float(np.quantile(values, SCALE_QUANTILE) or values.max() or 1.0)


def _draw(inputs: Inputs) -> Pixels:
    """Normalised log-DCT coefficients (N, S, S, 1) as grey pictures, uint8 (N, S, S, 3)."""
    grey = np.clip(127.5 + inputs / SPECTRUM_DEVIATIONS * 127.5, 0, 255).astype(np.uint8)
    return np.repeat(grey, 3, axis=-1)


def _strip(title: str, rows: Sequence[Sequence[Pixels]]) -> Pixels:
    """Rows of pictures under a title."""
    pictures = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    label = Image.new("RGB", (pictures.shape[1], _LABEL_PIXELS), "white")
    ImageDraw.Draw(label).text((2, 1), title, fill=_INK)
    strip: Pixels = np.concatenate([np.asarray(label), pictures])
    return strip


def _plain(saliency: Maps, scale: float) -> Pixels:
    colours = jet(saliency / np.float32(2 * scale) + np.float32(0.5))
    picture = Image.fromarray(np.rint(255 * colours).astype(np.uint8))
    return np.asarray(picture.resize((_MAP_PIXELS, _MAP_PIXELS), Image.Resampling.NEAREST))


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()
