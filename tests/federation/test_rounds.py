"""Whole rounds, through Flower's two apps in one process."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord

from manyheads_contributor.federation.client_app import app as honest
from manyheads_hub.federation import coordinator
from manyheads_hub.federation.folder import FederationFolderError
from manyheads_hub.federation.screening import RoundFailedError
from manyheads_hub.federation.server_app import FlowerExchange
from manyheads_shared.errors import DigestMismatchError, SignatureError
from manyheads_shared.federation.messages import EXAMPLES, FIGURES, ROUND, TRAINING, WEIGHTS
from manyheads_shared.federation.record import Record
from manyheads_shared.keys import make_key_files
from tests.support.federation import NODE, make_federation
from tests.support.in_process_grid import Answer


def _poisoned(value: float) -> Answer:
    def answer(message: Message, context: Context) -> Message:
        reply = honest(message, context)
        arrays = reply.content.array_records[WEIGHTS]
        for name in arrays:
            arrays[name] = Array(np.full(arrays[name].shape, value, np.float32))
        return reply

    return answer


def _claiming(count: int) -> Answer:
    def answer(message: Message, context: Context) -> Message:
        reply = honest(message, context)
        metrics: MetricRecord = reply.content.metric_records[FIGURES]
        metrics[EXAMPLES] = count
        return reply

    return answer


def _silent(message: Message, context: Context) -> None:
    return None


def _states(record: Record, index: int) -> list[str]:
    return [entry.parties[index].state for entry in record.rounds]


def test_parties_train_and_the_loss_falls(tmp_path: Path) -> None:
    record = make_federation(tmp_path, 3, rounds=4).run()
    losses = [sum(party.loss or 0 for party in entry.parties) for entry in record.rounds]
    assert losses[-1] < losses[0]
    assert record.measurement is not None


@pytest.mark.parametrize("answer", [_poisoned(float("nan")), _poisoned(1e3), _claiming(10**9), _claiming(-5)])
def test_a_round_goes_on_without_a_party_that_cheats(answer: Answer, tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 4, quorum=3)
    federation.misbehave(0, answer)
    record = federation.run()
    assert _states(record, 0) == ["rejected", "rejected"]
    assert [entry.parties[1].influence for entry in record.rounds] == pytest.approx([1 / 3] * 2)


def test_a_party_that_dies_and_comes_back_misses_its_rounds_alone(tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 3, rounds=3, quorum=2)

    def dies_in_round_2(message: Message, context: Context) -> Message | None:
        dead = message.content.config_records[TRAINING][ROUND] == 2
        return None if dead else honest(message, context)

    federation.misbehave(1, dies_in_round_2)
    assert _states(federation.run(), 1) == ["accepted", "absent", "accepted"]


def test_a_round_waits_for_no_node_that_is_not_there(tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 3, quorum=2, round_seconds=1)
    federation.nodes[NODE].online = False
    assert _states(federation.run(), 0) == ["absent", "absent"]


def test_a_round_without_a_quorum_fails_aloud_and_leaves_everything_as_it_was(tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 3)
    federation.misbehave(2, _silent)
    with pytest.raises(RoundFailedError, match=r"expected 3 updates.*party2 absent: no answer in time"):
        federation.run()
    assert federation.folder.read().rounds == ()


def test_only_nodes_of_the_plan_are_asked(tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 2)
    federation.nodes[666] = federation.nodes[NODE]
    grid = federation.grid
    coordinator.run_federation(federation.folder, FlowerExchange(grid), federation.signer)
    assert {message.metadata.dst_node_id for message in grid.sent} == {NODE, NODE + 1}


def test_a_killed_coordinator_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole, broken = make_federation(tmp_path / "a", 2, rounds=3), make_federation(tmp_path / "b", 2, rounds=3)

    def dies_once(message: Message, context: Context) -> Message | None:
        if message.content.config_records[TRAINING][ROUND] == 2:
            raise KeyboardInterrupt
        return honest(message, context)

    broken.misbehave(1, dies_once)
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    broken.misbehave(1, honest)
    assert len(broken.folder.read().rounds) == 1
    assert broken.run().rounds[-1].weights == whole.run().rounds[-1].weights


def test_weights_without_their_line_are_made_again(tmp_path: Path) -> None:
    """Killed between the two files of a round: the record decides."""
    federation = make_federation(tmp_path, 2, rounds=1)
    first = federation.run()
    lines = federation.folder.record.read_bytes().split(b"\n")
    federation.folder.record.write_bytes(lines[0] + b"\n" + lines[1][:100])  # a line of which a kill left a part
    assert federation.run().rounds[0].weights == first.rounds[0].weights


def test_weights_that_were_exchanged_are_refused(tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 2, rounds=1)
    other = make_federation(tmp_path / "other", 2, rounds=1, seed=1)
    federation.folder.weights(0).write_bytes(other.folder.weights(0).read_bytes())
    with pytest.raises(DigestMismatchError):
        federation.run()


def test_two_coordinators_are_not_at_one_training(tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 2)
    with federation.folder.held(), pytest.raises(FederationFolderError, match="another coordinator"):
        federation.run()


def test_a_record_goes_on_with_its_own_key_alone(tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 2)
    federation.key = make_key_files(tmp_path / "another.pem").private
    with pytest.raises(SignatureError, match="expected the same key"):
        federation.run()


@pytest.mark.parametrize(
    ("strategy", "values"),
    [
        ("fedprox", {"proximal_strength": 0.1}),
        ("fedadam", {"server_learning_rate": 0.01}),
        ("median", {"faulty_parties": 1}),
        ("trimmed-mean", {"faulty_parties": 1}),
        ("krum", {"faulty_parties": 1}),
        ("multi-krum", {"faulty_parties": 1}),
        ("bulyan", {"faulty_parties": 1}),
    ],
)
def test_every_strategy_runs_and_names_its_influences(strategy: str, values: dict[str, Any], tmp_path: Path) -> None:
    federation = make_federation(tmp_path, 7, strategy=strategy, rounds=2, **values)
    entry = federation.run().rounds[-1]
    influences = [party.influence for party in entry.parties]
    if strategy in ("median", "trimmed-mean", "bulyan"):
        assert influences == [None] * 7
    else:
        assert sum(share or 0 for share in influences) == pytest.approx(1)


def test_hostile_arrays_cost_their_sender_the_round(tmp_path: Path) -> None:
    def bomb(message: Message, context: Context) -> Message:
        reply = honest(message, context)
        promise = b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999,), }".ljust(117) + b"\n"
        header = np.lib.format.magic(1, 0) + b"\x76\x00" + promise
        arrays = {"trunk.conv1.weight": Array(dtype="float32", shape=(3, 3, 3, 3), stype="numpy.ndarray", data=header)}
        reply.content[WEIGHTS] = ArrayRecord(arrays)
        return reply

    federation = make_federation(tmp_path, 3, quorum=2, rounds=1)
    federation.misbehave(0, bomb)
    (entry,) = federation.run().rounds
    assert entry.parties[0].state == "rejected"
    assert "promises float32 (9999999999,)" in entry.parties[0].reasons[0]
