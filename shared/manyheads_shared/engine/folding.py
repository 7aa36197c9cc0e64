"""Batch norm folded into the convolution before it, and the same layer of many heads in one tensor.

In inference batch norm is a scale and a shift for each channel; both go into the weights, in float64. What is left is half the
passes over the maps. Logits differ from the unfolded network's by rounding: 1e-6 of their size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from manyheads_shared.networks import Head


@dataclass(frozen=True)
class Layer:
    """One convolution and ReLU of K networks.

    Weights lie (K, out, kernel, kernel, in), so that any run of networks is one channels-last weight without a copy.
    """

    weight: Tensor  # (K, out, kernel, kernel, in)
    bias: Tensor  # (K, out)
    stride: int

    def some(self, start: int, stop: int) -> "Layer":
        """The layer of a run of networks."""
        return Layer(self.weight[start:stop], self.bias[start:stop], self.stride)

    def widened(self, channels: int) -> "Layer":
        """The layer for inputs of at least so many channels, those beyond its own passed over."""
        return Layer(functional.pad(self.weight, (0, max(0, channels - self.weight.shape[-1]))), self.bias, self.stride)

    def flat(self) -> tuple[Tensor, Tensor]:
        """Weight (K * out, in, kernel, kernel), channels last, and bias (K * out,): the networks side by side."""
        return self.weight.flatten(0, 1).permute(0, 3, 1, 2), self.bias.flatten()


@dataclass(frozen=True)
class FoldedHeads:
    """K heads: their layers, and the linear read-out of their last maps."""

    layers: tuple[Layer, ...]
    decision: Tensor  # float32 (K, C) for `gap`, (K, C, h, w) for `flatten`
    bias: Tensor  # float32 (K,)

    def __len__(self) -> int:
        return len(self.bias)

    def some(self, start: int, stop: int) -> "FoldedHeads":
        """A run of the heads."""
        layers = tuple(layer.some(start, stop) for layer in self.layers)
        return FoldedHeads(layers, self.decision[start:stop], self.bias[start:stop])


def fold_heads(heads: Sequence[Head], dtype: torch.dtype, maps_size: tuple[int, int] | None = None) -> FoldedHeads:
    """Fold heads of one architecture.

    Args:
        heads: in inference mode, on one device; at least one.
        dtype: of the convolutions; the read-out stays float32.
        maps_size: height and width of the last maps; a flatten read-out needs it.
    """
    decision = torch.stack([head.decision.weight[0] for head in heads]).float()
    if heads[0].architecture.readout == "flatten":
        assert maps_size is not None
        decision = decision.view(len(heads), -1, *maps_size)
    return FoldedHeads(
        layers=fold_stacks([head.stack for head in heads], dtype),
        decision=decision,
        bias=torch.stack([head.decision.bias[0] for head in heads]).float(),
    )


def fold_stacks(stacks: Sequence[nn.Sequential], dtype: torch.dtype) -> tuple[Layer, ...]:
    """Fold stacks of one declared shape: convolutions, each with or without batch norm, each with a ReLU behind it."""
    columns = zip(*(_convolutions(stack) for stack in stacks), strict=True)
    return tuple(_fold_layer(column, dtype) for column in columns)


def _convolutions(stack: nn.Sequential) -> list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]:
    found: list[tuple[nn.Conv2d, nn.BatchNorm2d | None]] = []
    for module in stack:
        if isinstance(module, nn.Conv2d):
            found.append((module, None))
        elif isinstance(module, nn.BatchNorm2d):
            found[-1] = found[-1][0], module
    return found


def _fold_layer(column: Sequence[tuple[nn.Conv2d, nn.BatchNorm2d | None]], dtype: torch.dtype) -> Layer:
    folded = [_fold(conv, norm) for conv, norm in column]
    weight = torch.stack([weight for weight, _ in folded]).permute(0, 1, 3, 4, 2)
    bias = torch.stack([bias for _, bias in folded])
    return Layer(weight.to(dtype).contiguous(), bias.to(dtype), column[0][0].stride[0])


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d | None) -> tuple[Tensor, Tensor]:
    """Weight (out, in, kernel, kernel) and bias (out,), float64."""
    assert conv.bias is not None  # every declared convolution has one
    weight, bias = conv.weight.double(), conv.bias.double()
    if norm is None:
        return weight, bias
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return weight * scale[:, None, None, None], (bias - norm.running_mean.double()) * scale + norm.bias.double()
