import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyheads_hub.federation.screening import Screened, screen, screen_measured
from manyheads_shared.artifact import Tensors
from manyheads_shared.digest import Digest
from manyheads_shared.federation.firewall import Expected
from manyheads_shared.federation.tensors import declared_shapes
from manyheads_shared.federation.update import Received
from tests.support.federation import NODE, Federation, make_federation

VARIANCE = "trunk.norm2.running_var"
WEIGHT = "trunk.conv1.weight"


class Scene:
    """A round of four parties that has begun."""

    def __init__(self, federation: Federation) -> None:
        record = federation.folder.read()
        self.before: Tensors = federation.folder.read_state(record).tensors
        self.expected = Expected(record.plan, record.opening.digest, 1)
        self.earlier: set[Digest] = set()

    def honest(self, index: int) -> Received:
        draw = np.random.default_rng(index)
        weights, _ = declared_shapes(self.expected.plan)
        moved = {
            name: (self.before[name] + draw.normal(scale=0.01, size=shape)).astype(np.float32)
            for name, shape in weights.items()
        }
        return Received(str(NODE + index), self.expected.opening, 1, 40, 0.5, moved)

    def measured(self, index: int) -> Received:
        draw, (_, statistics) = np.random.default_rng(index), declared_shapes(self.expected.plan)
        found = {name: np.abs(draw.normal(size=shape)).astype(np.float32) for name, shape in statistics.items()}
        return Received(str(NODE + index), self.expected.opening, 1, 40, 0.0, statistics=found)

    def screen(self, *replies: Received) -> Screened:
        return screen(replies, self.expected, self.before, self.earlier)


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return make_federation(tmp_path_factory.mktemp("federation"), 4)


@pytest.fixture
def scene(federation: Federation) -> Scene:
    return Scene(federation)


def _with(received: Received, name: str, tensor: object) -> Received:
    return replace(received, weights={**(received.weights or {}), name: tensor})


def _times(received: Received, scene: Scene, factor: float) -> Received:
    assert received.weights is not None
    moved = {n: (scene.before[n] + factor * (t - scene.before[n])).astype(np.float32) for n, t in received.weights.items()}
    return replace(received, weights=moved)


BAD: dict[str, tuple[Callable[[Received, Scene], Received], str]] = {
    "another training": (lambda r, _: replace(r, opening="sha256:0"), "for training"),
    "a round that is over": (lambda r, _: replace(r, round=0), "of round 0"),
    "a round to come": (lambda r, _: replace(r, round=2), "of round 2"),
    "no round": (lambda r, _: replace(r, round=None), "of round None"),
    "a thousand million examples": (lambda r, _: replace(r, examples=10**9), "8 to 60 examples"),
    "a negative count": (lambda r, _: replace(r, examples=-299), "8 to 60 examples"),
    "half an example": (lambda r, _: replace(r, examples=39.5), "8 to 60 examples"),
    "a count that is none": (lambda r, _: replace(r, examples=True), "8 to 60 examples"),
    "a loss of NaN": (lambda r, _: replace(r, loss=float("nan")), "finite loss"),
    "no weights": (lambda r, _: replace(r, weights=None), "missing or too many"),
    "a tensor too many": (lambda r, _: _with(r, "extra", np.zeros(1, np.float32)), "'extra' is missing or too many"),
    "statistics in a round": (
        lambda r, s: replace(r, statistics=s.measured(3).statistics),
        "statistics: expected the 0 declared",
    ),
    "another shape": (lambda r, _: _with(r, WEIGHT, np.zeros((3, 3), np.float32)), r"float32 \[3, 3, 3, 3\]"),
    "float64": (lambda r, _: _with(r, WEIGHT, np.zeros((3, 3, 3, 3))), "got float64"),
    "no array": (lambda r, _: _with(r, WEIGHT, "zeros"), "got str"),
    "NaN": (lambda r, _: _with(r, WEIGHT, np.full((3, 3, 3, 3), np.nan, np.float32)), "NaN or infinity"),
    "ten times the change": (lambda r, s: _times(r, s, 10.0), "3 times the median"),
    "no change": (lambda r, s: _times(r, s, 0.0), "came back as they were sent"),
    "unreadable bytes": (lambda r, _: Received(r.node, unreadable="the reply cannot be read"), "cannot be read"),
}


@pytest.mark.parametrize("what", BAD)
def test_an_update_is_rejected_for(what: str, scene: Scene) -> None:
    break_it, reason = BAD[what]
    screened = scene.screen(*(scene.honest(i) for i in range(3)), break_it(scene.honest(3), scene))
    last = screened.describe({})[3]
    assert (last.state, last.influence) == ("rejected", 0)
    assert re.search(reason, "; ".join(last.reasons))
    assert len(screened.accepted) == 3


def test_little_change_is_accepted_as_when_a_schedule_ends(scene: Scene) -> None:
    little = [_times(scene.honest(i), scene, 1e-3) for i in range(3)]
    assert len(scene.screen(*little).accepted) == 3


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (np.full(8, np.inf, np.float32), "NaN or infinity"),
        (np.full(8, -1, np.float32), "negative variance"),
        (np.ones(9, np.float32), r"float32 \[8\]"),
    ],
)
def test_statistics_are_rejected_that_are_none(tensor: object, reason: str, scene: Scene) -> None:
    honest = scene.measured(1)
    lie = replace(honest, statistics={**(honest.statistics or {}), VARIANCE: tensor})
    screened = screen_measured([scene.measured(0), lie, replace(scene.measured(2), examples=10**9)], scene.expected)
    assert screened.accepted == [str(NODE)]
    assert re.search(reason, screened.reasons[str(NODE + 1)][0])


def test_batch_norms_counter_is_no_statistic(scene: Scene) -> None:
    honest = scene.measured(0)
    counted = {**(honest.statistics or {}), "trunk.norm2.num_batches_tracked": np.zeros(1, np.float32)}
    screened = screen_measured([replace(honest, statistics=counted)], scene.expected)
    assert "num_batches_tracked" in screened.reasons[str(NODE)][0]


def test_honest_updates_pass(scene: Scene) -> None:
    screened = scene.screen(*(scene.honest(i) for i in range(4)))
    assert [party.state for party in screened.describe({})] == ["accepted"] * 4


def test_a_node_that_failed_or_said_nothing_is_absent_and_not_faulty(scene: Scene) -> None:
    screened = scene.screen(scene.honest(0), Received(str(NODE + 1), error="the node failed: killed"))
    assert [party.state for party in screened.describe({})] == ["accepted", "absent", "absent", "absent"]


def test_a_stranger_is_counted_and_not_read(scene: Scene) -> None:
    screened = scene.screen(scene.honest(0), replace(scene.honest(1), node="666"))
    assert screened.strangers == 1
    assert screened.accepted == [str(NODE)]


def test_an_update_that_was_sent_before_is_rejected(scene: Scene) -> None:
    scene.earlier = {scene.screen(scene.honest(0)).updates[str(NODE)].digest}
    screened = scene.screen(*(scene.honest(i) for i in range(4)))
    assert screened.describe({})[0].reasons == ("this very update was sent in an earlier round",)


def test_two_parties_with_one_update_are_both_rejected(scene: Scene) -> None:
    copied = replace(scene.honest(0), node=str(NODE + 1))
    screened = scene.screen(scene.honest(0), copied, scene.honest(2), scene.honest(3))
    assert [party.state for party in screened.describe({})] == ["rejected", "rejected", "accepted", "accepted"]


def test_of_two_replies_the_first_counts(scene: Scene) -> None:
    screened = scene.screen(scene.honest(0), replace(scene.honest(0), examples=10**9))
    assert screened.accepted == [str(NODE)]


def test_under_privacy_a_change_that_is_not_clipped_is_rejected(tmp_path: Path) -> None:
    scene = Scene(make_federation(tmp_path, 4, privacy={"clip_norm": 0.1, "noise_multiplier": 1.0, "delta": 1e-5}))
    screened = scene.screen(scene.honest(0), _times(scene.honest(1), scene, 1e-3))
    assert "at most the clip norm 0.1" in screened.reasons[str(NODE)][0]
    assert screened.accepted == [str(NODE + 1)]
