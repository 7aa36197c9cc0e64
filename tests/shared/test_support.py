import math
from collections.abc import Sequence

import pytest

from manyheads_shared.calibration import BoundedEvidence, Evidence, Reach
from manyheads_shared.condition import Stratum
from manyheads_shared.decision import Answer
from manyheads_shared.likelihood import LikelihoodRatio
from manyheads_shared.ratio_bounds import BoundedRatio
from manyheads_shared.rungs import LADDERS, Ladder, Rung
from manyheads_shared.statements import Bound, SourceResult
from manyheads_shared.support import find_validated, ratio_of_answer, weigh

CURVE = LikelihoodRatio(
    logits=(-1.0, 1.0), log10_ratios=(-1.0, 2.0), cap=2.0, floor=-1.5, positives=60, negatives=100, cost=None
)


def bound(hits: int, total: int, lower: float, upper: float) -> Bound:
    return Bound(share=hits / total, lower=lower, upper=upper, hits=hits, total=total)


def reach(ladder: Ladder, strength: float, *, hits: int = 36, claimed: int = 0, valid: bool = True) -> Reach:
    other = bound(claimed, 40, claimed / 80, 0.09 + claimed / 40)
    worst = SourceResult(kind="generated", source="rival", external=False, yes=other)
    return Reach(
        ladder=ladder,
        strength=strength,
        recall=bound(hits, 40, hits / 50, 0.97),
        real=bound(0, 400, 0, 0.009),
        worst=worst,
        valid=valid,
    )


def evidence(*reaches: Reach) -> Evidence:
    return Evidence(likelihood=CURVE, thresholds=(), reach=reaches)


def stratum(ladder: Ladder, strength: float) -> Stratum:
    return Stratum(ladder, strength, Rung(ladder, strength))


def test_an_image_without_a_sign_of_degradation_is_read_on_the_curve() -> None:
    support = weigh(0.0, Answer.YES, evidence(), ())
    assert support.ratio is not None
    assert (support.ratio.value, support.ratio.lower, support.ratio.upper) == (0.5, None, None)
    assert support.valid
    assert support.reach is None


def test_the_interval_is_the_curves_where_it_has_one() -> None:
    bounded = BoundedRatio(**CURVE.model_dump(), places=(-1.0, 1.0), lower=(-1.4, 1.2), upper=(-0.5, None))
    support = weigh(1.0, Answer.YES, BoundedEvidence(likelihood=bounded, thresholds=(), reach=()), ())
    assert support.ratio is not None
    assert (support.ratio.value, support.ratio.lower, support.ratio.upper) == (2.0, 1.2, None)


def test_a_degraded_image_gets_the_ratio_of_its_rung_against_the_origin_that_weakens_it_most() -> None:
    measured = evidence(reach("jpeg", 90))
    support = weigh(9.0, Answer.YES, measured, [stratum("jpeg", 90)])
    assert support.ratio is not None
    assert support.ratio.value == pytest.approx(
        math.log10((36 / 41) / (1 / 41))
    )  # the rival's 40 images, not the 400 photographs
    assert support.ratio.lower == pytest.approx(math.log10(0.72 / 0.09))
    assert support.ratio.upper is None
    assert support.reach == measured.reach[0]


def test_an_answer_that_is_not_yes_speaks_against_and_no_more_than_recall_bears() -> None:
    ratios = {answer: ratio_of_answer(answer, reach("jpeg", 90)) for answer in Answer}
    assert ratios[Answer.NO] == ratios[Answer.UNDECIDED]
    against = ratios[Answer.NO]
    assert against is not None
    assert against.value == pytest.approx(math.log10((5 / 41) / (40 / 41)))


def test_a_network_is_valid_up_to_the_last_rung_before_the_first_that_fails() -> None:
    measured = evidence(
        *(reach("jpeg", strength, valid=strength != 50) for strength in LADDERS["jpeg"]), reach("noise", 2, valid=False)
    )
    assert find_validated(measured) == (Rung("jpeg", 75),)
    valid = {quality: weigh(2, Answer.YES, measured, [stratum("jpeg", quality)]).valid for quality in LADDERS["jpeg"]}
    assert valid == {90: True, 75: True, 50: False, 30: False}


@pytest.mark.parametrize(
    ("strata", "valid"),
    [
        ([stratum("jpeg", 90)], True),
        ([stratum("blur", 2), stratum("scale", 0.25)], True),  # one softness, read twice
        ([stratum("jpeg", 90), stratum("noise", 2)], False),  # never measured together
        ([Stratum("jpeg", 12, None)], False),  # beyond the last rung
    ],
)
def test_only_one_kind_of_degradation_within_its_ladder_was_validated(strata: Sequence[Stratum], *, valid: bool) -> None:
    every = evidence(*(reach(ladder, float(strength)) for ladder, strengths in LADDERS.items() for strength in strengths))
    assert weigh(2, Answer.YES, every, strata).valid is valid


def test_of_two_strata_the_ratio_nearest_to_one_counts() -> None:
    measured = evidence(reach("jpeg", 90), reach("noise", 2, claimed=20))
    support = weigh(2, Answer.YES, measured, [stratum("jpeg", 90), stratum("noise", 2)])
    assert support.ratio == ratio_of_answer(Answer.YES, measured.reach[1])


def test_beyond_the_last_rung_there_is_no_ratio() -> None:
    support = weigh(9, Answer.YES, evidence(reach("jpeg", 90)), [stratum("jpeg", 90), Stratum("noise", 40, None)])
    assert support.ratio is None
    assert support.reach is not None


def test_without_evidence_nothing_is_known_and_only_undegraded_images_are_valid() -> None:
    assert weigh(9, Answer.YES, None, ()).valid
    assert not weigh(9, Answer.YES, None, [stratum("jpeg", 90)]).valid
    assert weigh(9, Answer.YES, None, ()).ratio is None
