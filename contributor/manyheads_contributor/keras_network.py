"""The network in a Keras file of the published code, under our names and in our axis order.

A file holds a primary: layers `dConv_01` … `dConv_06` with `dBNorm_02` … `dBNorm_06`, and `dDecision`. The first four are
our trunk, the others our detector. A file with attribution holds secondary modules beside it, our heads: `aConv_01`,
`aBNorm_01`, `aConv_02`, `aBNorm_02`, `aDecision`, or `a1Conv_01` … `aNDecision` for N of them.

Keras orders kernels (height, width, in, out), dense weights (in, out), and flattens maps row, column, channel. Ours are
(out, in, height, width), (1, in), and channel, row, column (docs/formats/artifact.md). Source: the published code's facts.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads_contributor.keras_file import KerasFile, KerasLayerError, KerasWeightError, read_keras_file
from manyheads_shared.architectures import Architecture, Shape, get_architecture
from manyheads_shared.artifact import Tensors

_ARCHITECTURES = {3: "khoo2022-pixel", 1: "khoo2022-dct"}  # by the channels of an image
_FIRST_KERNEL = "dConv_01/kernel"
_DETECTOR_KERNEL = "dDecision/kernel"
_SECONDARY = re.compile(r"(a(?:[1-9]\d{0,2})?)(?:Conv_|BNorm_|Decision)")
_LAYER = {"conv": "Conv", "norm": "BNorm", "decision": "Decision"}
_WEIGHT = {
    "conv": {"weight": "kernel", "bias": "bias"},
    "norm": {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"},
    "decision": {"weight": "kernel", "bias": "bias"},
}


@dataclass(frozen=True)
class KerasNetwork:
    """What a file holds."""

    file: KerasFile
    architecture: Architecture
    image_size: int | None  # the only one a flatten read-out works at; None for a read-out that takes any
    primary: Tensors  # names start with `trunk.` or `detector.`
    secondaries: dict[str, Tensors]  # by prefix: `a`, or `a1` … `aN`


def read_keras_network(path: Path) -> KerasNetwork:
    """Read a file of the published code: a primary, with or without secondary modules.

    The plan: (1) the file's weights; (2) which network they are; (3) exactly that network's weights; (4) of its shapes.

    Raises:
        UsageError: there is no such file.
        KerasFileError: step 1 fails.
        KerasLayerError: steps 2 or 3 fail.
        KerasWeightError: step 4 fails.
    """
    # step 1
    file = read_keras_file(path)
    # step 2
    architecture, image_size = _recognise(file)
    prefixes = sorted(
        {found[1] for name in file.weights if (found := _SECONDARY.match(name))}, key=lambda prefix: int(prefix[1:] or 0)
    )
    trunk, head = architecture.trunk_tensors(), architecture.head_tensors(image_size)
    primary = {f"trunk.{name}": (keras_name(name, "d"), shape) for name, shape in trunk.items()}
    above = len(architecture.trunk)  # the detector's layers are counted on from the trunk's
    primary |= {f"detector.{name}": (keras_name(name, "d", above=above), shape) for name, shape in head.items()}
    secondaries = {prefix: {name: (keras_name(name, prefix), shape) for name, shape in head.items()} for prefix in prefixes}
    # step 3
    modules = [primary, *secondaries.values()]
    declared = {name: shape for module in modules for name, shape in module.values()}
    if missing := sorted(declared.keys() - file.weights.keys()):
        raise KerasLayerError(
            f"{file.name}: weight {missing[0]} is missing ({len(missing)} of {len(declared)} are). "
            "Expected the published network with layers dConv_01 to dDecision, and a secondary module whole or not at all."
        )
    if extra := sorted(file.weights.keys() - declared.keys()):
        raise KerasLayerError(
            f"{file.name}: weight {extra[0][:80]!r} is not one of the published network ({len(extra)} are not). "
            "Another network cannot be imported: its layers would be lost."
        )
    # step 4
    for name, shape in declared.items():
        if file.weights[name].shape != _keras_shape(shape):
            raise KerasWeightError(
                f"{file.name}: weight {name}: expected shape {_keras_shape(shape)} for {architecture.name}, "
                f"got {file.weights[name].shape}"
            )
    channels = architecture.head[-1].channels_out

    def convert(module: dict[str, tuple[str, Shape]]) -> Tensors:
        return {name: _reorder(file.weights[keras], channels) for name, (keras, _) in module.items()}

    converted = {prefix: convert(module) for prefix, module in secondaries.items()}
    return KerasNetwork(file, architecture, image_size, convert(primary), converted)


def keras_name(tensor: str, prefix: str, *, above: int = 0) -> str:
    """Return what the published code calls a tensor of ours: `dConv_05/kernel` for `conv1.weight` above 4 layers.

    Args:
        tensor: as the architecture declares it.
        prefix: of the module: `d` for the primary, `a` or `a1` … for a secondary.
        above: how many convolutions of the same prefix come before the module's first.
    """
    layer, _, part = tensor.partition(".")
    kind = layer.rstrip("0123456789")
    number = layer.removeprefix(kind)
    suffix = f"_{int(number) + above:02d}" if number else ""
    return f"{prefix}{_LAYER[kind]}{suffix}/{_WEIGHT[kind][part]}"


def _recognise(file: KerasFile) -> tuple[Architecture, int | None]:
    """Return the architecture, by what its first layer takes, and the image size of a flatten read-out, by its inputs."""
    for name in (_FIRST_KERNEL, _DETECTOR_KERNEL):
        if name not in file.weights:
            here = ", ".join(sorted(file.weights)[:5]) or "none"
            raise KerasLayerError(
                f"{file.name}: expected a network of Khoo, Lim and Phan's code, with a weight {name}; "
                f"the weights here: {here[:200]}"
            )
    shape = file.weights[_FIRST_KERNEL].shape
    channels = shape[2] if len(shape) == 4 else 0
    if channels not in _ARCHITECTURES:
        raise KerasWeightError(
            f"{file.name}: weight {_FIRST_KERNEL}: expected shape (3, 3, 3, 3) or (3, 3, 1, 3), got {shape}; "
            "only networks on RGB pixels or on grey DCT can be imported"
        )
    architecture = get_architecture(_ARCHITECTURES[channels])
    if architecture.readout == "gap":
        return architecture, None
    cells = file.weights[_DETECTOR_KERNEL].size // architecture.head[-1].channels_out
    stride = math.prod(conv.stride for conv in (*architecture.trunk, *architecture.head))
    return architecture, max(1, math.isqrt(cells)) * stride


def _keras_shape(shape: Shape) -> Shape:
    if len(shape) == 4:
        out, inputs, height, width = shape
        return height, width, inputs, out
    return shape[::-1]


def _reorder(weight: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Bring a weight from Keras's axis order to ours.

    Args:
        weight: (h, w, in, out), (inputs, 1), or (channels,).
        channels: of the maps that a dense weight reads; pooled maps are maps of one cell.
    """
    if weight.ndim == 4:
        return np.ascontiguousarray(weight.transpose(3, 2, 0, 1))
    if weight.ndim == 2:
        side = math.isqrt(weight.size // channels)
        cells = weight.reshape(side, side, channels)  # row, column, channel
        return np.ascontiguousarray(cells.transpose(2, 0, 1)).reshape(1, -1)
    return weight
