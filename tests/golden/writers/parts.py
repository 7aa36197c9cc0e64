"""Small things that golden files are made of."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from securesystemslib.signer import CryptoSigner

from manyheads_shared.artifact import PrimaryArtifact, Tensors, read_primary, write_head, write_primary
from manyheads_shared.compute import choose_compute
from manyheads_shared.lanes import measure_probe
from manyheads_shared.manifest import Generator
from manyheads_shared.networks import load_primary
from manyheads_shared.preprocess import Preprocessor
from tests.support.makers import make_head, make_primary


def write_once(files: Mapping[Path, bytes]) -> None:
    """Write golden files.

    Raises:
        FileExistsError: one is there; golden files are never written again.
    """
    for path, data in files.items():
        path.parent.mkdir(exist_ok=True)
        with path.open("xb") as stream:
            stream.write(data)


def signer(byte: int) -> CryptoSigner:
    """A key that anyone can make again: it protects nothing."""
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes([byte]) * 32))


def _awake(tensors: Tensors) -> dict[str, NDArray[np.float32]]:
    """Weights of a size that features survive, as after training (He et al. 2015)."""
    return {
        name: tensor * np.float32(np.sqrt(2 / tensor[0].size) / 0.02) if tensor.ndim in (2, 4) and "weight" in name else tensor
        for name, tensor in tensors.items()
    }


def primary_bytes(architecture: str, size: int, seed: int = 2022) -> bytes:
    """A primary with weights as after training, and the probe that belongs to them."""
    asleep = make_primary(architecture, seed=seed, size=size)
    awake = read_primary(write_primary(asleep.manifest, _awake(asleep.tensors)))
    probe = measure_probe(load_primary(awake), Preprocessor.of(awake), choose_compute("cpu", "float32"))
    return write_primary(awake.manifest.model_copy(update={"probe": probe}), awake.tensors)


def head_bytes(primary: PrimaryArtifact, generator: Generator) -> bytes:
    """A head for it, likewise."""
    asleep = make_head(primary, generator)
    return write_head(asleep.manifest, _awake(asleep.tensors), primary)
