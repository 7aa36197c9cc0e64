"""Heads of an earlier primary, run on a later one's features or on their own trunk's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from manyheads_shared.artifact import read_head, read_primary
from manyheads_shared.compute import choose_compute
from manyheads_shared.engine.executors import ExecutorName
from manyheads_shared.errors import FeatureContractError, PrimaryMismatchError
from manyheads_shared.networks import load_head
from manyheads_shared.passage import Passage
from manyheads_shared.scoring import Scorer
from tests.support.makers import make_generator
from tests.support.world import GENERATORS, draw_images, trained_head, trained_primary

CPU = choose_compute("cpu", "float32")
EARLIER, LATER = read_primary(trained_primary("1")), read_primary(trained_primary("2"))
OLD = [read_head(trained_head(make_generator(name), "1"), EARLIER) for name in GENERATORS[:2]]
NEW = read_head(trained_head(make_generator("gamma"), "2"), LATER)
IMAGES = [image for name in GENERATORS for image in draw_images(name, 2, seed=4)]


@pytest.mark.parametrize("executor", ["separate", "folded"])
def test_each_head_is_run_its_own_way_and_answers_in_its_place(executor: ExecutorName) -> None:
    passages = {OLD[0].digest: Passage(EARLIER, "beside"), OLD[1].digest: Passage(EARLIER, "straight")}
    scorer = Scorer(LATER, [OLD[0], NEW, OLD[1]], CPU, executor=executor, passages=passages)
    found = scorer.score(IMAGES)

    native = Scorer(LATER, [NEW], CPU, executor=executor)
    with torch.inference_mode():
        straight = load_head(OLD[1], EARLIER)(native.features(IMAGES)).numpy()
    np.testing.assert_allclose(found[:, [0, 2]], native.score(IMAGES), rtol=1e-4)
    np.testing.assert_allclose(found[:, 1], Scorer(EARLIER, [OLD[0]], CPU, executor=executor).score(IMAGES)[:, 1], rtol=1e-4)
    np.testing.assert_allclose(found[:, 3], straight, rtol=1e-4)


def test_saliency_comes_in_the_same_order_as_the_scores() -> None:
    passages = {OLD[0].digest: Passage(EARLIER, "beside")}
    scorer = Scorer(LATER, [OLD[0], NEW], CPU, passages=passages)
    analysis = scorer.analyse(IMAGES)

    np.testing.assert_allclose(analysis.logits, scorer.score(IMAGES), rtol=1e-4)
    np.testing.assert_allclose(
        analysis.saliency[:, 1], Scorer(EARLIER, [OLD[0]], CPU).analyse(IMAGES).saliency[:, 1], rtol=1e-4
    )


def test_a_head_of_another_primary_without_a_passage_is_refused() -> None:
    with pytest.raises(PrimaryMismatchError):
        Scorer(LATER, [OLD[0]], CPU)


def test_a_passage_from_a_primary_that_is_not_the_heads_own_is_refused() -> None:
    with pytest.raises(PrimaryMismatchError):
        Scorer(LATER, [OLD[0]], CPU, passages={OLD[0].digest: Passage(LATER, "straight")})


def test_the_contract_with_its_own_primary_holds_however_a_head_is_run() -> None:
    false = replace(OLD[0], manifest=OLD[0].manifest.model_copy(update={"probe": LATER.manifest.probe}))

    with pytest.raises(FeatureContractError, match="head alpha@1"):
        Scorer(LATER, [false], CPU, passages={false.digest: Passage(EARLIER, "straight")})
