"""What stands between parties and the aggregate: every update is checked before it counts. Pure; returns reasons.

An update that passes may still be bad: poisoned weights look like weights. Against those stand the cap on influence and the
robust strategies.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads_shared.architectures import Shape
from manyheads_shared.digest import Digest
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.statistics import check_statistics
from manyheads_shared.federation.tensors import declared_shapes
from manyheads_shared.federation.update import Received


@dataclass(frozen=True)
class Expected:
    """What an update of this round is measured by."""

    plan: Plan
    opening: Digest  # of the record's first line: the name of this training
    round: int


def check_update(received: Received, expected: Expected) -> list[str]:
    """Why an update is refused, by itself; nothing when it is not.

    The plan: (1) from a node of the plan; (2) that did not fail and can be read; (3) of this training and this round; (4) a
    plausible count of examples and a finite loss; (5) exactly the declared tensors, in name, dtype and shape; (6) finite.
    """
    # steps 1 to 3
    if reasons := _check_sender(received, expected):
        return reasons
    # step 4
    plan = expected.plan
    reasons = _check_examples(received, plan)
    if not isinstance(received.loss, float) or not math.isfinite(received.loss):
        reasons.append(f"expected a finite loss, it claims {str(received.loss)[:30]}")
    # steps 5 and 6
    weights, _ = declared_shapes(plan)
    reasons += _check_tensors(received.weights or {}, weights, "weights")
    reasons += _check_tensors(received.statistics or {}, {}, "statistics")
    return reasons


def check_measured(received: Received, expected: Expected) -> list[str]:
    """Why measured statistics are refused: the steps of `check_update` without the loss, and (7) variances that can be."""
    if reasons := _check_sender(received, expected):
        return reasons
    _, statistics = declared_shapes(expected.plan)
    reasons = _check_examples(received, expected.plan)
    reasons += _check_tensors(received.statistics or {}, statistics, "statistics")
    return reasons + _check_tensors(received.weights or {}, {}, "weights")


def check_norms(norms: Mapping[str, float], plan: Plan) -> dict[str, str]:
    """Why an update is refused beside the others, by node.

    No change at all is refused, a tiny one is not: a schedule may end at almost nothing, and who means to idle can add noise.

    Args:
        norms: L2 norm of the change of each update, by node.
    """
    middle = float(np.median(list(norms.values()))) if norms else 0.0
    reasons = {}
    for node, norm in norms.items():
        if norm == 0:
            reasons[node] = "the weights came back as they were sent"
        elif plan.privacy is not None and norm > plan.privacy.clip_norm * (1 + 1e-6):
            reasons[node] = f"expected a change of at most the clip norm {plan.privacy.clip_norm:g}, got {norm:.4g}"
        elif len(norms) > 2 and norm > plan.norm_factor * middle:
            reasons[node] = f"expected a change of at most {plan.norm_factor:g} times the median {middle:.4g}, got {norm:.4g}"
    return reasons


def check_copies(digests: Mapping[str, Digest], earlier: Collection[Digest]) -> dict[str, str]:
    """Why an update is refused because it was sent before: in an earlier round, or in this one by another party.

    Args:
        digests: of this round's updates, by node.
        earlier: of all updates of earlier rounds.
    """
    reasons = {node: "this very update was sent in an earlier round" for node, digest in digests.items() if digest in earlier}
    for digest in set(digests.values()):
        holders = [node for node, other in digests.items() if other == digest]
        if len(holders) > 1:  # nobody can tell who copied from whom
            reasons |= dict.fromkeys(holders, "another party sent this very update")
    return reasons


def _check_sender(received: Received, expected: Expected) -> list[str]:
    # step 1
    if expected.plan.party_of(received.node) is None:
        return [f"node {received.node[:20]} is of no party of the plan"]
    # step 2
    if failure := received.error or received.unreadable:
        return [failure[:300]]
    # step 3
    if received.opening != expected.opening:
        return [f"expected an update for training {expected.opening[:19]}, it is for {str(received.opening)[:19]}"]
    if received.round != expected.round:
        return [f"expected an update of round {expected.round}, it is of round {str(received.round)[:20]}"]
    return []


def _check_examples(received: Received, plan: Plan) -> list[str]:
    party, count = plan.party_of(received.node), received.examples
    assert party is not None  # step 1
    if isinstance(count, int) and not isinstance(count, bool) and plan.min_examples <= count <= party.max_examples:
        return []
    return [f"expected {plan.min_examples} to {party.max_examples} examples, it claims {str(count)[:30]}"]


def _check_tensors(tensors: Mapping[str, Any], declared: Mapping[str, Shape], what: str) -> list[str]:
    # step 5
    if odd := sorted(set(tensors) ^ set(declared)):
        return [f"{what}: expected the {len(declared)} declared tensors, {odd[0][:80]!r} is missing or too many"]
    for name, shape in declared.items():
        tensor = tensors[name]
        if not isinstance(tensor, np.ndarray) or tensor.dtype != np.float32 or tensor.shape != tuple(shape):
            found = f"{tensor.dtype} {list(tensor.shape)}" if isinstance(tensor, np.ndarray) else type(tensor).__name__
            return [f"{what}: expected {name} to be float32 {list(shape)}, got {found}"]
    # step 6
    if unfit := [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()]:
        return [f"{what}: {unfit[0]} holds NaN or infinity ({len(unfit)} of {len(tensors)} tensors do)"]
    # step 7
    return check_statistics(tensors)
