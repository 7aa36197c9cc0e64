from dataclasses import replace

import pytest

from manyheads_hub.evaluations.gate import Evaluation, GateDecision, TooFewImagesError, decide_gate, evaluate
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Score
from manyheads_shared.metrics import clopper_pearson
from tests.support.makers import make_generator
from tests.support.scored import HEAD, NO, PRIMARY, SUITE, YES, make_rows, make_scores

POLICY = Policy.new()
OWN = make_generator("alpha")

PROOFS = make_rows("generated", "alpha", 50, claimed=48, proof=True)
REAL = make_rows("real", "celeba", 100)
OTHER = make_rows("generated", "beta", 50)


def measure(*rows: list[Score], head_count: int = 0) -> Evaluation:
    return evaluate(make_scores(*rows), OWN, POLICY, head_count)


def judge(*rows: list[Score]) -> GateDecision:
    return decide_gate(measure(*rows), POLICY)


def codes(decision: GateDecision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def test_a_good_head_is_accepted_without_a_reason() -> None:
    assert judge(PROOFS, REAL, OTHER) == GateDecision(accepted=True, reasons=())


def test_every_figure_is_of_the_test_half_with_its_exact_bound() -> None:
    evaluation = measure(PROOFS, make_rows("real", "celeba", 100, claimed=2), OTHER)
    assert evaluation.recall == clopper_pearson(48, 50)
    assert evaluation.real == clopper_pearson(2, 100)
    assert [(source.source, source.claimed.hits, source.claimed.total) for source in evaluation.sources] == [
        ("celeba", 2, 100),
        ("beta", 0, 50),
    ]


def test_an_evaluation_names_what_it_rests_on() -> None:
    evaluation = measure(PROOFS, REAL, OTHER)
    scores = make_scores(PROOFS, REAL, OTHER)
    assert (evaluation.suite, evaluation.primary, evaluation.scores) == (SUITE, PRIMARY, scores.digest)
    assert (scores.head, evaluation.policy) == (HEAD, POLICY.digest)


def test_the_threshold_lies_between_foreign_and_own_images_where_they_separate() -> None:
    assert NO + 0.1 < measure(PROOFS, REAL, OTHER).threshold < YES


def test_more_heads_in_the_catalogue_raise_the_threshold() -> None:
    close = [row.model_copy(update={"head": i / 100}) for i, row in enumerate(make_rows("real", "celeba", 1000))]
    alone, in_company = (measure(PROOFS, close, OTHER, head_count=count) for count in (0, 4))
    assert alone.threshold < in_company.threshold


def test_test_images_do_not_move_the_threshold() -> None:
    claimed = make_rows("real", "celeba", 100, claimed=100)
    assert measure(PROOFS, claimed, OTHER).threshold == measure(PROOFS, REAL, OTHER).threshold


def test_a_head_that_claims_photographs_is_refused_with_figures() -> None:
    decision = judge(PROOFS, make_rows("real", "celeba", 140, claimed=9), OTHER)
    assert codes(decision) == ["false-positives-real"]
    assert decision.reasons[0].message.startswith(
        "of 140 photographs the head claimed 5 to 10 %; the upper bound of that share is above 8.0 %."
    )


def test_photographs_of_all_sources_are_judged_together() -> None:
    ffhq = make_rows("real", "ffhq", 60)
    assert judge(PROOFS, make_rows("real", "celeba", 60, claimed=3), ffhq, OTHER).accepted
    assert not judge(PROOFS, make_rows("real", "celeba", 60, claimed=6), ffhq, OTHER).accepted


def test_a_head_that_claims_another_generator_is_refused_and_the_generator_named() -> None:
    gamma = make_rows("generated", "gamma", 50, claimed=10)
    decision = judge(PROOFS, REAL, OTHER, gamma)
    assert codes(decision) == ["false-positives-generator"]
    assert (
        "of 50 images of gamma the head claimed 20 to 25 %; the upper bound of that share is above 15.0 %"
        in decision.reasons[0].message
    )


def test_external_sources_are_reported_and_not_gated() -> None:
    external = make_rows("generated", "unseen", 50, claimed=50, external=True)
    external_real = make_rows("real", "elsewhere", 50, claimed=50, external=True)
    evaluation = measure(PROOFS, REAL, OTHER, external, external_real)
    assert [source.source for source in evaluation.sources if source.external] == ["elsewhere", "unseen"]
    assert evaluation.real == measure(PROOFS, REAL, OTHER).real
    assert decide_gate(evaluation, POLICY).accepted


def test_the_suites_own_images_of_the_generator_are_no_false_positives() -> None:
    own = make_rows("generated", "alpha", 50, claimed=50)
    outside = make_rows("generated", "alpha", 50, claimed=50, external=True)
    evaluation = measure(PROOFS, REAL, OTHER, own, outside)
    assert [source.source for source in evaluation.sources] == ["celeba", "beta"]
    assert evaluation.recall.total == 50  # of the proofs alone


def test_a_head_that_misses_its_own_images_is_refused() -> None:
    decision = judge(make_rows("generated", "alpha", 50, claimed=25, proof=True), REAL, OTHER)
    assert codes(decision) == ["recall-too-low"]
    assert (
        "of 50 proof images the head claimed 50 to 55 %; the lower bound of that share is below 50.0 %"
        in decision.reasons[0].message
    )


def test_too_few_proofs_are_refused_and_the_number_to_send_is_told() -> None:
    decision = judge(make_rows("generated", "alpha", 10, claimed=10, proof=True), REAL, OTHER)
    assert codes(decision) == ["too-few-proofs"]
    assert "send at least 48" in decision.reasons[0].message


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([make_rows("real", "celeba", 20), OTHER], "20 photographs"),
        ([REAL, make_rows("generated", "beta", 10)], "10 images of beta"),
    ],
)
def test_a_suite_too_small_to_judge_says_that_it_is_not_the_heads_fault(rows: list[list[Score]], what: str) -> None:
    decision = judge(PROOFS, *rows)
    assert codes(decision) == ["too-few-images"]
    assert what in decision.reasons[0].message
    assert "not the head's fault" in decision.reasons[0].message


def test_a_generator_of_one_image_is_not_passed_over() -> None:
    one = [row for row in make_rows("generated", "gamma", 1) if row.part == "test"]
    assert codes(judge(PROOFS, REAL, OTHER, one)) == ["too-few-images"]


def test_a_generator_that_the_detector_does_not_see_is_refused() -> None:
    unseen = make_rows("generated", "alpha", 50, claimed=50, called_generated=5, proof=True)
    decision = judge(unseen, REAL, OTHER)
    assert codes(decision) == ["detector-blind"]
    assert "calls 10 to 15 % generated" in decision.reasons[0].message


def test_photographs_sent_as_proofs_are_recognised() -> None:
    stolen = REAL[1].model_copy(update={"proof": True, "kind": "generated", "source": "alpha"})
    decision = judge([*PROOFS, stolen], REAL, OTHER)
    assert "proofs-of-another-origin" in codes(decision)
    assert "1 of the proof images are images that the hub knows as celeba" in decision.reasons[0].message


def test_a_proof_that_is_in_the_suite_under_its_own_name_counts_once() -> None:
    known = [row.model_copy(update={"proof": False, "part": "calibration"}) for row in PROOFS]
    alone, twice = measure(PROOFS, REAL, OTHER), measure(PROOFS, REAL, OTHER, known)
    assert replace(twice, scores=alone.scores) == alone


def test_a_head_whose_own_images_drown_among_anothers_is_told_whose() -> None:
    close = [row.model_copy(update={"head": YES + 1}) for row in make_rows("generated", "gamma", 60)]
    decision = judge(PROOFS, REAL, OTHER, close)
    assert codes(decision) == ["recall-too-low", "false-positives-generator"]
    assert "it does not tell gamma from alpha@1" in decision.reasons[1].message


def test_every_reason_is_given_at_once() -> None:
    decision = judge(
        make_rows("generated", "alpha", 50, claimed=5, proof=True),
        make_rows("real", "celeba", 100, claimed=50),
        make_rows("generated", "beta", 50, claimed=50),
    )
    assert codes(decision) == ["false-positives-real", "false-positives-generator", "recall-too-low"]


def test_contradiction_is_the_share_claimed_of_what_the_detector_calls_real() -> None:
    evaluation = measure(PROOFS, make_rows("real", "celeba", 100, claimed=10), OTHER)
    assert evaluation.contradiction == clopper_pearson(10, 100)


def test_nothing_called_real_leaves_no_contradiction_rate() -> None:
    fakes = make_rows("real", "celeba", 100, called_generated=100)
    assert measure(PROOFS, fakes, OTHER).contradiction is None


@pytest.mark.parametrize(
    ("rows", "what"), [([PROOFS, OTHER], "photograph"), ([REAL, OTHER], "proof image"), ([PROOFS], "another origin")]
)
def test_nothing_to_calibrate_on_is_an_error_that_names_what_is_missing(rows: list[list[Score]], what: str) -> None:
    with pytest.raises(TooFewImagesError, match=what):
        measure(*rows)


def test_the_gate_is_a_function_of_its_inputs() -> None:
    assert measure(PROOFS, REAL, OTHER) == measure(PROOFS, REAL, OTHER)
    shuffled = evaluate(make_scores(OTHER, REAL, PROOFS), OWN, POLICY, 0)
    assert (shuffled.threshold, shuffled.recall, shuffled.sources) == (
        measure(PROOFS, REAL, OTHER).threshold,
        measure(PROOFS, REAL, OTHER).recall,
        measure(PROOFS, REAL, OTHER).sources,
    )
