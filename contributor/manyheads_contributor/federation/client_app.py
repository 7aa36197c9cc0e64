"""Flower's ClientApp: a message in, a round of training on this party's images, an update out. Message API only.

Flower starts it in a process of its own for every message. The node's configuration says where the owner's policy lies; what
that does not allow is refused before an image is read.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from manyheads_contributor.federation.errors import SitePolicyError
from manyheads_contributor.federation.local_training import Trained, measure_round, train_round
from manyheads_contributor.federation.materials import prepare_materials
from manyheads_contributor.federation.site import SitePolicy, check_plan, read_site
from manyheads_shared.artifact import Tensors
from manyheads_shared.clock import now
from manyheads_shared.compute import Compute, choose_training_compute
from manyheads_shared.digest import Digest, hex_of
from manyheads_shared.errors import DigestMismatchError
from manyheads_shared.federation import messages
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.record import Opening, read_opening, weights_to_start_from
from manyheads_shared.federation.tensors import digest_tensors, is_statistic
from manyheads_shared.keys import read_public_half

app = ClientApp()


@dataclass(frozen=True)
class Asked:
    """A message whose training is signed, and allowed by the site's policy."""

    policy: SitePolicy
    opening: Opening
    round: int
    tensors: Tensors

    @property
    def plan(self) -> Plan:
        """The training's plan."""
        return self.opening.plan

    @property
    def work(self) -> Path:
        """What this node keeps of the training."""
        return Path(self.policy.work) / hex_of(self.opening.digest)[:16]

    @property
    def compute(self) -> Compute:
        """Where and in which precision to train."""
        return choose_training_compute(self.policy.device, self.plan.precision)


@app.train("round")
def train(message: Message, context: Context) -> Message:
    """Train a round."""
    asked = read_message(message, context)
    materials = prepare_materials(Path(asked.policy.data), Path(asked.policy.work), asked.plan.preprocessing)
    trained = train_round(asked.tensors, asked.round, asked.plan, materials, states=asked.work, compute=asked.compute)
    return answer(message, asked, trained)


@app.query("statistics")
def measure(message: Message, context: Context) -> Message:
    """Measure the statistics of batch norm."""
    asked = read_message(message, context)
    if asked.plan.privacy is not None:
        raise SitePolicyError("statistics of batch norm have no noise; under differential privacy none are sent")
    materials = prepare_materials(Path(asked.policy.data), Path(asked.policy.work), asked.plan.preprocessing)
    trained = measure_round(asked.tensors, asked.plan, materials, compute=asked.compute)
    return answer(message, asked, trained)


def read_message(message: Message, context: Context) -> Asked:
    """Read what is asked.

    The plan: (1) the owner's policy; (2) a training signed by the maintainer that it names; (3) which it allows; (4) a round of
    it, or the measurement after the last; (5) the tensors that the maintainer has signed for it.

    Raises:
        SitePolicyError: step 1, 3, 4 or 5 fails.
        FormatError, VerificationError: step 2 fails.
    """
    # step 1
    policy = read_site(Path(str(context.node_config.get(messages.SITE, "site.toml"))))
    # step 2
    training = message.content.config_records[messages.TRAINING]
    key = read_public_half(Path(policy.maintainer))
    opening = read_opening(_bytes(training, messages.OPENING), key)
    plan = opening.plan
    # step 3
    if reasons := check_plan(plan, policy, str(context.node_id)):
        raise SitePolicyError(f"{policy.party} takes no part: {'; '.join(reasons)}")
    # step 4
    number = training.get(messages.ROUND)
    last = plan.rounds if message.metadata.message_type == messages.TRAIN else plan.rounds + 1
    if not isinstance(number, int) or not 1 <= number <= last:
        raise SitePolicyError(f"expected a round from 1 to {last}, got {number!r}")
    # step 5
    arrays = message.content.array_records[messages.WEIGHTS]
    tensors = {name: array.numpy().astype(np.float32) for name, array in arrays.items()}
    signed = weights_to_start_from(opening, _bytes(training, messages.LINE), number, key)
    if (found := digest_tensors(tensors)) != signed:
        raise DigestMismatchError(f"the weights of round {number}", signed, found)
    return Asked(policy, opening, number, tensors)


def answer(message: Message, asked: Asked, trained: Trained) -> Message:
    """The reply, and a line in the owner's own log of what left this machine."""
    _note(asked, digest_tensors(trained.tensors), message.metadata.message_type)
    return Message(
        RecordDict(
            {
                messages.TRAINING: ConfigRecord({messages.OPENING: asked.opening.digest, messages.ROUND: asked.round}),
                messages.FIGURES: MetricRecord({messages.EXAMPLES: trained.examples, messages.LOSS: trained.loss}),
                messages.WEIGHTS: _pack(trained.tensors, lambda name: not is_statistic(name)),
                messages.STATISTICS: _pack(trained.tensors, is_statistic),
            }
        ),
        reply_to=message,
    )


def _note(asked: Asked, digest: Digest, kind: str) -> None:
    """Append to `sent.jsonl`: what the owner holds the record against."""
    asked.work.mkdir(parents=True, exist_ok=True)
    line = {"time": now(), "kind": kind, "training": asked.opening.digest, "round": asked.round, "update": digest}
    with (asked.work / "sent.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def _pack(tensors: Tensors, wanted: Callable[[str], bool]) -> ArrayRecord:
    return ArrayRecord({name: Array(np.ascontiguousarray(t)) for name, t in tensors.items() if wanted(name)})


def _bytes(training: ConfigRecord, name: str) -> bytes:
    line = training.get(name)
    if not isinstance(line, bytes):
        raise SitePolicyError(f"expected a signed line of a training's record as `{name}` of the message, got none")
    return line
