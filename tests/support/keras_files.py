"""Keras files of the published code's networks, and what Keras computes with them: numpy, NHWC, none of our networks.

Weights are random and lively: every bias, every batch norm statistic and every cell of the read-out shows in the logits.
"""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from manyheads_shared.image import Pixels

Array = NDArray[np.float64]
Layers = dict[str, dict[str, NDArray[np.float32]]]  # layer -> weight -> values, as Keras orders them

PRIMARY = ((3, 3, 1), (8, 4, 2), (16, 3, 1), (16, 4, 2), (32, 3, 1), (32, 4, 2))  # channels out, kernel, stride
SECONDARY = ((32, 3, 1), (32, 4, 2))
BRANCH = 4  # the secondary reads what the fourth layer gives
EPSILON = 1e-3


def make_keras_layers(representation: str, size: int, *, prefixes: Sequence[str] = (), seed: int = 0) -> Layers:
    """Random layers of a primary and of secondary modules; `size` counts for dct only."""
    draw = np.random.default_rng(seed)
    cells = (size // 8) ** 2 if representation == "dct" else 1
    layers = _stack(draw, "d", PRIMARY, 3 if representation == "pixel" else 1, cells, bare=1)
    for prefix in prefixes:
        layers |= _stack(draw, prefix, SECONDARY, PRIMARY[BRANCH - 1][0], cells)
    return layers


def _stack(
    draw: np.random.Generator, prefix: str, stack: Sequence[tuple[int, int, int]], inputs: int, cells: int, *, bare: int = 0
) -> Layers:
    def normal(*shape: int, std: float = 0.2) -> NDArray[np.float32]:
        return draw.normal(0, std, shape).astype(np.float32)

    layers: Layers = {}
    for number, (channels, kernel, _) in enumerate(stack, start=1):
        spread = (2 / (kernel * kernel * inputs)) ** 0.5
        layers[f"{prefix}Conv_{number:02d}"] = {
            "kernel": normal(kernel, kernel, inputs, channels, std=spread),
            "bias": normal(channels),
        }
        if number > bare:
            layers[f"{prefix}BNorm_{number:02d}"] = {
                "gamma": 1 + normal(channels),
                "beta": normal(channels),
                "moving_mean": normal(channels),
                "moving_variance": draw.uniform(0.5, 1.5, channels).astype(np.float32),
            }
        inputs = channels
    count = inputs * cells
    layers[f"{prefix}Decision"] = {"kernel": normal(count, 1, std=count**-0.5), "bias": normal(1)}
    return layers


def write_keras_file(path: Path, layers: Layers, *, whole_model: bool = True, scope: str = "") -> Path:
    """Write layers as Keras 2.4 saves them: a whole model with its optimiser, or weights only.

    `scope` is appended to the inner group, as after loading and saving again.
    """
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if whole_model else file
        group.attrs["keras_version"], group.attrs["backend"] = b"2.4.0", b"tensorflow"
        group.attrs["layer_names"] = np.array([name.encode() for name in ("dInput", *layers, "dRelu_01")])
        for empty in ("dInput", "dRelu_01"):
            group.create_group(empty).attrs["weight_names"] = np.zeros(0)
        for layer, weights in layers.items():
            names = [f"{layer}{scope}/{name}:0" for name in weights]
            group.create_group(layer).attrs["weight_names"] = np.array([name.encode() for name in names])
            for name, values in zip(names, weights.values(), strict=True):
                group[layer].create_dataset(name, values.shape, values.dtype)[...] = values
        if whole_model:
            file.attrs["model_config"] = b'{"class_name": "Functional"}'
            optimizer = file.create_group("optimizer_weights")
            optimizer.create_dataset("Adam/iter:0", data=np.int64(7020))
            optimizer.create_dataset("Adam/dConv_01/kernel/m:0", data=np.zeros((3, 3, 3, 3), dtype=np.float32))
    return path


def keras_logits(layers: Layers, images: Array, prefix: str) -> Array:
    """What Keras computes before the sigmoid of one module.

    Args:
        layers: as `make_keras_layers` gives them.
        images: preprocessed, (N, H, W, C).
        prefix: `d`, or that of a secondary module.
    """
    maps = _run(layers, images, "d", PRIMARY if prefix == "d" else PRIMARY[:BRANCH])
    if prefix != "d":
        maps = _run(layers, maps, prefix, SECONDARY)
    decision = layers[f"{prefix}Decision"]
    pooled = maps.mean(axis=(1, 2)) if len(decision["kernel"]) == maps.shape[-1] else maps.reshape(len(maps), -1)
    weights = decision["kernel"][:, 0].astype(np.float64)
    return np.asarray(pooled @ weights + decision["bias"][0], dtype=np.float64)


def _run(layers: Layers, maps: Array, prefix: str, stack: Sequence[tuple[int, int, int]]) -> Array:
    for number, (_, kernel, stride) in enumerate(stack, start=1):
        conv = layers[f"{prefix}Conv_{number:02d}"]
        maps = _same_convolution(maps, conv["kernel"].astype(np.float64), kernel, stride) + conv["bias"]
        norm = layers.get(f"{prefix}BNorm_{number:02d}")
        if norm:
            scale = norm["gamma"] / np.sqrt(norm["moving_variance"].astype(np.float64) + EPSILON)
            maps = (maps - norm["moving_mean"]) * scale + norm["beta"]
        maps = np.maximum(maps, 0)
    return maps


def _same_convolution(maps: Array, weights: Array, kernel: int, stride: int) -> Array:
    """TensorFlow's "same": as many cells as ceil(size / stride); of an odd margin the larger half goes below and right."""
    size = maps.shape[1]
    out = -(-size // stride)
    margin = max((out - 1) * stride + kernel - size, 0)
    before = margin // 2
    padded = np.pad(maps, ((0, 0), (before, margin - before), (before, margin - before), (0, 0)))
    result = np.zeros((len(maps), out, out, weights.shape[3]))
    for y in range(kernel):
        for x in range(kernel):
            result += padded[:, y : y + out * stride : stride, x : x + out * stride : stride][:, :out, :out] @ weights[y, x]
    return result


def published_pixels(images: Sequence[Pixels]) -> Array:
    """The published preprocessing of RGB images: (N, H, W, 3) in [-1, 1]."""
    return np.stack(images).astype(np.float64) / 127.5 - 1


def published_dct(images: Sequence[Pixels], mean: Array, std: Array) -> Array:
    """The published preprocessing of grey spectra: (N, H, W, 1); the transform as a matrix."""
    size = len(mean)
    k, n = np.mgrid[0:size, 0:size]
    basis = np.sqrt(2 / size) * np.cos(np.pi * k * (2 * n + 1) / (2 * size))
    basis[0] /= np.sqrt(2)
    spectra = [basis @ np.asarray(Image.fromarray(image).convert("L"), dtype=np.float64) @ basis.T for image in images]
    normal: Array = (np.log(np.abs(np.stack(spectra)) + 1e-12) - mean) / std
    return normal[..., np.newaxis]


def write_statistics(folder: Path, size: int, *, seed: int = 0) -> tuple[Array, Array]:
    """Write mean and standard deviation as the published code commits them, in float64, and return them."""
    draw = np.random.default_rng(seed)
    mean, std = draw.normal(3, 1, (size, size)), draw.uniform(0.3, 1.4, (size, size))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "mean.npy", mean)
    np.save(folder / "std_dev.npy", std)
    return mean, std
