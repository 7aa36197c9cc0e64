"""The networks: trunk, detector and heads, built from a declared architecture and loaded from artifacts.

Shapes, for N images of S x S pixels and the reference network: images float32 (N, 3, S, S); features float32
(N, 16, S/4, S/4); maps float32 (N, 32, S/8, S/8); logits float32 (N,). Running many heads at once is for `scoring`.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from manyheads_shared.architectures import PADDING, Architecture, Conv
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact
from manyheads_shared.compute import Compute
from manyheads_shared.errors import PrimaryMismatchError

_COUNTER = "num_batches_tracked"  # torch's own; no weight, and unused with a fixed momentum


class Head(nn.Module):
    """The module above the branch point: the detector and every head are one each.

    The read-out is linear in the maps, so `maps` and `decision` give the logit and its exact localisation
    (`manyheads_shared.saliency`).
    """

    def __init__(self, architecture: Architecture, image_size: int | None) -> None:
        super().__init__()
        self.architecture = architecture
        self.stack = _build_stack(architecture.head, architecture)
        inputs = architecture.head_tensors(image_size)["decision.weight"][1]
        self.decision = nn.Linear(inputs, 1)
        _initialise(self, architecture.init_std)

    def maps(self, features: Tensor) -> Tensor:
        """Last feature maps, (N, C, h, w), from features (N, C', H, W)."""
        maps: Tensor = self.stack(features)
        return maps

    def read_out(self, maps: Tensor) -> Tensor:
        """Logits (N,) from maps (N, C, h, w)."""
        pooled = maps.mean(dim=(2, 3)) if self.architecture.readout == "gap" else maps.flatten(1)
        logits: Tensor = self.decision(pooled)
        return logits.squeeze(1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N,) from features (N, C', H, W)."""
        return self.read_out(self.maps(features))


class Primary(nn.Module):
    """Trunk and detector."""

    def __init__(self, architecture: Architecture, image_size: int | None) -> None:
        super().__init__()
        self.architecture = architecture
        self.trunk = _build_stack(architecture.trunk, architecture)
        _initialise(self.trunk, architecture.init_std)
        self.detector = Head(architecture, image_size)

    def forward(self, images: Tensor) -> Tensor:
        """Detector logits (N,) from preprocessed images (N, C, S, S)."""
        logits: Tensor = self.detector(self.trunk(images))
        return logits


def build_primary(architecture: Architecture, image_size: int | None, *, seed: int) -> Primary:
    """Return a fresh primary; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Primary(architecture, image_size)


def build_head(architecture: Architecture, image_size: int | None, *, seed: int) -> Head:
    """Return a fresh head; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Head(architecture, image_size)


def load_primary(artifact: PrimaryArtifact) -> Primary:
    """Return the frozen primary of an artifact: inference mode, no gradients."""
    network = Primary(artifact.architecture, artifact.manifest.preprocessing.image_size)
    set_primary_tensors(network, artifact.tensors)
    return network.eval().requires_grad_(requires_grad=False)


def set_primary_tensors(primary: Primary, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Give a primary tensors by their declared names: the inverse of `primary_tensors`."""
    for part, module in (("trunk", primary.trunk), ("detector", primary.detector)):
        _load(module, {name.removeprefix(f"{part}."): tensors[name] for name in tensors if name.startswith(f"{part}.")})


def load_head(head: HeadArtifact, primary: PrimaryArtifact) -> Head:
    """Return the frozen head of an artifact: inference mode, no gradients.

    Raises:
        PrimaryMismatchError: the head was read for another primary.
    """
    if head.manifest.primary != primary.digest:
        raise PrimaryMismatchError(head.manifest.generator.title, head.manifest.primary, primary.digest)
    network = Head(primary.architecture, primary.manifest.preprocessing.image_size)
    _load(network, head.tensors)
    return network.eval().requires_grad_(requires_grad=False)


def head_tensors(head: Head) -> dict[str, NDArray[np.float32]]:
    """Return a head's tensors under their declared names, float32."""
    return {
        _declared(name): tensor.detach().to("cpu", torch.float32).contiguous().numpy().copy()
        for name, tensor in head.state_dict().items()
        if not name.endswith(_COUNTER)
    }


def primary_tensors(primary: Primary) -> dict[str, NDArray[np.float32]]:
    """Return a primary's tensors under their declared names, float32 (a dct primary's statistics are not among them)."""
    trunk = {
        f"trunk.{name}": tensor.detach().to("cpu", torch.float32).contiguous().numpy().copy()
        for name, tensor in primary.trunk.state_dict().items()
        if not name.endswith(_COUNTER)
    }
    return trunk | {f"detector.{name}": tensor for name, tensor in head_tensors(primary.detector).items()}


@torch.no_grad()
def remeasure_batch_norm(network: nn.Module, inputs: Iterable[Tensor], compute: Compute) -> None:
    """Replace the running statistics of batch norm by the plain mean of those of some batches, with the weights as they are."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for a plain mean
    network.train()
    with compute.arithmetic():
        for batch in inputs:
            network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _build_stack(stack: tuple[Conv, ...], architecture: Architecture) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, conv in enumerate(stack, start=1):
        layers[f"conv{i}"] = nn.Conv2d(conv.channels_in, conv.channels_out, conv.kernel, conv.stride, PADDING)
        if conv.batch_norm:
            layers[f"norm{i}"] = nn.BatchNorm2d(
                conv.channels_out, eps=architecture.batch_norm_eps, momentum=architecture.batch_norm_momentum
            )
        layers[f"relu{i}"] = nn.ReLU()
    return nn.Sequential(layers)


def _initialise(module: nn.Module, std: float) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _declared(name: str) -> str:
    return name.removeprefix("stack.")


def _load(module: nn.Module, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Copy declared tensors in; the artifact reader has already refused any other set."""
    own = {name: name for name in module.state_dict() if not name.endswith(_COUNTER)}
    state = {name: torch.from_numpy(tensors[_declared(name)].copy()) for name in own}
    missing, unexpected = module.load_state_dict(state, strict=False)
    if unexpected or any(not name.endswith(_COUNTER) for name in missing):
        raise RuntimeError(f"networks and artifact disagree: missing {missing}, unexpected {unexpected}")
