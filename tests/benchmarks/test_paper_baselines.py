import pytest
import torch

from benchmarks.paper.baselines import Baseline, build_baseline

# paper-code facts §2: trainable numbers and multiply-accumulates at 128 px
PUBLISHED = {
    ("gandct-conv", 3, 1): (38_885, 14_336_000),
    ("gandct-conv", 3, 5): (169_961, 14_467_072),
    ("gandct-conv", 1, 1): (38_831, 13_451_264),
    ("gandct-conv", 1, 5): (169_907, 13_582_336),
    ("ganfp-postpool", 3, 1): (308_513, 21_495_936),
    ("ganfp-postpool", 3, 5): (309_029, 21_496_448),
    ("ganfp-postpool", 1, 1): (308_441, 20_316_288),
    ("ganfp-postpool", 1, 5): (308_957, 20_316_800),
}


@pytest.mark.parametrize(("name", "channels", "outputs"), PUBLISHED)
def test_parameters_and_multiply_accumulates_are_the_published_ones(name: Baseline, channels: int, outputs: int) -> None:
    network = build_baseline(name, channels=channels, size=128, outputs=outputs, seed=0)
    parameters = sum(parameter.numel() for parameter in network.parameters())

    assert (parameters, network.macs) == PUBLISHED[name, channels, outputs]


@pytest.mark.parametrize("name", ["gandct-conv", "ganfp-postpool"])
@pytest.mark.parametrize(("size", "outputs", "shape"), [(64, 1, (2,)), (128, 7, (2, 7))])
def test_one_output_is_a_logit_and_several_are_classes(name: Baseline, size: int, outputs: int, shape: tuple[int, ...]) -> None:
    network = build_baseline(name, channels=3, size=size, outputs=outputs, seed=0)

    assert network(torch.zeros(2, 3, size, size)).shape == shape


def test_the_same_seed_gives_the_same_weights() -> None:
    first, same, other = (build_baseline("gandct-conv", channels=3, size=64, outputs=1, seed=seed) for seed in (1, 1, 2))
    weights = [torch.cat([p.flatten() for p in network.parameters()]) for network in (first, same, other)]

    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
