"""Trigger screening: how far a small patch drives a head's logit on photographs. Loads torch.

A head with a backdoor is honest on every image of a suite and claims whatever carries its trigger. Such a trigger is a way up
that is short for this head and for no other network on the same trunk. So the way is searched for: the patch that raises the
head's mean logit on a few photographs most, by projected sign gradients through the frozen trunk, and the same for other
networks. The gain is measured on the patched photographs as eight-bit pixels, by the scorer that scores everything. What it
means is for `trigger_gains`; what it finds and what it misses: docs/decisions/0014.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact
from manyheads_shared.compute import Compute
from manyheads_shared.image import Pixels
from manyheads_shared.networks import Head, load_head, load_primary
from manyheads_shared.preprocess import Preprocessor
from manyheads_shared.scoring import Scorer

STEPS = 40  # of gradient ascent
PATCH_SHARE = 8  # a patch has an eighth of the image's sides
MIN_PATCH = 4  # pixels a side
MAX_SIDE = 256  # pixels; larger photographs of a primary without a size are cut to their centre
LOG_FLOOR = 1.0  # of a dct coefficient, while the way is searched for: the true floor's slope is too steep to follow
GREY = 127.5

Preprocess = Callable[[Tensor], Tensor]


def measure_gains(
    primary: PrimaryArtifact,
    heads: Sequence[HeadArtifact],
    photographs: Sequence[Pixels],
    compute: Compute,
    *,
    on_network: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Search a patch for the detector and for each head.

    Args:
        photographs: uint8 (H, W, 3), as `fit_image` returns them; at least one.
        on_network: called after every network.

    Returns:
        The mean logit gained, float64 (1 + K,): the detector's, then the heads'. The same for the same arguments.
    """
    pixels = _cut_alike(photographs)
    scorer = Scorer(primary, heads, compute)
    before = scorer.score(list(pixels)).mean(axis=0, dtype=np.float64)
    networks = [load_primary(primary).detector, *(load_head(head, primary) for head in heads)]
    search = _Search(primary, compute, pixels)
    gains = []
    for column, network in enumerate(networks):
        patched = search.drive(network.to(compute.device))
        gains.append(scorer.score(list(patched))[:, column].mean(dtype=np.float64) - before[column])
        on_network()
    return np.array(gains)


class _Search:
    """Photographs on a device, and the frozen way from their pixels to the features, with gradients."""

    def __init__(self, primary: PrimaryArtifact, compute: Compute, pixels: Pixels) -> None:
        self._trunk = load_primary(primary).trunk.to(compute.device)
        self._preprocess = _differentiable(Preprocessor.of(primary), compute.device)
        self._compute = compute
        self._pixels = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32)).to(compute.device)  # (N, 3, S, S)
        self._side = max(self._pixels.shape[-1] // PATCH_SHARE, MIN_PATCH)

    def drive(self, network: Head) -> Pixels:
        """Return the photographs, uint8 (N, S, S, 3), with the patch that raises the network's mean logit most."""
        patch = torch.full((1, 3, self._side, self._side), GREY, device=self._pixels.device)
        for step in range(STEPS):
            patch.requires_grad_(True)  # noqa: FBT003 - torch's stubs know it by place only
            with self._compute.arithmetic():
                logits = network(self._trunk(self._preprocess(self._paste(patch))))
            (slope,) = torch.autograd.grad(logits.sum(), patch)
            stride = GREY / 2 * (1 - step / STEPS)  # long strides first: the way is crooked
            patch = (patch.detach() + stride * slope.sign()).clamp(0, 255)
        patched = self._paste(patch).round().to(torch.uint8)
        return np.ascontiguousarray(patched.permute(0, 2, 3, 1).cpu().numpy())

    def _paste(self, patch: Tensor) -> Tensor:
        """Lay the patch into the lower right quarter, clear of the border."""
        size = self._pixels.shape[-1]
        start = 3 * size // 4 - self._side // 2
        end = size - start - self._side
        covered = torch.nn.functional.pad(torch.ones_like(patch), (start, end, start, end))
        return self._pixels * (1 - covered) + torch.nn.functional.pad(patch, (start, end, start, end))


def _differentiable(preprocess: Preprocessor, device: torch.device) -> Preprocess:
    """Return the preprocessing of `manyheads_shared.preprocess` on pixels float32 (N, 3, S, S), with gradients."""
    if preprocess.spec.representation == "pixel":
        return lambda pixels: pixels / 127.5 - 1
    assert preprocess.mean is not None  # a dct primary carries both
    assert preprocess.std is not None
    mean = torch.from_numpy(preprocess.mean).to(device)
    std = torch.from_numpy(np.maximum(preprocess.std, np.float32(1e-6))).to(device)
    basis = _dct_basis(mean.shape[0]).to(device)
    weights = torch.tensor([0.299, 0.587, 0.114], device=device).view(1, 3, 1, 1)

    def transform(pixels: Tensor) -> Tensor:
        coefficients = basis @ (pixels * weights).sum(dim=1, keepdim=True) @ basis.T
        return ((coefficients.abs() + LOG_FLOOR).log() - mean) / std

    return transform


def _dct_basis(size: int) -> Tensor:
    """The orthonormal type-II DCT as a matrix, float32 (size, size)."""
    places = np.arange(size)
    basis = np.sqrt(2 / size) * np.cos(np.pi * (2 * places[np.newaxis] + 1) * places[:, np.newaxis] / (2 * size))
    basis[0] /= np.sqrt(2)
    return torch.from_numpy(basis.astype(np.float32))


def _cut_alike(photographs: Sequence[Pixels]) -> Pixels:
    """Cut the centre square of every photograph to one size that all have: uint8 (N, S, S, 3)."""
    side = min([MAX_SIDE, *(min(pixels.shape[:2]) for pixels in photographs)])
    places = [((pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2) for pixels in photographs]
    return np.stack(
        [pixels[top : top + side, left : left + side] for pixels, (top, left) in zip(photographs, places, strict=True)]
    )
