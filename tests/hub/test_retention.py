"""What becomes of a head and a detector under another primary, computed from scores with chosen logits."""

from collections.abc import Iterable

import numpy as np
import pytest

from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Score, Scores
from manyheads_hub.upgrades.floors import check_floors
from manyheads_hub.upgrades.retention import HeadScores, measure_detector, measure_head
from manyheads_shared.errors import DatasetError
from manyheads_shared.retention import HeadRetention
from tests.support.makers import make_generator
from tests.support.scored import HEAD, PRIMARY, make_rows, make_scores

ALPHA, POLICY = make_generator("alpha"), Policy.new()


def scores(*, taken: int = 0) -> Scores:
    """Sixty of each in either half: all of its own are claimed, and so many of beta's."""
    own = make_rows("generated", "alpha", 60, claimed=60)
    alpha = [row.model_copy(update={"head": 5.0 + i / 1000}) for i, row in enumerate(own)]
    return make_scores(alpha, make_rows("generated", "beta", 60, claimed=taken), make_rows("real", "photos", 60))


def spoil(found: Scores, share: float, seed: int = 0) -> Scores:
    """Give so many of a document's test images a head logit that says nothing."""
    draw = np.random.default_rng(seed)

    def changed(all_rows: Iterable[Score]) -> Iterable[Score]:
        for row in all_rows:
            lost = row.part == "test" and draw.random() < share
            yield row.model_copy(update={"head": float(draw.normal(0, 5))}) if lost else row

    return found.model_copy(update={"rows": tuple(changed(found.rows))})


def measured(straight: Scores | None, before: Scores | None = None) -> HeadRetention:
    before = before or scores()
    after = {} if straight is None else {"straight": straight, "beside": before}
    return measure_head(HeadScores(ALPHA, HEAD, PRIMARY, before, after), POLICY, 1)  # type: ignore[arg-type]


def test_a_head_that_loses_nothing_is_compatible_and_run_straight() -> None:
    found = measured(scores())
    assert (found.compatibility, found.way, found.ways[0].reasons) == ("compatible", "straight", ())
    assert (found.before.recall.hits, found.before.auroc.value) == (60, 1.0)


@pytest.mark.parametrize(("share", "standing"), [(0.3, "degraded"), (1.0, "obsolete")])
def test_one_that_loses_more_than_it_may_is_run_beside(share: float, standing: str) -> None:
    found = measured(spoil(scores(), share))
    assert (found.compatibility, found.way) == (standing, "beside")
    assert "points of AUROC, at most 2 are let" in found.ways[0].reasons[0]
    assert found.ways[1].loss.value == 0


def test_one_that_keeps_its_area_and_breaks_a_limit_of_the_gate_is_not_compatible() -> None:
    found = measured(scores(taken=20))
    assert found.compatibility == "degraded"
    assert any("it claims 20 of 60 images of beta" in reason for reason in found.ways[0].reasons)


def test_a_limit_that_it_breaks_today_is_not_held_against_it() -> None:
    assert measured(scores(taken=20), before=scores(taken=20)).compatibility == "compatible"


def test_without_a_way_it_is_obsolete_and_left_out() -> None:
    found = measured(None)
    assert (found.compatibility, found.way, found.ways) == ("obsolete", None, ())


def test_a_generator_without_images_cannot_be_measured() -> None:
    with pytest.raises(DatasetError, match="image of alpha@1 in the calibration half"):
        measured(scores(), before=make_scores(make_rows("generated", "beta", 9), make_rows("real", "photos", 9)))


def test_every_floor_says_what_it_asks_and_what_was_found() -> None:
    weak = make_scores(
        make_rows("generated", "alpha", 60, called_generated=20), make_rows("real", "photos", 60, called_generated=10)
    )
    detector, photographs = measure_detector(scores(), weak, POLICY)
    floors = check_floors(detector, photographs, [measured(None), measured(scores())], POLICY)

    unmet = {floor.code: floor for floor in floors if not floor.met}
    assert set(unmet) == {"detector-photographs", "detector-recall", "detector-loss", "retention"}
    assert "calls 10 of 60 photographs generated" in unmet["detector-photographs"].message
    assert (unmet["retention"].found, unmet["retention"].limit) == (0.5, 0.8)
    assert unmet["detector-recall"].subject == "alpha"


def test_a_candidate_that_changes_nothing_meets_every_floor() -> None:
    detector, photographs = measure_detector(scores(), scores(), POLICY)
    assert all(floor.met for floor in check_floors(detector, photographs, [measured(scores())], POLICY))
    assert {change.source: change.loss.value for change in detector} == {"alpha": 0.0, "beta": 0.0}
