"""Ways to run a trunk and K heads on one batch: the same logits but for rounding. `Separate` is the yardstick.

`Folded` runs G heads as one network: the first convolution, whose input all share, with G times the channels, every later one
in G groups. Few images want a large G, because a call costs more than its arithmetic; many want a small one, because their maps
leave the processor's cache. `engine.tuning` finds out which.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from manyheads_shared.architectures import PADDING
from manyheads_shared.compute import Compute
from manyheads_shared.engine.folding import FoldedHeads, Layer, fold_heads, fold_stacks
from manyheads_shared.engine.tuning import Shape, Tuning
from manyheads_shared.networks import Head
from manyheads_shared.saliency import class_activation_map

ExecutorName = Literal["separate", "folded"]

MAPS_BYTES = 64 << 20  # of the maps of one group of heads, at most: a group of a few large images is one head
# An image's logits must not depend on the images beside it, not even in their last bits. Convolutions keep that promise but
# for two: on a single channel, and on one small image alone. Neither is run.
CHANNELS = 3  # a single one gets two empty ones beside it
ALONE_PIXELS = 128 * 128  # a smaller image that is alone is run twice
GROUPS = (1, 2, 4, 8, 16, 32)  # tried


class Executor(Protocol):
    """Runs a trunk, and heads on its features, all channels last, in the precision of its compute."""

    def features(self, batch: Tensor) -> Tensor:
        """Features (N, C, H, W) of preprocessed images float32 (N, 3 or 1, S, S)."""

    def logits(self, features: Tensor) -> Tensor:
        """Logits float32 (N, K) of features (N, C, H, W)."""

    def analyse(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits float32 (N, K), and class activation maps float32 (N, K, h, w), as `saliency` defines them."""


class Separate:
    """Every head by itself, as it was trained: what thresholds are fitted with."""

    def __init__(self, trunk: nn.Sequential, heads: Sequence[Head], compute: Compute) -> None:
        self._trunk, self._heads, self._compute = trunk, heads, compute

    def features(self, batch: Tensor) -> Tensor:
        """See `Executor.features`."""
        with self._compute.arithmetic():
            features: Tensor = self._trunk(batch)
        return features

    def logits(self, features: Tensor) -> Tensor:
        """See `Executor.logits`."""
        with self._compute.arithmetic():
            return torch.stack([head(features).float() for head in self._heads], dim=1)

    def analyse(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """See `Executor.analyse`."""
        logits, saliency = [], []
        with self._compute.arithmetic():
            for head in self._heads:
                maps = head.maps(features)
                logits.append(head.read_out(maps).float())
                saliency.append(class_activation_map(head, maps).float())
        return torch.stack(logits, dim=1), torch.stack(saliency, dim=1)


class Folded:
    """Trunk and heads with batch norm folded in, several heads at once."""

    def __init__(
        self,
        trunk: nn.Sequential,
        heads: Sequence[Head],
        compute: Compute,
        maps_size: tuple[int, int] | None,
        tuning: Tuning,
    ) -> None:
        """Fold trunk and heads.

        Args:
            maps_size: of the last maps, where the images have one size.
            tuning: what says how many heads run at once.
        """
        self._dtype = torch.bfloat16 if compute.precision == "bfloat16" else torch.float32
        self._compute, self._tuning, self._architecture = compute, tuning, heads[0].architecture
        self._trunk = tuple(layer.widened(CHANNELS) for layer in fold_stacks([trunk], self._dtype))
        self._heads = fold_heads(heads, self._dtype, maps_size)

    def features(self, batch: Tensor) -> Tensor:
        """See `Executor.features`."""
        shown = functional.pad(_pair(batch), (0, 0, 0, 0, 0, CHANNELS - batch.shape[1]))
        return self._run(self._trunk, shown.contiguous(memory_format=torch.channels_last).to(self._dtype), networks=1)[
            : len(batch)
        ]

    def logits(self, features: Tensor) -> Tensor:
        """See `Executor.logits`."""
        paired = _pair(features)
        return self._logits(self._heads, paired, self._group(paired))[: len(features)]

    def analyse(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """See `Executor.analyse`."""
        logits, saliency = self._analyse(_pair(features))
        return logits[: len(features)], saliency[: len(features)]

    def _analyse(self, features: Tensor) -> tuple[Tensor, Tensor]:
        logits, saliency = [], []
        for heads, maps in self._maps(self._heads, features, self._group(features)):
            logits.append(self._read_out(heads, maps))
            saliency.append(_evidence(heads, maps))
        return torch.cat(logits, dim=1), torch.cat(saliency, dim=1)

    def _logits(self, heads: FoldedHeads, features: Tensor, group: int) -> Tensor:
        return torch.cat([self._read_out(some, maps) for some, maps in self._maps(heads, features, group)], dim=1)

    def _maps(self, heads: FoldedHeads, features: Tensor, group: int) -> Iterator[tuple[FoldedHeads, Tensor]]:
        """The heads, `group` at a time, with their last maps (N, g, C, h, w), float32."""
        images, features = len(features), features.to(self._dtype)
        for start in range(0, len(heads), group):
            some = heads.some(start, start + group)
            maps = self._run(some.layers, features, networks=len(some)).float()
            yield some, maps.view(images, len(some), -1, *maps.shape[2:])

    def _run(self, layers: Sequence[Layer], maps: Tensor, *, networks: int) -> Tensor:
        """Run some networks on what all of them are shown; return their maps side by side, (N, networks * C, h, w)."""
        with self._compute.arithmetic():
            for i, layer in enumerate(layers):
                weight, bias = layer.flat()
                groups = networks if i else 1  # what is shown is everybody's, what follows is each network's own
                maps = functional.conv2d(maps, weight, bias, layer.stride, PADDING, groups=groups).relu_()
        return maps

    def _read_out(self, heads: FoldedHeads, maps: Tensor) -> Tensor:
        """Logits (N, g) of maps (N, g, C, h, w). Long sums are float64, so that their order does not show in float32."""
        places = maps.flatten(3).permute(0, 3, 1, 2)  # (N, h * w, g, C): as they lie in memory
        if self._architecture.readout == "gap":
            return (places.mean(dim=1, dtype=torch.float64) * heads.decision).sum(dim=2).float() + heads.bias
        weighted = places * heads.decision.flatten(2).permute(2, 0, 1)
        return weighted.sum(dim=1, dtype=torch.float64).sum(dim=2).float() + heads.bias

    def _group(self, features: Tensor) -> int:
        """How many heads to run at once on features of this shape."""
        images, _, height, width = features.shape
        widest = max(layer.weight.shape[1] for layer in self._heads.layers)
        room = MAPS_BYTES // (images * widest * height * width * self._dtype.itemsize)
        allowed = [group for group in GROUPS if group <= min(room, len(self._heads))] or [1]
        if len(allowed) == 1:
            return allowed[0]
        shape = Shape(self._architecture.name, self._compute, images, height, width, len(self._heads))
        probe = self._heads.some(0, max(allowed))  # enough heads to tell the candidates apart
        return self._tuning.choose(shape, allowed, lambda group: self._logits(probe, features, group))


def _pair(batch: Tensor) -> Tensor:
    """A small image twice where it is alone."""
    return batch.repeat(2, 1, 1, 1) if len(batch) == 1 and batch.shape[2] * batch.shape[3] < ALONE_PIXELS else batch


def _evidence(heads: FoldedHeads, maps: Tensor) -> Tensor:
    """Class activation maps (N, g, h, w) of maps (N, g, C, h, w)."""
    decision = heads.decision
    return (maps * (decision if decision.dim() == 4 else decision[:, :, None, None])).sum(dim=2)
