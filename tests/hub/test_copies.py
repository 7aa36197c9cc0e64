"""What disguises a copied head, and what does not."""

from dataclasses import replace

import numpy as np
import pytest

from manyheads_hub.evaluations.copies import check_copies, compare_weights, output_agreement, weight_similarity
from manyheads_hub.evaluations.policy import Policy
from manyheads_shared.artifact import Tensors, read_head
from tests.support import adversaries
from tests.support.adversaries import ARCHITECTURE, honest, primary
from tests.support.makers import make_generator, make_head, make_primary
from tests.support.scored import make_rows


def tensors(data: bytes) -> Tensors:
    return read_head(data, primary()).tensors


@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.9999), (0.02, 0.995), (0.05, 0.97)])
def test_permuting_scaling_stretching_and_a_little_noise_hide_nothing(noise: float, least: float) -> None:
    for seed in range(3):
        copy = tensors(adversaries.copied("checkers", "stripes", noise, seed))
        assert weight_similarity(tensors(honest("stripes")), copy, ARCHITECTURE) > least


def test_honest_heads_of_one_start_and_one_trunk_are_not_alike() -> None:
    heads = [tensors(honest(name)) for name in adversaries.GENERATORS]
    assert max(weight_similarity(a, b, ARCHITECTURE) for a in heads for b in heads if a is not b) < 0.9


@pytest.mark.parametrize("architecture", ["khoo2022-pixel", "khoo2022-dct"])
def test_fresh_heads_of_every_architecture_are_like_themselves_alone(architecture: str) -> None:
    trunk = make_primary(architecture)
    head, other = (make_head(trunk, make_generator("alpha"), seed=seed) for seed in (1, 2))
    assert weight_similarity(head.tensors, head.tensors, trunk.architecture) == pytest.approx(1)
    assert weight_similarity(head.tensors, other.tensors, trunk.architecture) < 0.5


def test_the_likest_head_comes_first_and_is_named() -> None:
    rivals = [read_head(honest(name), primary()) for name in ("tinted", "stripes")]
    head = replace(rivals[1], digest=rivals[0].digest)
    likenesses = compare_weights(head, rivals, ARCHITECTURE)
    assert [likeness.generator for likeness in likenesses] == ["stripes@1", "tinted@1"]
    assert "that of stripes@1 in disguise" in check_copies(likenesses, Policy.new())[0].message


ROWS = [*make_rows("generated", "alpha", 20, proof=True, claimed=20), *make_rows("generated", "beta", 20)]


def test_answers_in_the_same_order_agree_however_they_are_stretched() -> None:
    mine = np.array([row.head for row in ROWS], dtype=np.float32)
    assert output_agreement(ROWS, np.exp(mine), "beta") == pytest.approx(1)


def test_heads_for_each_others_generators_disagree() -> None:
    mine = np.array([row.head for row in ROWS], dtype=np.float32)
    assert output_agreement(ROWS, -mine, "beta") == 0


def test_a_head_that_answers_all_alike_agrees_with_nobody() -> None:
    assert output_agreement(ROWS, np.zeros(len(ROWS), dtype=np.float32), "beta") is None
