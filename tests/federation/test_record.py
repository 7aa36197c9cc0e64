import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from manyheads_contributor.federation.own_updates import verify_own_updates
from manyheads_hub.federation.primary import package_federation, record_path
from manyheads_shared.artifact import PrimaryArtifact, read_primary
from manyheads_shared.chain import Head
from manyheads_shared.errors import ChainError, FederationRecordError, ManifestError, SignatureError, UsageError
from manyheads_shared.federation.privacy import spent_epsilon
from manyheads_shared.federation.record import Line, Record, read_record, sign_line, split_lines
from manyheads_shared.federation.verification import verify_federation
from tests.support.federation import Federation, make_federation
from tests.support.makers import make_primary


@dataclass(frozen=True)
class Finished:
    """A training that was packaged."""

    federation: Federation
    artifact: Path

    @property
    def lines(self) -> list[bytes]:
        return split_lines(record_path(self.artifact).read_bytes())

    @property
    def record(self) -> Record:
        return read_record(self.lines, self.federation.signer.public_key)

    @property
    def primary(self) -> PrimaryArtifact:
        return read_primary(self.artifact.read_bytes())

    def retold(self, index: int, signer: CryptoSigner | None = None, **changes: Any) -> Record:
        """The record with one line changed and everything after it signed again: what a lying maintainer can do."""
        record = self.record
        links: list[Line] = [
            record.opening,
            *record.rounds,
            *([record.measurement] if record.measurement else []),
            *([record.outcome] if record.outcome else []),
        ]
        links[index] = links[index].model_copy(update=changes)
        told, head = [], Head(0, record.opening.previous)
        for link in links:
            link = link.model_copy(update={"sequence": head.sequence + 1, "previous": head.digest})  # noqa: PLW2901
            told.append(sign_line(link, signer or self.federation.signer))
            head = Head(link.sequence, link.digest)
        return read_record(told)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    federation = make_federation(folder, 3)
    federation.run()
    package_federation(federation.folder, folder / "faces.safetensors", federation.signer)
    return Finished(federation, folder / "faces.safetensors")


def test_a_record_is_verified_with_its_primary(finished: Finished) -> None:
    outcome = verify_federation(finished.record, finished.primary)
    assert outcome.primary == finished.primary.digest
    assert finished.primary.manifest.training.recipe == finished.record.plan.digest


def test_packaging_again_gives_the_same_artifact(finished: Finished) -> None:
    """As after a kill between artifact and record."""
    before = finished.artifact.read_bytes(), finished.lines
    package_federation(finished.federation.folder, finished.artifact, finished.federation.signer)
    assert (finished.artifact.read_bytes(), finished.lines) == before


def test_a_line_that_was_changed_taken_out_or_moved_shows(finished: Finished) -> None:
    lines = finished.lines
    with pytest.raises(ChainError):
        read_record([lines[0], *lines[2:]])
    with pytest.raises(ChainError):
        read_record([lines[0], lines[2], lines[1], *lines[3:]])
    envelope = json.loads(lines[1])
    broken = json.dumps(
        envelope | {"payload": envelope["payload"][:-4] + "AAAA"}, sort_keys=True, separators=(",", ":")
    ).encode()
    with pytest.raises((SignatureError, ManifestError)):
        read_record([lines[0], broken, *lines[2:]])


def test_a_record_of_another_key_is_refused(finished: Finished) -> None:
    with pytest.raises(SignatureError):
        read_record(finished.lines, CryptoSigner.generate_ed25519().public_key)


def test_a_line_that_a_kill_left_half_written_is_none(finished: Finished) -> None:
    data = record_path(finished.artifact).read_bytes()
    assert split_lines(data[:-10]) == finished.lines[:-1]


def test_a_record_without_its_end_is_not_verified(finished: Finished) -> None:
    record = read_record(finished.lines[:-1])
    with pytest.raises(FederationRecordError, match="not finished"):
        verify_federation(record, finished.primary)


def test_the_record_of_another_primary_is_refused(finished: Finished) -> None:
    with pytest.raises(FederationRecordError, match="the artifact"):
        verify_federation(finished.record, make_primary())


def _parties(finished: Finished, **changes: Any) -> dict[str, Any]:
    first, *others = finished.record.rounds[0].parties
    return {"parties": (first.model_copy(update=changes), *others)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"influence": 0.9}, "not those of weighting equal"),
        ({"state": "rejected", "influence": 0.0}, "too few for quorum"),
        ({"update": None}, "without digest"),
        ({"party": "eve"}, "a line for each party"),
    ],
)
def test_a_round_that_breaks_the_plan_is_found_though_it_is_signed(
    changes: dict[str, Any], reason: str, finished: Finished
) -> None:
    record = finished.retold(1, **_parties(finished, **changes))
    with pytest.raises(FederationRecordError, match=f"round 1: .*{reason}"):
        verify_federation(record, finished.primary)


def test_an_epsilon_that_the_noise_does_not_come_to_is_found(finished: Finished) -> None:
    with pytest.raises(FederationRecordError, match="privacy"):
        verify_federation(finished.retold(-1, epsilon=1.0), finished.primary)


def test_a_party_finds_its_own_updates_in_the_record(finished: Finished) -> None:
    (sent,) = (finished.federation.sites[0].parent / "work").glob("*/sent.jsonl")
    assert verify_own_updates(finished.record, "party0", sent) == 2
    with pytest.raises(FederationRecordError, match="did not send"):
        verify_own_updates(finished.record, "party1", sent)
    with pytest.raises(UsageError, match="no party"):
        verify_own_updates(finished.record, "eve", sent)


def test_under_privacy_the_record_states_what_was_spent(tmp_path: Path) -> None:
    privacy = {"clip_norm": 0.5, "noise_multiplier": 4.0, "delta": 1e-5}
    federation = make_federation(tmp_path, 2, privacy=privacy)
    record = federation.run()
    assert record.measurement is None
    with pytest.raises(UsageError, match="--public"):
        package_federation(federation.folder, tmp_path / "p.safetensors", federation.signer)
    public = federation.sites[0].parent / "images"
    artifact, outcome = package_federation(federation.folder, tmp_path / "p.safetensors", federation.signer, public=public)
    assert outcome.epsilon == spent_epsilon(4.0, 2, 1e-5)
    assert outcome.statistics == "public images"
    assert artifact.manifest.training.images == 80


def test_every_line_names_its_kind(finished: Finished) -> None:
    record = finished.record
    links = [record.opening, *record.rounds, record.measurement, record.outcome]
    assert [link.format if link else None for link in links] == [
        f"manyheads.federation-{kind}/1" for kind in ("opening", "round", "round", "measurement", "outcome")
    ]
