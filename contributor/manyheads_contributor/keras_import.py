"""Primaries and heads of the published code's Keras files, as weights ready to be packaged.

Every file with a head brings a copy of its frozen primary, so whether a head belongs to a primary is seen in the numbers. What
is not in the file is asked for: the size of a pixel network's images, and the statistics of a dct network's coefficients.
"""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from manyheads_contributor.artifacts import HeadWeights, PrimaryWeights
from manyheads_contributor.keras_network import KerasNetwork
from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.compute import software
from manyheads_shared.document import explain
from manyheads_shared.errors import FormatError, UsageError, VerificationError
from manyheads_shared.manifest import Preprocessing, Training

DEFAULT_IMAGE_SIZE = 128  # pixels a side: the published code's for its first data set
MEAN, STD = "mean.npy", "std_dev.npy"  # names in the published code's statistics folders


class KerasPrimaryError(VerificationError):
    """The primary inside a Keras file is not the one its head is imported for."""


class StatisticsError(FormatError):
    """The statistics of a dct network are not what the published code computes: one number for each coefficient."""


def import_primary(network: KerasNetwork, *, image_size: int | None, statistics: Path | None) -> PrimaryWeights:
    """Return the primary of a file.

    Args:
        network: the file.
        image_size: pixels a side, for a network that takes any; None is 128. A dct network has its own.
        statistics: folder with `mean.npy` and `std_dev.npy`, dct only.

    Raises:
        UsageError: statistics for a pixel network, none for a dct one, or an image size that it cannot have.
        StatisticsError: they are not one finite number for each coefficient.
    """
    name, representation = network.file.name, network.architecture.representation
    own = network.image_size
    size = image_size or (DEFAULT_IMAGE_SIZE if own is None else own)
    if own not in (None, size):
        raise UsageError(f"{name}: a dct network works at one image size, this one at {own}; leave --image-size out")
    try:
        preprocessing = Preprocessing(representation=representation, image_size=size, fit="resize")
    except ValidationError as error:
        raise UsageError(f"{name}: images of {size} pixels a side: {explain(error)}") from error
    tensors = dict(network.primary)
    if representation == "dct":
        if statistics is None:
            raise UsageError(
                f"{name}: a dct network needs the statistics it was trained with: --statistics FOLDER, with {MEAN} and {STD}"
            )
        tensors |= {
            "preprocessing.mean": read_statistic(statistics / MEAN, size),
            "preprocessing.std": read_statistic(statistics / STD, size),
        }
    elif statistics is not None:
        raise UsageError(f"{name}: a pixel network has no statistics; leave --statistics out")
    return PrimaryWeights(network.architecture.name, preprocessing, tensors, describe_training(network))


def import_head(network: KerasNetwork, primary: PrimaryArtifact, *, secondary: int | None) -> HeadWeights:
    """Return a head of a file, for the primary that the same file brings a copy of.

    Args:
        network: the file.
        primary: the artifact that was imported from the same primary.
        secondary: which module, from 1; None is the only one.

    Raises:
        UsageError: the file holds no such secondary module, or several and none was chosen.
        KerasPrimaryError: the file's primary differs from `primary`, be it in one bit.
    """
    _verify_primary(network, primary)
    known = ", ".join(network.secondaries) or "none"
    prefix = next(iter(network.secondaries), "a") if secondary is None else f"a{secondary}"
    if prefix not in network.secondaries or (secondary is None and len(network.secondaries) > 1):
        wanted = "one secondary module, or --secondary N to choose" if secondary is None else f"secondary module {prefix}"
        raise UsageError(f"{network.file.name}: expected {wanted}; the file holds {known}")
    return HeadWeights(network.architecture.name, primary.digest, network.secondaries[prefix], describe_training(network))


def describe_training(network: KerasNetwork) -> Training:
    """Say what is known of how imported weights came to be: the file they are from, and nothing more (manifest.md, M4)."""
    return Training(
        recipe=network.file.digest,
        seed=0,
        epochs=0,
        images=0,
        precision="float32",
        device="not known: imported weights",
        software=f"imported from a Keras file with {software()}, h5py {h5py.__version__}",
    )


def read_statistic(path: Path, size: int) -> NDArray[np.float32]:
    """Read one number for each coefficient, (size, size), from a .npy file of float64 or float32.

    Raises:
        UsageError: there is no such file.
        StatisticsError: not such an array.
    """
    try:
        # mapped: a header cannot claim more than the file has, and nothing is unpickled
        values = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise UsageError(f"{path}: expected the statistics of a dct network: {error.strerror or error}") from error
    except (ValueError, OverflowError) as error:
        raise StatisticsError(f"{path}: expected a .npy file of numbers: {error}") from error
    if values.shape != (size, size) or values.dtype not in (np.float64, np.float32):
        raise StatisticsError(
            f"{path}: expected {size}x{size} numbers in float64, one for each coefficient of the network's images, "
            f"got {values.dtype} of shape {values.shape}"
        )
    with np.errstate(over="ignore"):
        single = np.array(values, dtype=np.float32)
    if not np.isfinite(single).all():
        raise StatisticsError(f"{path}: expected finite numbers in the range of float32, got NaN, infinity or more")
    return single


def _verify_primary(network: KerasNetwork, primary: PrimaryArtifact) -> None:
    """Compare a file's copy of its primary with an artifact, bit by bit."""
    own = {name: tensor for name, tensor in primary.tensors.items() if not name.startswith("preprocessing.")}
    advice = (
        "A head works on exactly one primary. Import this file's own with `import-keras --name` (without --generator), "
        "and name that with --primary."
    )
    if own.keys() != network.primary.keys() or network.architecture != primary.architecture:
        raise KerasPrimaryError(
            f"{network.file.name}: expected a head on {primary.architecture.name}, got one on {network.architecture.name}. "
            f"{advice}"
        )
    different = [
        name
        for name, tensor in network.primary.items()
        if (tensor.shape, tensor.tobytes()) != (own[name].shape, own[name].tobytes())
    ]
    if different:
        raise KerasPrimaryError(
            f"{network.file.name}: expected a head trained on primary {primary.digest}, got one whose frozen primary differs "
            f"in {len(different)} of {len(own)} tensors, first in {different[0]}. {advice}"
        )
