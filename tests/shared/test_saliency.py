import numpy as np
import pytest
import torch

from manyheads_shared.architectures import ARCHITECTURES, Architecture
from manyheads_shared.networks import Head, build_head
from manyheads_shared.saliency import class_activation_map
from tests.support.makers import SIZE


def _awake_head(architecture: Architecture) -> tuple[Head, torch.Tensor]:
    head = build_head(architecture, SIZE, seed=2).eval()
    torch.nn.init.constant_(head.decision.bias, 0.7)
    side = architecture.feature_size(SIZE)
    features = torch.randn(3, architecture.feature_channels, side, side, generator=torch.Generator().manual_seed(0)) * 20
    return head, head.maps(features)


@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES.values() if a.readout == "gap"], ids=lambda a: a.name)
@torch.inference_mode()
def test_with_global_average_pooling_the_map_averages_to_the_logit(architecture: Architecture) -> None:
    head, maps = _awake_head(architecture)
    saliency = class_activation_map(head, maps)

    assert saliency.shape == (3, *maps.shape[2:])
    np.testing.assert_allclose(saliency.mean(dim=(1, 2)) + 0.7, head.read_out(maps), rtol=1e-5)


@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES.values() if a.readout == "flatten"], ids=lambda a: a.name)
@torch.inference_mode()
def test_with_flatten_the_map_sums_to_the_logit(architecture: Architecture) -> None:
    head, maps = _awake_head(architecture)
    saliency = class_activation_map(head, maps)

    assert saliency.shape == (3, *maps.shape[2:])
    np.testing.assert_allclose(saliency.sum(dim=(1, 2)) + 0.7, head.read_out(maps), rtol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=lambda a: a.name)
def test_the_map_is_the_gradient_times_the_maps(architecture: Architecture) -> None:
    head, maps = _awake_head(architecture)
    maps = maps.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(head.read_out(maps).sum(), maps)
    cells = maps.shape[2] * maps.shape[3] if architecture.readout == "gap" else 1
    expected = (gradient * maps).sum(dim=1) * cells

    np.testing.assert_allclose(class_activation_map(head, maps).detach(), expected.detach(), rtol=1e-4, atol=1e-6)


@torch.inference_mode()
def test_a_map_shows_where_the_evidence_lies() -> None:
    head = build_head(ARCHITECTURES["khoo2022-pixel"], None, seed=0).eval()
    maps = torch.zeros(1, 32, 8, 8)
    maps[0, :, 6, 1] = torch.sign(head.decision.weight[0])

    assert int(class_activation_map(head, maps)[0].argmax()) == 6 * 8 + 1
