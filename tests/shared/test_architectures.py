from itertools import pairwise

import pytest

from manyheads_shared.architectures import ARCHITECTURES, Architecture, get_architecture, parameter_count
from manyheads_shared.errors import ManifestError

# paper-code facts §1.2: trunk, head, primary, primary and one secondary; trainable numbers, then multiply-accumulates
PUBLISHED = {
    ("khoo2022-pixel", 128): ((5_836, 21_217, 27_053, 48_270), (11_812_864, 8_912_928, 20_725_792, 29_638_720)),
    ("khoo2022-pixel", 256): ((5_836, 21_217, 27_053, 48_270), (47_251_456, 35_651_616, 82_903_072, 118_554_688)),
    ("khoo2022-dct", 128): ((5_782, 29_377, 35_159, 64_536), (10_928_128, 8_921_088, 19_849_216, 28_770_304)),
    ("khoo2022-dct", 256): ((5_782, 53_953, 59_735, 113_688), (43_712_512, 35_684_352, 79_396_864, 115_081_216)),
}

every = pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=lambda a: a.name)


@pytest.mark.parametrize(("name", "size"), PUBLISHED)
def test_parameter_counts_are_the_published_ones(name: str, size: int) -> None:
    architecture = get_architecture(name)
    trunk = parameter_count(architecture.trunk_tensors())
    head = parameter_count(architecture.head_tensors(size))

    assert PUBLISHED[name, size][0] == (trunk, head, trunk + head, trunk + 2 * head)


@pytest.mark.parametrize(("name", "size"), PUBLISHED)
def test_multiply_accumulates_are_the_published_ones(name: str, size: int) -> None:
    architecture = get_architecture(name)
    trunk, head = architecture.trunk_macs(size), architecture.head_macs(size)

    assert PUBLISHED[name, size][1] == (trunk, head, trunk + head, trunk + 2 * head)


def test_four_heads_on_one_trunk_cost_what_the_paper_says() -> None:
    architecture = get_architecture("khoo2022-pixel")

    assert architecture.trunk_macs(128) + 5 * architecture.head_macs(128) == 56_377_504
    assert 5 * (architecture.trunk_macs(128) + architecture.head_macs(128)) == 103_628_960


@pytest.mark.parametrize(("size", "expected"), [(128, 32), (256, 64), (16, 4)])
def test_features_of_the_reference_network_are_a_quarter_of_the_image(size: int, expected: int) -> None:
    assert get_architecture("khoo2022-pixel").feature_size(size) == expected
    assert get_architecture("khoo2022-pixel").feature_channels == 16


def test_running_statistics_are_stored_and_not_counted_as_parameters() -> None:
    tensors = get_architecture("khoo2022-pixel").trunk_tensors()
    statistics = {name: shape for name, shape in tensors.items() if "running" in name}

    assert sum(shape[0] for shape in statistics.values()) == 80


@every
def test_the_key_is_the_name(architecture: Architecture) -> None:
    assert ARCHITECTURES[architecture.name] is architecture


@every
def test_channels_meet_from_image_to_decision(architecture: Architecture) -> None:
    stack = (*architecture.trunk, *architecture.head)

    assert architecture.image_channels == {"pixel": 3, "dct": 1}[architecture.representation]
    assert all(before.channels_out == after.channels_in for before, after in pairwise(stack))


def test_a_flatten_read_out_without_a_size_is_refused() -> None:
    with pytest.raises(ManifestError, match="one fixed image size"):
        get_architecture("khoo2022-dct").head_tensors(None)


def test_an_undeclared_architecture_is_refused_by_name() -> None:
    with pytest.raises(ManifestError, match=r"khoo2022-pixel.*got 'resnet'"):
        get_architecture("resnet")
