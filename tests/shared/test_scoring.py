from dataclasses import replace

import numpy as np
import pytest
import torch

from manyheads_shared import scoring
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact, read_head, write_head
from manyheads_shared.compute import choose_compute
from manyheads_shared.errors import FeatureContractError, NonFiniteScoreError, PrimaryMismatchError
from manyheads_shared.scoring import Scorer
from tests.support.makers import make_generator, make_head, make_images, make_primary

CPU = choose_compute("cpu", "float32")


def _scorer(heads: int, name: str = "khoo2022-pixel") -> Scorer:
    primary = make_primary(name)
    return Scorer(primary, [make_head(primary, make_generator(f"g{i}"), seed=i + 1) for i in range(heads)], CPU)


@pytest.mark.parametrize("heads", [0, 1, 5])
def test_one_trunk_pass_whatever_the_number_of_heads(heads: int) -> None:
    scorer = _scorer(heads)
    passes: list[int] = []
    scorer._primary.trunk.register_forward_hook(lambda *_: passes.append(1))
    logits = scorer.score(make_images(3))

    assert logits.shape == (3, 1 + heads)
    assert len(passes) == 1
    scorer.analyse(make_images(3))
    assert len(passes) == 2


@pytest.mark.parametrize("name", ["khoo2022-pixel", "khoo2022-dct"])
def test_analysing_gives_the_same_logits_as_scoring(name: str) -> None:
    scorer = _scorer(2, name)
    analysis = scorer.analyse(make_images(3))

    np.testing.assert_allclose(analysis.logits, scorer.score(make_images(3)), rtol=1e-5, atol=1e-7)
    assert analysis.saliency.shape == (3, 3, 4, 4)
    assert analysis.saliency.dtype == np.float32


@pytest.mark.parametrize("name", ["khoo2022-pixel", "khoo2022-dct"])
def test_an_image_scores_the_same_alone_and_in_a_batch(name: str) -> None:
    scorer, images = _scorer(2, name), make_images(5)
    alone = np.concatenate([scorer.score([image]) for image in images])

    np.testing.assert_allclose(scorer.score(images), alone, rtol=1e-4, atol=1e-6)


def test_a_head_scores_the_same_whoever_stands_beside_it() -> None:
    primary = make_primary()
    first, second = (make_head(primary, make_generator(f"g{i}"), seed=i) for i in (1, 2))
    images = make_images(2)
    together, alone = Scorer(primary, [first, second], CPU).score(images), Scorer(primary, [second], CPU).score(images)

    np.testing.assert_array_equal(together[:, 2], alone[:, 1])


def test_scores_come_from_features_that_were_computed_before() -> None:
    scorer, images = _scorer(2), make_images(3)

    np.testing.assert_array_equal(scorer.score_features(scorer.features(images)), scorer.score(images))


def test_scoring_keeps_no_graph() -> None:
    assert not _scorer(1).features(make_images(1)).requires_grad


def test_a_native_primary_takes_any_size_and_shape() -> None:
    primary = make_primary(size=None)
    scorer = Scorer(primary, [make_head(primary)], CPU)

    assert scorer.score([np.zeros((16, 75, 3), np.uint8)]).shape == (1, 2)


def test_bfloat16_scores_are_near_and_the_contract_holds() -> None:
    primary = make_primary()
    rough = Scorer(primary, [make_head(primary)], choose_compute("cpu", "bfloat16"))
    exact = Scorer(primary, [make_head(primary)], CPU)

    np.testing.assert_allclose(rough.score(make_images(4)), exact.score(make_images(4)), atol=0.01)
    assert rough.score(make_images(1)).dtype == np.float32


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


def test_the_probe_is_measured_in_float32_whatever_the_precision() -> None:
    scorer = _scorer(0)
    rough = scoring.measure_probe(scorer._primary, scorer.preprocess, choose_compute("cpu", "bfloat16"))

    assert rough == scoring.measure_probe(scorer._primary, scorer.preprocess, CPU)
    assert torch.get_autocast_dtype("cpu") == torch.bfloat16
