import numpy as np
import pytest
import torch

from manyheads_shared import networks
from manyheads_shared.architectures import ARCHITECTURES, Architecture
from manyheads_shared.artifact import primary_tensors
from manyheads_shared.errors import PrimaryMismatchError
from tests.support.makers import SIZE, make_head, make_primary

every = pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=lambda a: a.name)


@every
def test_a_primary_holds_exactly_the_declared_tensors(architecture: Architecture) -> None:
    built = networks.primary_tensors(networks.build_primary(architecture, SIZE, seed=0))
    declared = primary_tensors(architecture, SIZE)

    assert {n: t.shape for n, t in built.items()} == {n: s for n, s in declared.items() if not n.startswith("preprocessing.")}


@every
def test_a_head_holds_exactly_the_declared_tensors(architecture: Architecture) -> None:
    built = networks.head_tensors(networks.build_head(architecture, SIZE, seed=0))

    assert {name: tensor.shape for name, tensor in built.items()} == architecture.head_tensors(SIZE)
    assert {tensor.dtype for tensor in built.values()} == {np.dtype(np.float32)}


@every
def test_trainable_numbers_in_torch_are_those_declared(architecture: Architecture) -> None:
    head = networks.build_head(architecture, SIZE, seed=0)
    declared = {name: shape for name, shape in architecture.head_tensors(SIZE).items() if "running" not in name}

    assert sum(p.numel() for p in head.parameters()) == sum(int(np.prod(shape)) for shape in declared.values())


@every
@pytest.mark.parametrize("size", [32, 64])
def test_features_and_logits_have_the_declared_shapes(architecture: Architecture, size: int) -> None:
    primary = networks.build_primary(architecture, size, seed=0).eval()
    features = primary.trunk(torch.zeros(2, architecture.image_channels, size, size))
    side = architecture.feature_size(size)

    assert features.shape == (2, architecture.feature_channels, side, side)
    assert primary.detector(features).shape == (2,)


def _reach(network: torch.nn.Module, size: int) -> int:
    """Pixels a side that the middle cell of an output depends on."""
    image = torch.zeros(1, 3, size, size, requires_grad=True)
    maps = network(image)
    middle = maps.shape[-1] // 2
    maps[0, :, middle, middle].sum().backward()
    assert image.grad is not None
    rows = torch.nonzero(image.grad.abs().sum(dim=(0, 1, 3)))
    return int(rows.max() - rows.min()) + 1


def test_receptive_fields_of_the_reference_network_are_16_and_36_pixels() -> None:
    primary = networks.build_primary(ARCHITECTURES["khoo2022-pixel"], None, seed=0).eval()
    for layer in primary.modules():  # positive weights and no dead ReLU: every path is open
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.constant_(layer.weight, 0.1)
            torch.nn.init.constant_(layer.bias, 0.1)  # type: ignore[arg-type]  # every convolution here has one

    assert _reach(primary.trunk, 96) == 16
    assert _reach(torch.nn.Sequential(primary.trunk, primary.detector.stack), 96) == 36


@every
def test_the_same_seed_gives_the_same_weights_and_leaves_torch_alone(architecture: Architecture) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again = (networks.build_primary(architecture, SIZE, seed=3).state_dict() for _ in range(2))
    other = networks.build_primary(architecture, SIZE, seed=4).state_dict()

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["trunk.conv1.weight"], other["trunk.conv1.weight"])
    assert torch.equal(before, torch.get_rng_state())


def test_weights_start_as_published() -> None:
    primary = networks.build_primary(ARCHITECTURES["khoo2022-pixel"], None, seed=0)
    norm = primary.detector.stack.norm1
    assert isinstance(norm, torch.nn.BatchNorm2d)

    assert primary.detector.stack.conv2.weight.std().item() == pytest.approx(0.02, rel=0.05)  # type: ignore[operator, union-attr]
    assert primary.detector.decision.bias.abs().max() == 0
    assert (norm.eps, norm.momentum) == (1e-3, 0.01)


@pytest.mark.parametrize("name", ["khoo2022-pixel", "khoo2022-dct"])
def test_what_is_written_is_what_is_loaded(name: str) -> None:
    artifact = make_primary(name)
    loaded = networks.primary_tensors(networks.load_primary(artifact))

    assert all(np.array_equal(loaded[key], artifact.tensors[key]) for key in loaded)


def test_loaded_networks_are_frozen_and_in_inference_mode() -> None:
    primary = make_primary()

    for network in (networks.load_primary(primary), networks.load_head(make_head(primary), primary)):
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert not any(module.training for module in network.modules())


def test_a_head_read_for_another_primary_is_not_loaded() -> None:
    head = make_head(make_primary(seed=0))

    with pytest.raises(PrimaryMismatchError):
        networks.load_head(head, make_primary(seed=9))
