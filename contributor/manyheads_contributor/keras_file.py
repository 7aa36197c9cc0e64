"""The weights in a Keras .h5 file, as plain arrays. Nothing else in it is read: no configuration, no optimiser, no code.

Keras writes LAYER/INNER/WEIGHT, like `dConv_01/dConv_01/kernel:0`, under `model_weights` for a whole model and at the root for
weights only. HDF5 can do far more, and a file may come from a stranger: links out of the file, data that stands elsewhere,
compressed or of any type are refused, not followed. What the layers mean is for `manyheads_contributor.keras_import`.

    KerasFileError                not a Keras file, or one that does what Keras does not
    ├── KerasLayerError           a layer or weight is missing, or one is there that the network does not have
    └── KerasWeightError          a weight is not float32, or of another shape
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import FormatError, UsageError

MAX_FILE_BYTES = 1 << 30  # the published files have up to 611 kB; a dct network for 4096 pixels about 200 MB
MAX_LINKS = 10_000  # a file with one head has about 100 groups and datasets
MAX_DEPTH = 4  # Keras needs 3: layer, inner scope, weight

_LAYERS = b"model_weights"  # absent in a file of weights only
_OPTIMIZER = b"optimizer_weights"


class KerasFileError(FormatError):
    """Not an HDF5 file as Keras writes it."""


class KerasLayerError(KerasFileError):
    """A weight is missing, or one is there that the published network does not have."""


class KerasWeightError(KerasFileError):
    """A weight is not float32, or of another shape than its layer's."""


@dataclass(frozen=True)
class KerasFile:
    """Every weight of a file."""

    name: str  # of the file, for messages
    digest: Digest  # of its bytes
    weights: dict[str, NDArray[np.float32]]  # by LAYER/WEIGHT, like `dConv_01/kernel`; in Keras's own axis order


def read_keras_file(path: Path) -> KerasFile:
    """Read the weights of a Keras file, a whole model or weights only.

    The plan: (1) a file of a sane size; (2) HDF5; (3) groups and datasets within the limits, and no links but hard ones;
    (4) every dataset float32, whole in this very file and plainly stored; (5) no more of them than the file has bytes.

    Raises:
        UsageError: there is no such file.
        KerasFileError: steps 1 to 3 or 5 fail, or step 4 on how the data is stored.
        KerasWeightError: step 4 fails on the type.
    """
    # step 1
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: expected a Keras .h5 file: {error.strerror or error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise KerasFileError(f"{path.name}: expected a Keras file of at most {MAX_FILE_BYTES} bytes, this one has more")
    # steps 2 to 5; the library has an exception of nearly every kind for a damaged file
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            weights = _read_weights(file, path.name, limit=len(data))
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError) as error:
        raise KerasFileError(
            f"{path.name}: expected an HDF5 file as Keras saves it (.h5), this one cannot be read: {error}. "
            "If it was downloaded, compare its size or digest with the original's."
        ) from error
    return KerasFile(path.name, digest_bytes(data), weights)


def _read_weights(file: h5py.File, name: str, *, limit: int) -> dict[str, NDArray[np.float32]]:
    layers = _hard_linked(file, _LAYERS, name) if file.id.links.exists(_LAYERS) else file
    if not isinstance(layers, h5py.Group):
        raise KerasFileError(f"{name}: expected model_weights to be a group of layers, got a {type(layers).__name__}")
    weights: dict[str, NDArray[np.float32]] = {}
    bytes_left = limit
    for path, dataset in _walk(layers, name):
        # between layer and weight stands a scope, which Keras numbers anew when a model was loaded and saved again
        key = f"{path[0]}/{path[-1].removesuffix(':0')}" if len(path) > 1 else path[0]
        where = f"{name}: weight {key[:80]!r}"
        if key in weights:
            raise KerasFileError(f"{where} is there twice; expected each once. Save the model again in Keras.")
        _refuse_unusual(dataset, where)
        bytes_left -= dataset.nbytes
        if bytes_left < 0:  # links to one dataset under many names
            raise KerasFileError(f"{where}: the weights up to here add up to more than the file's {limit} bytes")
        weights[key] = np.asarray(dataset[()])
    return weights


def _walk(layers: h5py.Group, name: str) -> Iterator[tuple[tuple[str, ...], h5py.Dataset]]:
    """Every dataset below the layers with its path; links in a circle end at the limits."""
    waiting: list[tuple[tuple[str, ...], h5py.Group]] = [((), layers)]
    links = 0
    while waiting:
        path, group = waiting.pop()
        links += len(group)
        if links > MAX_LINKS or len(path) >= MAX_DEPTH:
            raise KerasFileError(
                f"{name}: expected at most {MAX_LINKS} groups and weights, {MAX_DEPTH} levels deep, got more; "
                "this is not a file of the published code"
            )
        for raw in group.id:
            if not path and raw == _OPTIMIZER:
                continue
            child = raw.decode(errors="replace")
            found = _hard_linked(group, raw, name)
            if isinstance(found, h5py.Group):
                waiting.append(((*path, child), found))
            elif isinstance(found, h5py.Dataset):
                yield (*path, child), found
            else:
                raise KerasFileError(f"{name}: expected groups and weights, got a {type(found).__name__} at {child[:80]!r}")


def _hard_linked(group: h5py.Group, child: bytes, name: str) -> object:
    """Return what stands under a name; the library's own look-ups would open the other file to see whether it is there."""
    if group.id.links.get_info(child).type != h5py.h5l.TYPE_HARD:
        raise KerasFileError(
            f"{name}: expected everything to stand in this file, got a link elsewhere at "
            f"{child.decode(errors='replace')[:80]!r}, which is not followed; Keras writes none"
        )
    return group[child]


def _refuse_unusual(dataset: h5py.Dataset, where: str) -> None:
    """Refuse what is not one plain block of float32 in this file."""
    if dataset.dtype != np.float32:
        raise KerasWeightError(
            f"{where}: expected float32, got {str(dataset.dtype)[:80]}. Convert the model to float32 and save it again."
        )
    kinds = {"external": dataset.external, "virtual": dataset.is_virtual, "chunked": dataset.chunks}
    if unusual := [kind for kind, is_so in kinds.items() if is_so]:
        raise KerasFileError(
            f"{where}: expected its numbers in one plain block of this file, as Keras writes them, "
            f"got {unusual[0]} storage. Save the model again in Keras."
        )
    if dataset.shape is None or dataset.id.get_storage_size() != dataset.nbytes:
        raise KerasFileError(
            f"{where}: expected {0 if dataset.shape is None else dataset.nbytes} bytes of numbers, the file holds "
            f"{dataset.id.get_storage_size()}. It was cut off or never written to its end."
        )
