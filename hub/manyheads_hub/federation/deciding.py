"""One round decided: replies in, new weights and a verdict on every party out. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads_hub.federation.screening import (
    Screened,
    describe_measured,
    require_enough,
    require_trusted,
    screen,
    screen_measured,
)
from manyheads_shared.artifact import Tensors
from manyheads_shared.digest import Digest
from manyheads_shared.federation.aggregation import Aggregate, Moments, Trust, adam_step, aggregate
from manyheads_shared.federation.firewall import Expected
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.privacy import noisy_mean
from manyheads_shared.federation.record import PartyMeasurement, PartyRound
from manyheads_shared.federation.statistics import pool_statistics
from manyheads_shared.federation.tensors import declared_shapes, flatten, unflatten
from manyheads_shared.federation.update import Received
from manyheads_shared.federation.weighting import influences


@dataclass(frozen=True)
class ServerState:
    """What the coordinator holds between rounds."""

    tensors: Tensors  # weights, and the statistics that training began with: no round has use for them
    moments: Moments | None = None  # fedadam's


@dataclass(frozen=True)
class DecidedRound:
    """What came of a round."""

    parties: tuple[PartyRound, ...]
    strangers: int
    faulty: int
    norm: float
    state: ServerState


@dataclass(frozen=True)
class DecidedMeasurement:
    """What came of the measuring of statistics."""

    parties: tuple[PartyMeasurement, ...]
    tensors: Tensors


def decide_round(
    replies: Sequence[Received],
    expected: Expected,
    state: ServerState,
    *,
    earlier: Collection[Digest],
    random: np.random.Generator,
) -> DecidedRound:
    """Aggregate the updates that pass, and say of every party what became of its own.

    The plan: (1) the firewall; (2) see that enough are left, and whoever is trusted; (3) each party's share; (4) the changes to
    one; (5) the server's step.

    Args:
        earlier: digests of the updates of all earlier rounds.
        random: for noise, where the plan has some.

    Raises:
        RoundFailedError: step 2 fails.
    """
    plan = expected.plan
    # step 1
    screened = screen(replies, expected, state.tensors, earlier)
    # step 2
    require_enough(screened, f"round {expected.round}", robust=True)
    require_trusted(screened, f"round {expected.round}")
    # step 3
    accepted, shares = screened.accepted, _shares(screened)
    # step 4
    made = _combine(screened, shares, random)
    # step 5
    change, moments = _server_step(made.change, state.moments, plan)
    weights, _ = declared_shapes(plan)
    tensors: dict[str, NDArray[np.float32]] = dict(state.tensors)
    tensors |= unflatten(flatten(state.tensors, list(weights)) + change, weights)
    influence = dict(zip(accepted, made.influences or [None] * len(accepted), strict=True))
    return DecidedRound(
        parties=screened.describe(influence),
        strangers=screened.strangers,
        faulty=screened.faulty,
        norm=float(np.linalg.norm(change)),
        state=ServerState(tensors, moments),
    )


def decide_measurement(replies: Sequence[Received], expected: Expected, tensors: Tensors) -> DecidedMeasurement:
    """Pool the statistics that parties measured under the last weights.

    Raises:
        RoundFailedError: fewer than the quorum can be used.
    """
    screened = screen_measured(replies, expected)
    require_enough(screened, "the measurement", robust=False)
    accepted, shares = screened.accepted, _shares(screened)
    pooled = pool_statistics([screened.updates[node].statistics for node in accepted], shares, expected.plan.strategy)
    return DecidedMeasurement(describe_measured(screened, dict(zip(accepted, shares, strict=True))), dict(tensors) | pooled)


def _shares(screened: Screened) -> tuple[float, ...]:
    plan = screened.plan
    return influences([screened.updates[node].examples for node in screened.accepted], plan.weighting, plan.influence_cap)


def _combine(screened: Screened, shares: Sequence[float], random: np.random.Generator) -> Aggregate:
    plan, accepted = screened.plan, screened.accepted
    changes = np.stack([screened.changes[node] for node in accepted])
    if plan.privacy is None:
        trust = Trust(accepted.index(plan.trusted.node), plan.influence_cap) if plan.trusted else None
        return aggregate(changes, plan.strategy, shares=shares, faulty=screened.faulty, trust=trust)
    mean = noisy_mean(changes, clip_norm=plan.privacy.clip_norm, noise_multiplier=plan.privacy.noise_multiplier, random=random)
    return Aggregate(mean, tuple(shares))


def _server_step(
    change: NDArray[np.float64], moments: Moments | None, plan: Plan
) -> tuple[NDArray[np.float64], Moments | None]:
    if plan.strategy != "fedadam":
        return plan.server_learning_rate * change, None
    return adam_step(
        change,
        moments or Moments(np.zeros_like(change), np.zeros_like(change)),
        learning_rate=plan.server_learning_rate,
        betas=(plan.server_beta1, plan.server_beta2),
        epsilon=plan.server_epsilon,
    )
