"""A finished record against the primary that it claims to have made: what can be computed again is. Pure.

Whether the aggregate is that of the updates cannot be told from here: they are not published, for they show more of a party's
images than their aggregate does. Each party finds the digests of its own in the record.
"""

import math
from collections.abc import Sequence

from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.errors import FederationRecordError
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.privacy import spent_epsilon
from manyheads_shared.federation.record import Outcome, PartyRound, Record, Round
from manyheads_shared.federation.strategy import MEANS, ROBUST, SELECTIONS, TRUSTING, parties_needed
from manyheads_shared.federation.tensors import digest_tensors
from manyheads_shared.federation.weighting import influences


def verify_federation(record: Record, primary: PrimaryArtifact) -> Outcome:
    """Verify that a record is whole, keeps its plan, and is that of a primary.

    The plan: (1) it has an outcome, after all the plan's rounds; (2) every round keeps the plan; (3) the outcome names this
    artifact, its tensors, and the plan as its recipe; (4) the privacy spent is what the plan's noise comes to.

    Returns:
        The outcome.

    Raises:
        FederationRecordError: a step fails.
    """
    plan, outcome = record.plan, record.outcome
    # step 1
    measured = record.measurement is not None
    if outcome is None or not len(record.rounds) == outcome.rounds == plan.rounds or measured == (plan.privacy is not None):
        raise FederationRecordError(
            f"the record ends after {len(record.rounds)} of {plan.rounds} rounds; the training is not finished"
        )
    # step 2
    for entry in record.rounds:
        if reason := broken_by(entry, plan):
            raise FederationRecordError(f"round {entry.round}: {reason}")
    # step 3
    manifest = primary.manifest
    for what, expected, found in (
        ("the artifact", outcome.primary, primary.digest),
        ("its tensors", outcome.weights, digest_tensors(primary.tensors)),
        *([("the measurement", record.measurement.weights, outcome.weights)] if record.measurement else []),
        ("its recipe", plan.digest, manifest.training.recipe),
        ("its name", f"{plan.name}@{plan.version}", manifest.title),
    ):
        if expected != found:
            raise FederationRecordError(f"{what}: the record says {expected}, the primary {found}; it is the record of another")
    # step 4
    epsilon = plan_epsilon(plan)
    if (epsilon is None) != (outcome.epsilon is None) or not math.isclose(epsilon or 0, outcome.epsilon or 0, rel_tol=1e-6):
        raise FederationRecordError(f"privacy: the plan's noise comes to epsilon {epsilon}, the record says {outcome.epsilon}")
    return outcome


def plan_epsilon(plan: Plan) -> float | None:
    """The epsilon of all rounds of a plan; None without privacy."""
    if plan.privacy is None:
        return None
    return spent_epsilon(plan.privacy.noise_multiplier, plan.rounds, plan.privacy.delta)


def broken_by(entry: Round, plan: Plan) -> str | None:
    """How a round breaks its plan; None when it keeps it."""
    if [party.party for party in entry.parties] != [party.name for party in plan.parties]:
        return "expected a line for each party of the plan, in its order"
    accepted = [party for party in entry.parties if party.state == "accepted"]
    if len(accepted) < max(plan.quorum, parties_needed(plan.strategy, entry.faulty_parties)):
        return f"{len(accepted)} accepted updates are too few for quorum {plan.quorum} and {plan.strategy}"
    rejected = sum(1 for party in entry.parties if party.state == "rejected")
    if entry.faulty_parties != faulty_left(plan, rejected):
        return f"expected it to withstand {faulty_left(plan, rejected)} more faulty parties, it says {entry.faulty_parties}"
    if any(party.examples is None or party.update is None or party.norm is None for party in accepted):
        return "an accepted update without digest, examples or norm"
    if any(party.influence for party in entry.parties if party.state != "accepted"):
        return "an update that was not accepted has influence"
    return _broken_trust(entry, accepted, plan) if plan.strategy in TRUSTING else _broken_influence(accepted, plan)


def _broken_influence(accepted: Sequence[PartyRound], plan: Plan) -> str | None:
    found = [party.influence for party in accepted]
    if plan.strategy in MEANS:
        expected = influences([party.examples or 0 for party in accepted], plan.weighting, plan.influence_cap)
        if any(share is None or not math.isclose(share, due, abs_tol=1e-9) for share, due in zip(found, expected, strict=True)):
            return f"the influences are not those of weighting {plan.weighting} with cap {plan.influence_cap:g}"
    elif plan.strategy in SELECTIONS:
        if any(share is None for share in found) or not math.isclose(sum(share or 0 for share in found), 1, abs_tol=1e-9):
            return "the influences do not add up to 1"
    elif any(share is not None for share in found):
        return f"{plan.strategy} gives no party an influence as a whole"
    return None


def _broken_trust(entry: Round, accepted: Sequence[PartyRound], plan: Plan) -> str | None:
    trusted = next((party for party in accepted if plan.trusted and party.party == plan.trusted.name), None)
    if trusted is None or trusted.influence is None or trusted.norm is None:
        return "it has no accepted update of the trusted party"
    others = [party.influence for party in accepted if party is not trusted]
    highest = min(trusted.influence, plan.influence_cap) + 1e-9
    if any(share is None or share > highest for share in others):
        return f"a party counts for more than the trusted one, or than the cap {plan.influence_cap:g}"
    if not math.isclose(trusted.influence + sum(share or 0 for share in others), 1, abs_tol=1e-9):
        return "the influences do not add up to 1"
    if entry.norm > plan.server_learning_rate * trusted.norm * (1 + 1e-6):
        return f"expected a change of at most {plan.server_learning_rate:g} times the trusted party's, got {entry.norm:.4g}"
    return None


def faulty_left(plan: Plan, rejected: int) -> int:
    """How many accepted updates a robust strategy must still withstand: whoever was rejected was one of the faulty."""
    return max(1, plan.faulty_parties - rejected) if plan.strategy in ROBUST else 0
