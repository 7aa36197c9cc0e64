from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact, read_head, read_primary, write_head
from manyheads_shared.compute import choose_compute
from manyheads_shared.engine.executors import Separate
from manyheads_shared.errors import FeatureContractError, NonFiniteScoreError, PrimaryMismatchError
from manyheads_shared.lanes import measure_probe
from manyheads_shared.networks import load_primary
from manyheads_shared.preprocess import Preprocessor
from manyheads_shared.scoring import Scorer
from tests.support.makers import make_generator, make_head, make_images, make_primary
from tests.support.overflow import overflow_on
from tests.support.world import GENERATORS, TINTS, draw_images, trained_head, trained_primary

CPU = choose_compute("cpu", "float32")
RTOL = 1e-4  # of logits between 1 and 8; another batch or another path moves them by less than 1e-5
IMAGES = [image for source in TINTS for image in draw_images(source, 2, seed=4)]


def _scorer(heads: int, name: str = "khoo2022-pixel") -> Scorer:
    primary = make_primary(name)
    return Scorer(primary, [make_head(primary, make_generator(f"g{i}"), seed=i + 1) for i in range(heads)], CPU)


def _trained_scorer(name: str = "khoo2022-pixel", precision: str = "float32") -> Scorer:
    """A scorer whose logits say something, so that a wrong one is far from a right one."""
    primary = read_primary(trained_primary("1", name))
    heads = [read_head(trained_head(make_generator(each), "1", name), primary) for each in GENERATORS]
    return Scorer(primary, heads, choose_compute("cpu", precision))


@pytest.mark.parametrize("name", ["khoo2022-pixel", "khoo2022-dct"])
def test_the_logits_of_these_tests_are_large_and_differ_between_images(name: str) -> None:
    logits = _trained_scorer(name).score(IMAGES)

    assert (np.abs(logits).max(axis=0) > 1).all()
    assert (np.ptp(logits, axis=0) > 1).all()


@pytest.mark.parametrize("heads", [0, 1, 5])
def test_one_trunk_pass_whatever_the_number_of_heads(heads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, run, passes = _scorer(heads), Separate.features, []

    def count(*arguments: Any) -> Tensor:
        passes.append(1)
        return run(*arguments)

    monkeypatch.setattr(Separate, "features", count)
    logits = scorer.score(make_images(3))

    assert logits.shape == (3, 1 + heads)
    assert len(passes) == 1
    scorer.analyse(make_images(3))
    assert len(passes) == 2


@pytest.mark.parametrize("name", ["khoo2022-pixel", "khoo2022-dct"])
def test_analysing_gives_the_same_logits_as_scoring(name: str) -> None:
    scorer = _trained_scorer(name)
    analysis = scorer.analyse(IMAGES)

    np.testing.assert_allclose(analysis.logits, scorer.score(IMAGES), rtol=RTOL)
    assert analysis.saliency.shape == (8, 4, 4, 4)
    assert analysis.saliency.dtype == np.float32


@pytest.mark.parametrize("name", ["khoo2022-pixel", "khoo2022-dct"])
def test_an_image_scores_the_same_alone_and_in_a_batch(name: str) -> None:
    scorer = _trained_scorer(name)
    alone = np.concatenate([scorer.score([image]) for image in IMAGES])

    np.testing.assert_allclose(scorer.score(IMAGES), alone, rtol=RTOL)


def test_a_head_scores_the_same_whoever_stands_beside_it() -> None:
    primary = make_primary()
    first, second = (make_head(primary, make_generator(f"g{i}"), seed=i) for i in (1, 2))
    images = make_images(2)
    together, alone = Scorer(primary, [first, second], CPU).score(images), Scorer(primary, [second], CPU).score(images)

    np.testing.assert_array_equal(together[:, 2], alone[:, 1])


def test_scoring_keeps_no_graph() -> None:
    assert not _scorer(1).features(make_images(1)).requires_grad


def test_a_native_primary_takes_any_size_and_shape() -> None:
    primary = make_primary(size=None)
    scorer = Scorer(primary, [make_head(primary)], CPU)

    assert scorer.score([np.zeros((16, 75, 3), np.uint8)]).shape == (1, 2)


def test_bfloat16_moves_scores_further_than_float32_ever_does_and_the_contract_holds() -> None:
    rough, exact = (_trained_scorer(precision=precision).score(IMAGES) for precision in ("bfloat16", "float32"))

    distance = np.abs(rough - exact).max()
    assert 10 * RTOL * np.abs(exact).max() < distance < 0.5  # seen: 0.1; why thresholds hold for one arithmetic
    assert rough.dtype == np.float32


def _with_probe_of(head: HeadArtifact, other: PrimaryArtifact, primary: PrimaryArtifact) -> HeadArtifact:
    manifest = head.manifest.model_copy(update={"probe": other.manifest.probe})
    return read_head(write_head(manifest, head.tensors, primary), primary)


def test_a_primary_whose_weights_drifted_never_scores() -> None:
    primary = make_primary()
    drifted = {name: tensor * np.float32(1.03) for name, tensor in primary.tensors.items()}

    with pytest.raises(FeatureContractError, match="primary tiny"):
        Scorer(replace(primary, tensors=drifted), [], CPU)


def test_a_head_trained_on_other_features_never_scores() -> None:
    primary = make_primary()
    head = _with_probe_of(make_head(primary), make_primary(seed=7), primary)

    with pytest.raises(FeatureContractError, match="head alpha@1"):
        Scorer(primary, [head], CPU)


def test_a_head_for_another_primary_never_scores() -> None:
    with pytest.raises(PrimaryMismatchError):
        Scorer(make_primary(seed=0), [make_head(make_primary(seed=1))], CPU)


@pytest.mark.parametrize("weight", [3e38, -3e38])
def test_finite_weights_that_give_infinite_scores_are_refused_by_name(weight: float) -> None:
    primary = make_primary()
    head = make_head(primary)
    huge = {**head.tensors, "decision.bias": np.full(1, weight, np.float32), "norm2.bias": np.full(32, 3e38, np.float32)}
    huge["decision.weight"] = np.full((1, 32), weight, np.float32)
    scorer = Scorer(primary, [replace(head, tensors=huge)], CPU)

    for run in (scorer.score, scorer.analyse):
        with pytest.raises(NonFiniteScoreError, match="head alpha@1"):
            run(make_images(1))


def test_scores_as_they_are_name_the_network_and_refuse_nothing() -> None:
    primary = read_primary(trained_primary())
    head = read_head(trained_head(), primary)
    target, others = np.zeros((32, 32, 3), np.uint8), IMAGES
    scorer = Scorer(primary, [overflow_on(target, others, head, primary)], CPU)

    logits = scorer.score_as_is([*others, target])
    assert [scorer.check_finite(row) is None for row in logits] == [True] * len(others) + [False]
    assert "head alpha@1" in str(scorer.check_finite(logits))
    scorer.score(others)
    for run in (scorer.score, scorer.analyse):
        with pytest.raises(NonFiniteScoreError, match="head alpha@1"):
            run([*others, target])


def test_the_probe_is_measured_in_float32_whatever_the_precision() -> None:
    primary = make_primary()
    network, preprocess = load_primary(primary), Preprocessor.of(primary)

    assert measure_probe(network, preprocess, choose_compute("cpu", "bfloat16")) == measure_probe(network, preprocess, CPU)
    assert torch.get_autocast_dtype("cpu") == torch.bfloat16
