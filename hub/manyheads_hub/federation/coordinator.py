"""The rounds of a federated training, from the first or from where a killed coordinator stood.

It speaks to parties through an `Exchange`: Flower's grid in `server_app`. What a round comes to is for `deciding`.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from securesystemslib.signer import CryptoSigner

from manyheads_hub.federation.deciding import decide_measurement, decide_round
from manyheads_hub.federation.folder import FederationFolder
from manyheads_shared.artifact import Tensors
from manyheads_shared.chain import Head
from manyheads_shared.clock import now
from manyheads_shared.errors import SignatureError
from manyheads_shared.federation.firewall import Expected
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.record import Measurement, Record, Round, next_place, sent_updates, sign_line
from manyheads_shared.federation.tensors import digest_tensors
from manyheads_shared.federation.update import Received


@dataclass(frozen=True)
class Task:
    """What parties are asked for."""

    plan: Plan
    opening: bytes  # the record's first line: the signed plan
    line: bytes  # its last one, which names the tensors
    round: int  # one beyond the last for the measurement
    tensors: Tensors


class Exchange(Protocol):
    """The way to the parties."""

    def train(self, task: Task) -> Sequence[Received]:
        """Have every party that is there train a round; what came back in the plan's time."""
        ...

    def measure(self, task: Task) -> Sequence[Received]:
        """Have every party that is there measure the statistics of batch norm; what came back in the plan's time."""
        ...


def run_federation(
    folder: FederationFolder, exchange: Exchange, signer: CryptoSigner, say: Callable[[str], None] = lambda _: None
) -> Record:
    """Run the rounds that are missing, and the measurement; the record then lacks its outcome alone.

    Killed at any moment and started again, it goes on after the last round in the record: weights are written before the line
    that names them.

    Raises:
        SignatureError: `signer` is not the key of the record.
        RoundFailedError: too few updates came or passed.
        FederationFolderError, FormatError, VerificationError: the folder is not what its record says.
    """
    with folder.held():
        record = folder.read()
        if record.key.keyid != signer.public_key.keyid:
            raise SignatureError(
                f"{folder.path}: the record is signed by {record.key.keyid[:12]}, expected the same key to go on"
            )
        say(f"{record.plan.name}@{record.plan.version}: {len(record.rounds)} of {record.plan.rounds} rounds are done")
        if record.plan.privacy is None:
            say("no differential privacy: updates leave the parties as they are, and weights may show single images")
        while len(record.rounds) < record.plan.rounds:
            record = run_round(folder, record, exchange, signer)
            say(describe(record.rounds[-1]))
        if record.measurement is None and record.plan.privacy is None:
            record = run_measurement(folder, record, exchange, signer)
            say("statistics of batch norm are measured")
        return record


def run_round(folder: FederationFolder, record: Record, exchange: Exchange, signer: CryptoSigner) -> Record:
    """Run the next round and write it down."""
    state, number, began = folder.read_state(record), len(record.rounds) + 1, now()
    replies = exchange.train(Task(record.plan, folder.opening_line(), folder.last_line(), number, state.tensors))
    decided = decide_round(
        replies,
        Expected(record.plan, record.opening.digest, number),
        state,
        earlier=sent_updates(record.rounds),
        random=np.random.default_rng(secrets.randbits(256)),  # the system's, and nowhere written: see `privacy`
    )
    folder.write_state(number, decided.state)
    entry = Round.new(
        **next_place(record),
        opening=record.opening.digest,
        round=number,
        parties=decided.parties,
        strangers=decided.strangers,
        faulty_parties=decided.faulty,
        norm=decided.norm,
        weights=digest_tensors(decided.state.tensors),
        began=began,
        ended=now(),
    )
    folder.append(sign_line(entry, signer))
    return replace(record, rounds=(*record.rounds, entry), head=Head(entry.sequence, entry.digest))


def run_measurement(folder: FederationFolder, record: Record, exchange: Exchange, signer: CryptoSigner) -> Record:
    """Have statistics measured under the last weights and write it down."""
    state, number = folder.read_state(record), len(record.rounds) + 1
    replies = exchange.measure(Task(record.plan, folder.opening_line(), folder.last_line(), number, state.tensors))
    decided = decide_measurement(replies, Expected(record.plan, record.opening.digest, number), state.tensors)
    folder.write_measured(decided.tensors)
    entry = Measurement.new(
        **next_place(record),
        opening=record.opening.digest,
        parties=decided.parties,
        weights=digest_tensors(decided.tensors),
        ended=now(),
    )
    folder.append(sign_line(entry, signer))
    return replace(record, measurement=entry, head=Head(entry.sequence, entry.digest))


def describe(entry: Round) -> str:
    """A round in one line, and a line for every party that did not count."""
    accepted = [party for party in entry.parties if party.state == "accepted"]
    losses = [party.loss for party in accepted if party.loss is not None]
    first = f"round {entry.round}: {len(accepted)} of {len(entry.parties)} updates, mean loss {sum(losses) / len(losses):.4f}"
    others = [f"  {p.party} {p.state}: {'; '.join(p.reasons)}" for p in entry.parties if p.state != "accepted"]
    return "\n".join([first, *others])
