import pytest
from pydantic import ValidationError

from manyheads_shared import api
from manyheads_shared.api import MAX_PROOFS, MIN_PROOFS, Message, Problem, SubmissionRequest
from tests.support.makers import NO_DIGEST

SHAPES = [value for value in vars(api).values() if isinstance(value, type) and issubclass(value, Message)]


def _request(proofs: int) -> SubmissionRequest:
    return SubmissionRequest(head=NO_DIGEST, owner_statement=NO_DIGEST, proofs=[NO_DIGEST] * proofs)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_shape_is_frozen_and_knows_its_fields(shape: type[Message]) -> None:
    assert shape.model_config.get("frozen")
    assert shape.model_config.get("extra") == "forbid"
    assert shape.__doc__


@pytest.mark.parametrize("proofs", [MIN_PROOFS, MAX_PROOFS])
def test_a_submission_has_enough_proofs_and_not_too_many(proofs: int) -> None:
    request = _request(proofs)

    assert SubmissionRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize("proofs", [0, MIN_PROOFS - 1, MAX_PROOFS + 1])
def test_a_submission_with_another_number_of_proofs_is_refused(proofs: int) -> None:
    with pytest.raises(ValidationError, match="proofs"):
        _request(proofs)


def test_a_problem_is_an_rfc_9457_document() -> None:
    problem = Problem(title="Not found", status=404, code="no-such-head", detail="expected a head, got none")

    assert problem.model_dump(mode="json") == {
        "type": "about:blank",
        "title": "Not found",
        "status": 404,
        "code": "no-such-head",
        "detail": "expected a head, got none",
    }
