import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads_hub.evaluations.scores import Score, Scores, detector_logits, head_logits, split_parts
from manyheads_shared.digest import digest_bytes
from tests.support.scored import NO, YES, make_rows, make_scores


@given(st.sets(st.binary(max_size=4)))
def test_the_halves_are_equal_or_the_test_half_has_one_more(contents: set[bytes]) -> None:
    parts = list(split_parts(digest_bytes(content) for content in contents).values())
    assert len(parts) == len(contents)
    assert parts.count("test") - parts.count("calibration") in {0, 1}


@given(st.sets(st.integers(0, 999), min_size=1), st.integers(1000, 2000))
def test_one_more_image_moves_at_most_one_other(numbers: set[int], newcomer: int) -> None:
    digests = [digest_bytes(b"%d" % number) for number in numbers]
    before, after = split_parts(digests), split_parts([*digests, digest_bytes(b"%d" % newcomer)])
    assert sum(before[digest] != after[digest] for digest in digests) <= 1


def test_a_float32_logit_survives_the_document_exactly() -> None:
    logit = float(np.float32(0.1))
    scores = make_scores([row.model_copy(update={"head": logit}) for row in make_rows("real", "photos", 1)])
    again = Scores.from_bytes(scores.to_bytes())
    assert again == scores
    assert head_logits(again.rows)[0] == np.float32(0.1)


def test_logits_come_as_float32_in_the_order_of_the_rows() -> None:
    rows = [row for row in make_rows("real", "photos", 2, claimed=1) if row.part == "test"]
    assert head_logits(rows).tolist() == [np.float32(YES), np.float32(NO + 0.001)]
    assert detector_logits(rows).tolist() == [np.float32(NO), np.float32(NO + 0.001)]
    assert head_logits([]).dtype == np.float32


def test_a_primarys_own_scores_have_no_head_logits() -> None:
    with pytest.raises(ValueError, match="no head logits"):
        head_logits(make_rows("real", "photos", 1, head=False))


def test_documents_name_an_image_by_digest_only() -> None:
    fields = set(Score.model_fields)
    assert fields == {"kind", "source", "external", "proof", "digest", "part", "detector", "head"}
