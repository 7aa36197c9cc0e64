from securesystemslib.signer import SSlibKey

from manyheads_hub.evaluations.gate import evaluate
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.statement import to_info, to_predicate
from manyheads_shared.keys import generate_key
from manyheads_shared.statements import sign_hub_statement, verify_hub_statement
from tests.support.makers import TIME, make_generator
from tests.support.scored import HEAD, make_rows, make_scores

EVALUATION = evaluate(
    make_scores(
        make_rows("generated", "alpha", 50, claimed=48, proof=True),
        make_rows("real", "celeba", 100, claimed=2),
        make_rows("generated", "unseen", 30, claimed=7, external=True),
    ),
    make_generator("alpha"),
    Policy.new(),
    0,
)


def test_the_hubs_statement_holds_every_figure_and_verifies() -> None:
    signer = generate_key()
    assert isinstance(signer.public_key, SSlibKey)
    data = sign_hub_statement(HEAD, to_predicate(EVALUATION, TIME), signer)
    predicate = verify_hub_statement(data, HEAD, signer.public_key).predicate
    assert (predicate.threshold, predicate.auroc, predicate.created) == (EVALUATION.threshold, EVALUATION.auroc, TIME)
    assert (predicate.recall.hits, predicate.recall.lower) == (48, EVALUATION.recall.lower)
    assert [(s.source, s.external, s.yes.hits, s.yes.total) for s in predicate.false_positives] == [
        ("celeba", False, 2, 100),
        ("unseen", True, 7, 30),
    ]


def test_the_statement_names_suite_scores_and_policy() -> None:
    predicate = to_predicate(EVALUATION, TIME)
    assert (predicate.suite, predicate.scores, predicate.policy) == (
        EVALUATION.suite,
        EVALUATION.scores,
        Policy.new().digest,
    )


def test_the_api_answers_the_very_figures_that_are_signed() -> None:
    predicate, info = to_predicate(EVALUATION, TIME).model_dump(mode="json"), to_info(EVALUATION).model_dump(mode="json")
    assert info == {name: predicate[name] for name in info}
