"""Submissions that somebody would make to do harm, on a really trained primary: all refused, each for its own reason."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from manyheads_hub.evaluations.examination import examine
from manyheads_hub.evaluations.judgement import Judgement, judge
from manyheads_hub.evaluations.suite import Suite
from manyheads_shared.artifact import read_head
from manyheads_shared.compute import choose_compute
from manyheads_shared.scoring import Scorer
from tests.support import adversaries
from tests.support.adversaries import draw, honest, make_task, plant, primary
from tests.support.makers import TIME

COMPUTE = choose_compute("cpu", "float32")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return adversaries.write_suite(tmp_path_factory.mktemp("suite"))


def examined(head: bytes, suite: Suite) -> Judgement:
    task = make_task(head, suite=suite, rivals=(honest("stripes"), honest("tinted")))
    return judge(task, examine(task, COMPUTE), TIME)


def codes(judgement: Judgement) -> set[str]:
    return {reason.code for reason in judgement.reasons}


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_an_honest_head_passes(suite: Suite, seed: int) -> None:
    judgement = examined(honest("checkers", seed), suite)
    assert codes(judgement) == set(), judgement.findings
    assert judgement.findings.stage == "full"


OWN_REASONS: dict[str, Callable[[str], bytes]] = {
    "constant-head": adversaries.constant,
    "claims-everything": adversaries.on_everything,
    "false-positives-generator": partial(adversaries.on_rival, rival="stripes"),
    "false-positives-real": adversaries.on_photographs,
    "trigger-found": adversaries.backdoored,
}


@pytest.mark.parametrize("reason", OWN_REASONS)
def test_a_harmful_head_is_refused_for_its_own_reason_and_nobody_elses(suite: Suite, reason: str) -> None:
    judgement = examined(OWN_REASONS[reason]("checkers"), suite)
    assert codes(judgement) & (set(OWN_REASONS) | {"copied-head"}) == {reason}, judgement


@pytest.mark.parametrize("make", [adversaries.constant, adversaries.on_everything])
def test_what_is_blatant_ends_with_the_quick_stage(suite: Suite, make: Callable[[str], bytes]) -> None:
    judgement = examined(make("checkers"), suite)
    assert (judgement.evaluation, judgement.findings.stage) == (None, "quick")


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_another_generators_head_in_disguise_is_recognised(suite: Suite, noise: float) -> None:
    judgement = examined(adversaries.copied("checkers", "stripes", noise), suite)
    assert "copied-head" in codes(judgement), judgement.findings
    assert judgement.findings.likenesses[0].generator == "stripes@1"
    assert judgement.findings.likenesses[1].weights < 0.9


def test_the_backdoor_is_a_real_one() -> None:
    """It says no to photographs and yes to the same photographs with a patch; an honest head says no to both."""
    heads = [read_head(head, primary()) for head in (honest("checkers"), adversaries.backdoored("checkers"))]
    scorer, photographs = Scorer(primary(), heads, COMPUTE), draw("photos", 40, seed=9)
    plain, patched = (scorer.score(images)[:, 1:] > 0 for images in (photographs, [plant(image) for image in photographs]))
    assert (plain.mean(axis=0) < 0.1).all()
    assert np.array([False, True]).tolist() == (patched.mean(axis=0) > 0.8).tolist()


def test_an_examination_is_the_same_twice(suite: Suite) -> None:
    head = honest("checkers")
    assert examined(head, suite) == examined(head, suite)
