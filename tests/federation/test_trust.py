"""The strategy `trust`: updates are held against that of the maintainer's own party."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, Context, Message

from manyheads_contributor.federation.client_app import app as honest
from manyheads_hub.federation.primary import package_federation, record_path
from manyheads_hub.federation.screening import TrustedPartyMissingError
from manyheads_shared.artifact import read_primary
from manyheads_shared.errors import UsageError
from manyheads_shared.federation.aggregation import Trust, aggregate
from manyheads_shared.federation.messages import WEIGHTS
from manyheads_shared.federation.plan import Plan, TrustingPlan
from manyheads_shared.federation.record import PartyRound, Round, read_record, split_lines
from manyheads_shared.federation.verification import broken_by, verify_federation
from manyheads_shared.federation.weighting import trusted_influences
from tests.support.federation import Federation, make_federation

TRUST = Trust(row=0, cap=1.0)


def _made(*changes: list[float], trust: Trust = TRUST) -> tuple[list[float], tuple[float, ...]]:
    made = aggregate(np.array(changes), "trust", shares=(), faulty=0, trust=trust)
    assert made.influences is not None
    return made.change.tolist(), made.influences


def test_a_change_the_other_way_round_counts_for_nothing() -> None:
    assert _made([1.0, 2.0], [-1.0, -2.0], [-3.0, 1.0]) == ([1.0, 2.0], (1.0, 0.0, 0.0))


def test_most_parties_may_lie_and_the_change_is_the_honest_ones() -> None:
    change, influences = _made([1.0, 0.0], [1.0, 0.0], *[[-5.0, 0.1]] * 8)
    assert change == pytest.approx([1.0, 0.0])
    assert influences == pytest.approx([0.5, 0.5, *[0.0] * 8])


def test_a_huge_change_counts_for_no_more_than_the_trusted_one() -> None:
    change, influences = _made([1.0, 0.0], [1e9, 0.0])
    assert change == pytest.approx([1.0, 0.0])
    assert influences == pytest.approx([0.5, 0.5])


def test_a_change_half_the_trusted_way_counts_by_its_cosine() -> None:
    _, influences = _made([2.0, 0.0], [3.0, 4.0])  # cosine 0.6
    assert influences == pytest.approx([1 / 1.6, 0.6 / 1.6])


def test_the_cap_holds_for_all_but_the_trusted_party() -> None:
    assert trusted_influences([1.0, 1.0, 1.0], 0, 0.2) == pytest.approx([0.6, 0.2, 0.2])
    assert trusted_influences([1.0, 0.0, 0.1], 0, 0.05) == pytest.approx([0.95, 0.0, 0.05])


def _federation(folder: Path, **values: Any) -> Federation:
    return make_federation(folder, 4, strategy="trust", trusted_party="party3", **values)


def _flipped(message: Message, context: Context) -> Message:
    sent = {name: array.numpy() for name, array in message.content.array_records[WEIGHTS].items()}
    reply = honest(message, context)
    arrays = reply.content.array_records[WEIGHTS]
    for name in arrays:
        arrays[name] = Array((2 * sent[name] - arrays[name].numpy()).astype(np.float32))
    return reply


def test_a_federation_with_a_trusted_party_counts_a_flipped_sign_for_nothing_and_its_record_verifies(tmp_path: Path) -> None:
    federation = _federation(tmp_path)
    federation.misbehave(0, _flipped)
    federation.run()
    package_federation(federation.folder, tmp_path / "faces.safetensors", federation.signer)
    record = read_record(split_lines(record_path(tmp_path / "faces.safetensors").read_bytes()))
    verify_federation(record, read_primary((tmp_path / "faces.safetensors").read_bytes()))
    for entry in record.rounds:
        liar, *owners, trusted = [party.influence or 0 for party in entry.parties]
        assert liar == 0 < min(owners)
        assert max(owners) < trusted


def test_without_the_trusted_party_a_round_fails_and_says_so(tmp_path: Path) -> None:
    federation = _federation(tmp_path, quorum=2)
    federation.misbehave(3, lambda message, context: None)  # noqa: ARG005
    with pytest.raises(TrustedPartyMissingError, match=r"the trusted party.*party3 absent: no answer in time"):
        federation.run()
    assert federation.folder.read().rounds == ()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"strategy": "trust"}, "name the maintainer's own party"),
        ({"trusted_party": "party0"}, "only with it"),
        ({"strategy": "trust", "trusted_party": "eve"}, "one of the plan's parties, got eve"),
        ({"strategy": "trust", "trusted_party": "party0", "faulty_parties": 1}, "expected faulty_parties 0"),
        ({"strategy": "trust", "trusted_party": "party0", "weighting": "examples"}, "knows no weights"),
        (
            {
                "strategy": "trust",
                "trusted_party": "party0",
                "privacy": {"clip_norm": 1.0, "noise_multiplier": 4.0, "delta": 1e-5},
            },
            "plain mean",
        ),
    ],
)
def test_a_plan_that_trusts_amiss_is_refused(values: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        make_federation(tmp_path, 2, **values)


def test_only_a_plan_that_trusts_is_of_version_2(tmp_path: Path) -> None:
    old, new = make_federation(tmp_path / "old", 2).plan, _federation(tmp_path / "new").plan
    assert (type(old), type(new)) == (Plan, TrustingPlan)
    assert (old.format, new.format) == ("manyheads.federation-plan/1", "manyheads.federation-plan/2")
    assert new.trusted == new.parties[3]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Round, Plan]:
    federation = _federation(tmp_path_factory.mktemp("told"), rounds=1, influence_cap=0.4)
    record = federation.run()
    return record.rounds[0], record.plan


def _retold(entry: Round, **shares: float) -> Round:
    parties: list[PartyRound] = [
        party.model_copy(update={"influence": shares.get(party.party, party.influence)}) for party in entry.parties
    ]
    return entry.model_copy(update={"parties": tuple(parties)})


def test_a_round_that_trusts_against_its_plan_is_found(told: tuple[Round, Plan]) -> None:
    entry, plan = told
    assert broken_by(entry, plan) is None
    assert "more than the trusted one" in str(broken_by(_retold(entry, party0=0.39, party3=0.1), plan))
    assert "the cap 0.4" in str(broken_by(_retold(entry, party0=0.45, party3=0.55), plan))
    assert "do not add up" in str(broken_by(_retold(entry, party0=0.0, party1=0.0, party2=0.0, party3=0.9), plan))
    assert "times the trusted party's" in str(broken_by(entry.model_copy(update={"norm": 1e6}), plan))
    absent = tuple(party.model_copy(update={"state": "absent", "influence": 0.0}) for party in entry.parties[3:])
    missing = entry.model_copy(update={"parties": (*entry.parties[:3], *absent)})
    assert "no accepted update of the trusted party" in str(broken_by(missing, plan.model_copy(update={"quorum": 2})))
