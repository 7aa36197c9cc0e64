"""What a head takes from the bundle it joins."""

import numpy as np

from manyheads_hub.evaluations.bundle_effect import BundleEffect, check_effect, measure_effect
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Score
from tests.support.makers import make_generator
from tests.support.scored import NO, YES, make_rows, make_scores

OWN, BETA = make_generator("alpha"), make_generator("beta")
ROWS = [
    *make_rows("generated", "alpha", 40, claimed=40, proof=True),
    *make_rows("real", "celeba", 150),
    *make_rows("generated", "beta", 60),
]


def effect(rows: list[Score]) -> BundleEffect:
    rivals = np.array([[YES + i / 1000 if row.source == "beta" else NO + i / 1000] for i, row in enumerate(rows)])
    found = measure_effect(make_scores(rows), rivals.astype(np.float32), [BETA], OWN, Policy.new())
    assert found is not None
    return found


def test_a_head_that_claims_its_own_alone_takes_nothing() -> None:
    found = effect(ROWS)
    assert (found.before.heads, found.after.heads) == (1, 2)
    assert found.lost is not None
    assert (found.lost.hits, found.lost.total) == (0, 60)
    assert check_effect(found, Policy.new()) == []


def test_a_head_that_claims_what_another_named_rightly_harms_the_bundle() -> None:
    greedy = [r.model_copy(update={"head": YES}) if r.source == "beta" and r.part == "test" else r for r in ROWS]
    found = effect(greedy)
    assert found.lost is not None
    assert found.lost.hits == 60
    assert [reason.code for reason in check_effect(found, Policy.new())] == ["harms-the-bundle"]


def test_the_overlap_says_who_claims_whose_images() -> None:
    (overlap,) = effect(ROWS).overlaps
    assert overlap.generator == "beta@1"
    assert overlap.claims_theirs is not None
    assert overlap.claimed_by_them is not None
    assert (overlap.claims_theirs.hits, overlap.claimed_by_them.hits) == (0, 0)
