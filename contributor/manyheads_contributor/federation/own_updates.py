"""An owner's own log against a federation's record: whether what is recorded as theirs is what they sent."""

import json
from pathlib import Path

from manyheads_shared.errors import FederationRecordError, UsageError
from manyheads_shared.federation.record import Record


def verify_own_updates(record: Record, party: str, sent: Path) -> int:
    """Verify that every update of a party in the record is one that its node sent; return how many there are.

    Raises:
        UsageError: no such party, or the log cannot be read.
        FederationRecordError: the record has an update of the party that it did not send.
    """
    if party not in [entry.name for entry in record.plan.parties]:
        raise UsageError(f"{party} is no party of this training; its parties: {', '.join(p.name for p in record.plan.parties)}")
    try:
        lines = [json.loads(line) for line in sent.read_text(encoding="utf-8").splitlines()]
        known = {(line["round"], line["update"]) for line in lines if line["training"] == record.opening.digest}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{sent}: expected the log of what a node sent: {error!r}") from error
    recorded = [(entry.round, p.update) for entry in record.rounds for p in entry.parties if p.party == party and p.update]
    if unknown := [number for number, update in recorded if (number, update) not in known]:
        raise FederationRecordError(f"round {unknown[0]}: the record has an update of {party} that this node did not send")
    return len(recorded)
