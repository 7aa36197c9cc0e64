"""The benchmark's attacks against the real firewall and the strategies, in one round of parties with like images."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.federation.attacks import ATTACKS, Part
from benchmarks.federation.data import PATCH, patched
from manyheads_contributor.federation.local_training import Trained
from manyheads_contributor.federation.materials import prepare_materials
from manyheads_hub.federation.screening import Screened, screen
from manyheads_shared.compute import choose_compute
from manyheads_shared.federation.aggregation import aggregate
from manyheads_shared.federation.firewall import Expected
from manyheads_shared.federation.update import Received
from tests.support.federation import NODE, Federation, make_federation

CPU = choose_compute("cpu", "float32")
PARTIES = 6
CAUGHT = {"scaling", "NaN", "absurd count"}


class Round:
    """A round of five honest parties and one that attacks."""

    def __init__(self, federation: Federation, folder: Path) -> None:
        record = federation.folder.read()
        self.expected = Expected(record.plan, record.opening.digest, 1)
        self.before = federation.folder.read_state(record).tensors
        self.parts = [self._part(federation, folder, i) for i in range(PARTIES)]
        self.honest = [self._reply(i, part.train()) for i, part in enumerate(self.parts)]

    def attacked(self, attack: str) -> Screened:
        last = self._reply(PARTIES - 1, ATTACKS[attack](self.parts[-1]))
        return screen([*self.honest[:-1], last], self.expected, self.before, ())

    def _part(self, federation: Federation, folder: Path, index: int) -> Part:
        images = federation.sites[index].parent / "images"
        materials = prepare_materials(images, folder / f"work{index}", self.expected.plan.preprocessing)
        return Part(self.before, 1, self.expected.plan, materials, folder / f"party{index}", CPU)

    def _reply(self, index: int, trained: Trained) -> Received:
        return Received(str(NODE + index), self.expected.opening, 1, trained.examples, trained.loss, trained.tensors)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Round:
    folder = tmp_path_factory.mktemp("attacks")
    return Round(make_federation(folder, PARTIES), folder)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_firewall_catches_what_is_no_update_and_nobody_honest(attack: str, begun: Round) -> None:
    screened = begun.attacked(attack)
    states = [party.state for party in screened.describe({})]
    assert states == ["accepted"] * (PARTIES - 1) + ["rejected" if attack in CAUGHT else "accepted"]


@pytest.mark.parametrize("attack", ["label flip", "sign flip"])  # a backdoor's update is mostly an honest one
def test_a_trimmed_mean_stays_nearer_to_the_honest_than_a_mean(attack: str, begun: Round) -> None:
    screened = begun.attacked(attack)
    changes = np.stack([screened.changes[node] for node in screened.accepted])
    honest = changes[:-1].mean(axis=0)
    trimmed = aggregate(changes, "trimmed-mean", shares=(), faulty=1).change
    mean = aggregate(changes, "fedavg", shares=(1 / PARTIES,) * PARTIES, faulty=0).change
    assert np.linalg.norm(trimmed - honest) < np.linalg.norm(mean - honest)


def test_the_backdoors_mark_is_in_one_corner() -> None:
    marked = patched(np.full((2, 32, 32, 3), 100, np.uint8))
    assert (marked != 100).any(axis=(0, 3)).sum() == PATCH * PATCH
    assert (marked[:, :-PATCH, :-PATCH] == 100).all()
