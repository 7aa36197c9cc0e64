"""A primary's tensors as they travel: weights, which are trained, apart from statistics of batch norm, which are measured."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads_shared.architectures import Shape, get_architecture
from manyheads_shared.artifact import Tensors, primary_tensors
from manyheads_shared.digest import Digest
from manyheads_shared.federation.plan import Plan

MEAN, VARIANCE = ".running_mean", ".running_var"


def is_statistic(name: str) -> bool:
    """Whether a tensor is measured rather than trained."""
    return name.endswith((MEAN, VARIANCE))


def declared_shapes(plan: Plan) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """Names and shapes of weights and of statistics, as the plan's architecture declares them."""
    shapes = primary_tensors(get_architecture(plan.architecture), plan.preprocessing.image_size)
    return (
        {name: shape for name, shape in shapes.items() if not is_statistic(name)},
        {name: shape for name, shape in shapes.items() if is_statistic(name)},
    )


def flatten(tensors: Tensors, names: Sequence[str]) -> NDArray[np.float64]:
    """All numbers of the named tensors in one row, float64 (d,)."""
    return np.concatenate([tensors[name].ravel().astype(np.float64) for name in names])


def unflatten(row: NDArray[np.float64], shapes: Mapping[str, Shape]) -> dict[str, NDArray[np.float32]]:
    """The inverse of `flatten` for names and shapes in order; float32."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(row, ends[:-1])
    return {name: part.reshape(shape).astype(np.float32) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def digest_tensors(tensors: Tensors) -> Digest:
    """The name of a set of tensors: the sha256 over name, shape and little-endian float32 numbers of each, sorted by name."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {','.join(map(str, tensor.shape))}\n".encode())
        found.update(np.ascontiguousarray(tensor, dtype="<f4").tobytes())
    return Digest(f"sha256:{found.hexdigest()}")
