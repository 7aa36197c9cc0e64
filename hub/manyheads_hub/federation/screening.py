"""The replies of a round through the firewall: which updates count, and of every party what became of its own. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads_hub.errors import HubError
from manyheads_shared.artifact import Tensors
from manyheads_shared.digest import Digest
from manyheads_shared.federation.firewall import Expected, check_copies, check_measured, check_norms, check_update
from manyheads_shared.federation.plan import Party, Plan
from manyheads_shared.federation.record import PartyMeasurement, PartyRound, State
from manyheads_shared.federation.strategy import parties_needed
from manyheads_shared.federation.tensors import declared_shapes, flatten
from manyheads_shared.federation.update import Received, Update, as_update
from manyheads_shared.federation.verification import faulty_left


class RoundFailedError(HubError):
    """Too few updates to keep the plan; nothing was aggregated, and the training stands where it stood."""


class TrustedPartyMissingError(RoundFailedError):
    """No usable update of the party that the plan holds the others against."""


_GO_ON = "Nothing was aggregated; mend it and start the run again, it goes on from here"


@dataclass(frozen=True)
class Screened:
    """Replies after the firewall, by node."""

    plan: Plan
    replies: Mapping[str, Received]  # the first of each node
    reasons: Mapping[str, Sequence[str]]  # why it was refused; empty: it was not
    updates: Mapping[str, Update]  # of those that could be read
    changes: Mapping[str, NDArray[np.float64]]  # (d,) of each update's weights

    @property
    def accepted(self) -> list[str]:
        """Nodes whose updates count, in the plan's order."""
        return [party.node for party in self.plan.parties if self.state(party.node) == "accepted"]

    @property
    def faulty(self) -> int:
        """Updates among the accepted that the strategy must still withstand."""
        return faulty_left(self.plan, sum(1 for party in self.plan.parties if self.state(party.node) == "rejected"))

    @property
    def strangers(self) -> int:
        """Replies from nodes of no party."""
        return sum(1 for node in self.replies if self.plan.party_of(node) is None)

    def state(self, node: str) -> State:
        """What became of a party's reply."""
        if node not in self.replies or self.replies[node].error is not None:
            return "absent"
        return "rejected" if self.reasons[node] else "accepted"

    def describe(self, influence: Mapping[str, float | None]) -> tuple[PartyRound, ...]:
        """Every party's line of the record, in the plan's order."""
        return tuple(self._line(party.name, party.node, influence) for party in self.plan.parties)

    def _line(self, name: str, node: str, influence: Mapping[str, float | None]) -> PartyRound:
        update, change = self.updates.get(node), self.changes.get(node)
        return PartyRound(
            party=name,
            state=self.state(node),
            reasons=tuple(self.reasons.get(node, ["no answer in time"])),
            update=update.digest if update else None,
            examples=update.examples if update else None,
            loss=update.loss if update else None,
            norm=None if change is None else float(np.linalg.norm(change)),
            influence=influence.get(node, 0.0),
        )


def screen(replies: Sequence[Received], expected: Expected, before: Tensors, earlier: Collection[Digest]) -> Screened:
    """Check every update by itself, its norm beside the others', and for copies.

    Args:
        before: the tensors that the round began with.
        earlier: digests of the updates of all earlier rounds.
    """
    plan = expected.plan
    names = list(declared_shapes(plan)[0])
    start = flatten(before, names)
    first = _first_replies(replies)
    reasons = {node: check_update(reply, expected) for node, reply in first.items()}
    updates = {node: as_update(first[node]) for node, why in reasons.items() if not why}
    changes = {node: flatten(update.weights, names) - start for node, update in updates.items()}
    norms = {node: float(np.linalg.norm(change)) for node, change in changes.items()}
    digests = {node: update.digest for node, update in updates.items()}
    for found in (check_norms(norms, plan), check_copies(digests, earlier)):
        for node, reason in found.items():
            reasons[node].append(reason)
    return Screened(plan, first, reasons, updates, changes)


def screen_measured(replies: Sequence[Received], expected: Expected) -> Screened:
    """Check statistics of the last weights."""
    first = _first_replies(replies)
    reasons = {node: check_measured(reply, expected) for node, reply in first.items()}
    updates = {node: as_update(first[node]) for node, why in reasons.items() if not why}
    return Screened(expected.plan, first, reasons, updates, {})


def describe_measured(screened: Screened, influence: Mapping[str, float | None]) -> tuple[PartyMeasurement, ...]:
    """Every party's line of the record of a measurement, in the plan's order."""
    return tuple(
        PartyMeasurement(
            party=line.party,
            state=line.state,
            reasons=line.reasons,
            statistics=line.update,
            examples=line.examples,
            influence=line.influence,
        )
        for line in screened.describe(influence)
    )


def require_enough(screened: Screened, what: str, *, robust: bool) -> None:
    """Refuse to go on with too few accepted updates.

    Args:
        what: the round, for the message.
        robust: whether the strategy's own need counts too.

    Raises:
        RoundFailedError: they are too few; the message says what became of every party.
    """
    plan, count = screened.plan, len(screened.accepted)
    needed = max(plan.quorum, parties_needed(plan.strategy, screened.faulty) if robust else 0)
    if count < needed:
        verdicts = "; ".join(_verdict(screened, party) for party in plan.parties if screened.state(party.node) != "accepted")
        raise RoundFailedError(
            f"{what}: expected {needed} updates (quorum {plan.quorum}, {plan.strategy}), accepted {count} ({verdicts[:1000]}). "
            f"{_GO_ON}"
        )


def require_trusted(screened: Screened, what: str) -> None:
    """Refuse to go on without the update that the others are held against, where the plan names one.

    Raises:
        TrustedPartyMissingError: it was not accepted; the message says why.
    """
    trusted = screened.plan.trusted
    if trusted is not None and screened.state(trusted.node) != "accepted":
        raise TrustedPartyMissingError(
            f"{what}: expected an update of the trusted party, by which the others are weighed; {_verdict(screened, trusted)}. "
            f"{_GO_ON}"
        )


def _verdict(screened: Screened, party: Party) -> str:
    reasons = screened.reasons.get(party.node, ["no answer in time"])
    return f"{party.name} {screened.state(party.node)}: {', '.join(reasons)}"


def _first_replies(replies: Sequence[Received]) -> dict[str, Received]:
    first: dict[str, Received] = {}
    for reply in replies:
        first.setdefault(reply.node, reply)
    return first
