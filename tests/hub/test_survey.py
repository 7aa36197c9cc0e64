from pathlib import Path

from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.survey import survey_suite
from tests.support.makers import write_dataset

SMALL = Policy.new(min_real=3, min_generator=2)


def test_a_suite_that_is_large_enough_and_sound_needs_no_words(tmp_path: Path) -> None:
    assert survey_suite(write_dataset(tmp_path, {"real/celeba": 6, "generated/beta": 4}), SMALL) == ()


def test_what_is_too_small_for_the_policy_is_named(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, {"real/celeba": 2, "real/ffhq": 2, "generated/beta": 2, "generated/gamma": 4})
    real, beta = survey_suite(folder, SMALL)
    assert real.startswith("2 photographs, all sources together test a head and the policy asks for 3")
    assert beta.startswith("1 images of beta test a head and the policy asks for 2")


def test_external_sources_need_no_number(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, {"real/celeba": 6, "generated/beta": 4, "external/generated/unseen": 1})
    assert survey_suite(folder, SMALL) == ()


def test_what_cannot_be_used_is_named_by_its_file(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, {"real/celeba": 8, "generated/beta": 6})
    (folder / "real/celeba/broken.png").write_bytes(b"no picture")
    (folder / "generated/beta/0000.png").write_bytes((folder / "real/celeba/0000.png").read_bytes())
    twice, broken = survey_suite(folder, SMALL)
    assert twice.endswith("left out, stands under several labels: generated/beta, real/celeba")
    assert broken.startswith(f"{folder / 'real/celeba/broken.png'}: left out, expected a PNG")


def test_progress_is_told_for_every_image(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    folder = write_dataset(tmp_path, {"real/celeba": 6, "generated/beta": 4})
    survey_suite(folder, SMALL, lambda done, total: told.append((done, total)))
    assert told == [(done, 10) for done in range(1, 11)]
