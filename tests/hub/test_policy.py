import json
from pathlib import Path

import pytest

from manyheads_hub.evaluations.policy import Policy, read_policy, write_policy
from manyheads_shared.errors import ManifestError, UsageError
from manyheads_shared.metrics import clopper_pearson


def test_the_default_policy_survives_its_file(tmp_path: Path) -> None:
    write_policy(tmp_path / "policy.json", Policy.new())
    assert read_policy(tmp_path / "policy.json") == Policy.new()


def test_a_policy_may_be_edited_and_spelt_as_people_do(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text('{ "format": "manyheads.policy/1",\n   "max_real_upper": 0.02 }\n')
    assert read_policy(path) == Policy.new(max_real_upper=0.02)
    assert read_policy(path).digest == Policy.new(max_real_upper=0.02).digest


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "expected JSON"),
        ('{"format": "manyheads.policy/1", "format": "manyheads.policy/1"}', "same key twice"),
        ('{"format": "manyheads.policy/1", "max_reel_upper": 0.02}', "max_reel_upper"),
        ('{"format": "manyheads.policy/1", "max_real_upper": 2}', "less than 1"),
        ('{"format": "manyheads.policy/1", "min_proofs": 0}', "min_proofs"),
        ('{"format": "manyheads.scores/1"}', "manyheads.policy document"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_file_and_the_reason(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text(text)
    with pytest.raises(ManifestError, match=complaint) as caught:
        read_policy(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("version", [1, 2])
def test_a_policy_of_an_earlier_version_is_read_and_what_it_did_not_know_has_its_default(tmp_path: Path, version: int) -> None:
    path = tmp_path / "policy.json"
    path.write_text(f'{{"format": "manyheads.policy/{version}", "min_proofs": 30}}')
    assert read_policy(path) == Policy.new(min_proofs=30)
    assert read_policy(path).format == "manyheads.policy/3"


def test_a_policy_names_degradations_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    for name in ("sepia", "clean"):
        path.write_text(json.dumps({"format": "manyheads.policy/2", "degradations": [name]}))
        with pytest.raises(ManifestError, match="degradation profiles"):
            read_policy(path)


def test_a_missing_policy_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="manyheads-hub init"):
        read_policy(tmp_path / "policy.json")


def upper(hits: int, total: int) -> float:
    share = clopper_pearson(hits, total)
    assert share is not None
    return share.upper


def test_the_smallest_numbers_of_images_reach_the_limits_without_a_false_claim() -> None:
    policy = Policy.new()
    assert upper(0, policy.min_real) <= policy.max_real_upper < upper(0, policy.min_real - 1) + 0.001
    assert upper(0, policy.min_generator) <= policy.max_generator_upper < upper(0, policy.min_generator - 2)


def test_the_figures_in_the_policys_words_are_true() -> None:
    assert [round(100 * upper(hits, total), 1) for hits, total in ((0, 45), (2, 100), (0, 24), (2, 50), (0, 1000))] == [
        7.9,
        7.0,
        14.2,
        13.7,
        0.4,
    ]
