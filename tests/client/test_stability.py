import numpy as np
import pytest

from manyheads_client import Attribution, Bundle, attribute
from manyheads_client.stability import MILD_CHANGES, change_mildly
from manyheads_shared.decision import State
from manyheads_shared.image import Pixels


def test_mild_changes_are_mild(images: list[Pixels]) -> None:
    for name, changed in change_mildly(images[0]).items():
        original = images[0][1:, 1:] if "cut off" in name else images[0]
        assert changed.shape == original.shape
        assert np.abs(changed.astype(int) - original).mean() < 10  # 4:2:0 costs saturated edges most


@pytest.fixture(scope="module")
def tried(bundle: Bundle, images: list[Pixels]) -> list[Attribution]:
    results = attribute(images, bundle, device="cpu", precision="float32", stability=True)
    return [result for result in results if isinstance(result, Attribution)]


def test_every_mild_change_is_a_trial_in_the_record(tried: list[Attribution]) -> None:
    for result in tried:
        assert result.record.trials is not None
        assert [trial.change for trial in result.record.trials] == list(MILD_CHANGES)


def test_what_does_not_survive_them_is_inconclusive_and_says_so(tried: list[Attribution]) -> None:
    moved = 0
    for record in (result.record for result in tried):
        assert record.trials is not None
        survives = all((trial.state, trial.claimed_by) == (record.scores_say, record.claimed_by) for trial in record.trials)
        doubted = any("does not survive" in doubt for doubt in record.doubts)
        assert doubted is (not survives and record.scores_say is not State.INCONCLUSIVE)
        if doubted:
            moved += 1
            assert record.state is State.INCONCLUSIVE
    assert moved


def test_stability_is_not_tested_unless_asked_for(bundle: Bundle, images: list[Pixels]) -> None:
    (result,) = attribute(images[:1], bundle, device="cpu", precision="float32")
    assert isinstance(result, Attribution)
    assert result.record.trials is None
