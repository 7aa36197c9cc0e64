"""The two baselines of the paper, in the forms its code ran: gandct-conv and ganfp-postpool, a quarter of their width.

Facts, not code, of Frank et al. 2020 and Yu et al. 2019 as ported by Khoo et al. 2022: quarter width, zero "same" padding, no
batch norm anywhere. Weights start as in the originals (Glorot; He): from the port's N(0, 0.02), ganfp-postpool had not left a
single class after twelve epochs here, and a baseline that does not learn is none. They answer one question with a logit
(N,), or N + 1 classes with logits (N, K).
"""

from typing import Literal

import torch
from torch import Tensor, nn

Baseline = Literal["gandct-conv", "ganfp-postpool"]

_SLOPE = 0.2  # of ganfp-postpool's leaky ReLU
_POOLED_SIZE = 4  # pixels a side where ganfp-postpool stops pooling


class Network(nn.Module):
    """A plain stack; the last layer's single column becomes a logit (N,)."""

    def __init__(self, stack: nn.Sequential, macs: int) -> None:
        super().__init__()
        self.stack = stack
        self.macs = macs  # multiply-accumulates of one image, forwards

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,) or (N, K) from preprocessed images (N, C, S, S)."""
        logits: Tensor = self.stack(images)
        return logits.squeeze(1) if logits.shape[1] == 1 else logits


def build_baseline(name: Baseline, *, channels: int, size: int, outputs: int, seed: int) -> Network:
    """Return a fresh baseline.

    Args:
        name: which.
        channels: of an image: 3 for pixel, 1 for dct.
        size: pixels a side; a multiple of 4 (gandct-conv), a power of two of at least 16 (ganfp-postpool).
        outputs: 1 for a yes/no question, else the number of classes.
        seed: of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = _gandct_conv(channels, size, outputs) if name == "gandct-conv" else _ganfp_postpool(channels, size, outputs)
        for layer in layers:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                assert layer.bias is not None
                if name == "gandct-conv":
                    nn.init.xavier_uniform_(layer.weight)
                else:
                    nn.init.kaiming_normal_(layer.weight, a=_SLOPE)
                nn.init.zeros_(layer.bias)
    return Network(nn.Sequential(*layers), _count_macs(layers, size))


def _gandct_conv(channels: int, size: int, outputs: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for channels_in, channels_out, pooled in ((channels, 3, False), (3, 8, True), (8, 16, True), (16, 32, False)):
        layers += [nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.ReLU()]
        layers += [nn.AvgPool2d(2)] if pooled else []
    return [*layers, nn.Flatten(), nn.Linear(32 * (size // 4) ** 2, outputs)]


def _ganfp_postpool(channels: int, size: int, outputs: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for channels_in, between, channels_out in ((channels, 4, 8), (8, 8, 16), (16, 16, 32)):
        layers += [nn.Conv2d(channels_in, between, 3, padding=1), nn.LeakyReLU(_SLOPE)]
        layers += [nn.Conv2d(between, channels_out, 3, padding=1), nn.LeakyReLU(_SLOPE), nn.AvgPool2d(2)]
    remaining = size // 8
    while remaining > _POOLED_SIZE:
        layers.append(nn.AvgPool2d(2))
        remaining //= 2
    layers += [nn.Conv2d(32, 128, 3, padding=1), nn.LeakyReLU(_SLOPE), nn.Flatten()]
    return [*layers, nn.Linear(128 * remaining**2, 128), nn.LeakyReLU(_SLOPE), nn.Linear(128, outputs)]


def _count_macs(layers: list[nn.Module], size: int) -> int:
    total = 0
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            total += size * size * layer.weight.numel()
        elif isinstance(layer, nn.AvgPool2d):
            size //= 2
        elif isinstance(layer, nn.Linear):
            total += layer.weight.numel()
    return total
