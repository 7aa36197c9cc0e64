"""Records of federated trainings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner

from manyheads_shared.chain import GENESIS
from manyheads_shared.digest import digest_bytes
from manyheads_shared.federation.plan import Party, Plan, TrustingPlan
from manyheads_shared.federation.record import (
    Measurement,
    Opening,
    Outcome,
    PartyMeasurement,
    PartyRound,
    Round,
    sign_line,
)
from manyheads_shared.keys import public_pem
from manyheads_shared.manifest import Preprocessing
from tests.golden.writers.parts import signer, write_once
from tests.support.makers import TIME

_PLAN: dict[str, Any] = {  # every number of `manyheads.federation-plan/1`
    "name": "golden",
    "version": "1",
    "architecture": "khoo2022-pixel",
    "seed": 2022,
    "rounds": 1,
    "local_steps": 20,
    "batch_size": 16,
    "learning_rate": 0.001,
    "schedule": "cosine",
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-7,
    "positive_weight": "balanced",
    "degradation": "clean",
    "batch_norm_images": 2048,
    "precision": "float32",
    "proximal_strength": 0.0,
    "weighting": "equal",
    "influence_cap": 1.0,
    "quorum": 1,
    "round_seconds": 3600,
    "min_examples": 32,
    "norm_factor": 3.0,
    "strategy": "fedavg",
    "faulty_parties": 0,
    "server_learning_rate": 1.0,
    "server_beta1": 0.9,
    "server_beta2": 0.99,
    "server_epsilon": 0.001,
    "privacy": None,
}


def write_federation(root: Path) -> None:
    """Write the record of a training: two parties, one round, a measurement, an outcome."""
    key = signer(4)
    opening = _open(Plan, {"ada": "17", "ben": str(2**64 - 1)}, key)
    accepted, rejected = _party("ada", 1.0), _party("ben", 0.0, "expected 32 to 900 examples, it claims 1000000000")
    entry = _round(opening, (accepted, rejected), norm=1.5)
    measured = Measurement.new(
        sequence=3,
        previous=entry.digest,
        opening=opening.digest,
        parties=tuple(
            PartyMeasurement(
                party=each.party,
                state=each.state,
                reasons=each.reasons,
                statistics=each.update,
                examples=each.examples,
                influence=each.influence,
            )
            for each in (accepted, rejected)
        ),
        weights=digest_bytes(b"measured"),
        ended=TIME,
    )
    outcome = Outcome.new(
        sequence=4,
        previous=measured.digest,
        opening=opening.digest,
        rounds=1,
        weights=digest_bytes(b"measured"),
        primary=digest_bytes(b"primary"),
        epsilon=None,
        statistics="parties",
        created=TIME,
    )
    _write(root / "v1", (opening, entry, measured, outcome), key)


def write_trust(root: Path) -> None:
    """Write the beginning of a record whose plan trusts a party: the opening and a round."""
    key, nodes = signer(4), {"ada": "17", "ben": str(2**64 - 1), "hub": "19"}
    changed = {"strategy": "trust", "influence_cap": 0.5, "quorum": 2, "trusted_party": "hub"}
    opening = _open(TrustingPlan, nodes, key, **changed)
    parties = tuple(_party(name, influence) for name, influence in (("ada", 0.25), ("ben", 0.0), ("hub", 0.75)))
    _write(root / "v2", (opening, _round(opening, parties, norm=1.25)), key)


def _open(kind: type[Plan], nodes: Mapping[str, str], key: CryptoSigner, **changed: Any) -> Opening:
    plan = kind.new(
        **_PLAN | changed,
        preprocessing=Preprocessing(representation="pixel", image_size=64, fit="resize"),
        initial=digest_bytes(b"initial"),
        parties=tuple(Party(name=name, node=node, max_examples=900) for name, node in nodes.items()),
        created=TIME,
    )
    return Opening.new(sequence=1, previous=GENESIS, plan=plan, public_key=public_pem(key.public_key))


def _party(name: str, influence: float, reason: str | None = None) -> PartyRound:
    """A party's line: what it sent was accepted, or rejected for a reason."""
    return PartyRound(
        party=name,
        state="rejected" if reason else "accepted",
        reasons=(reason,) if reason else (),
        update=None if reason else digest_bytes(name.encode()),
        examples=None if reason else 800,
        loss=None if reason else 0.25,
        norm=None if reason else 1.5,
        influence=influence,
    )


def _round(opening: Opening, parties: tuple[PartyRound, ...], *, norm: float) -> Round:
    return Round.new(
        sequence=2,
        previous=opening.digest,
        opening=opening.digest,
        round=1,
        parties=parties,
        strangers=0,
        faulty_parties=0,
        norm=norm,
        weights=digest_bytes(b"weights"),
        began=TIME,
        ended=TIME,
    )


def _write(folder: Path, lines: Sequence[Opening | Round | Measurement | Outcome], key: CryptoSigner) -> None:
    write_once({folder / "federation.jsonl": b"".join(sign_line(line, key) + b"\n" for line in lines)})
