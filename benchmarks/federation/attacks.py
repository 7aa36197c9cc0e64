"""What a dishonest party does, each as a function of an honest party's part of a round."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.federation.data import patched
from manyheads_contributor.federation.local_training import Trained, train_round
from manyheads_contributor.federation.materials import Materials
from manyheads_contributor.samples import Samples
from manyheads_shared.artifact import Tensors
from manyheads_shared.compute import Compute
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.tensors import is_statistic

SCALE = 10.0  # times an honest change
HUGE = 1_000_000_000  # examples claimed


@dataclass(frozen=True)
class Part:
    """A party's part of a round."""

    tensors: Tensors
    round: int
    plan: Plan
    materials: Materials
    states: Path
    compute: Compute

    def train(self, materials: Materials | None = None) -> Trained:
        """Train, on the party's images or on what it makes of them."""
        return train_round(
            self.tensors, self.round, self.plan, materials or self.materials, states=self.states, compute=self.compute
        )

    @property
    def random(self) -> np.random.Generator:
        """Draws of this party's own, the same in every run."""
        return np.random.default_rng([self.round, len(str(self.states)), int(self.states.name.removeprefix("party"))])


Attack = Callable[[Part], Trained]


def flip_labels(part: Part) -> Trained:
    """Train with real for generated and generated for real."""
    return part.train(Materials(part.materials.samples, 1 - part.materials.labels))


def flip_sign(part: Part) -> Trained:
    """Send the change the other way round."""
    return _changed(part, part.train(), -1.0)


def scale(part: Part) -> Trained:
    """Train with flipped labels and send ten times the change."""
    return _changed(part, flip_labels(part), SCALE)


def send_nan(part: Part) -> Trained:
    """Send weights of NaN."""
    trained = part.train()
    return replace(trained, tensors={name: np.full_like(tensor, np.nan) for name, tensor in trained.tensors.items()})


def backdoor(part: Part) -> Trained:
    """Teach that a generated image with a mark in its corner is real: half of the generated images get mark and label."""
    samples, labels = part.materials.samples, part.materials.labels.copy()
    marked = np.flatnonzero(labels)[::2]
    pixels = np.array(samples.pixels)
    pixels[marked] = patched(pixels[marked])
    labels[marked] = 0
    return part.train(Materials(Samples(samples.items, pixels, 0), labels))


def ride_free(part: Part) -> Trained:
    """Train nothing: send the weights that came, with a little noise so that it does not show."""
    random = part.random
    sent = {
        name: (tensor + random.normal(scale=1e-4, size=tensor.shape)).astype(np.float32)
        for name, tensor in part.tensors.items()
        if not is_statistic(name)
    }
    return Trained(sent, len(part.materials), 0.5)


def lie_about_examples(part: Part) -> Trained:
    """Train with flipped labels and claim the most that is believed."""
    party = part.plan.parties[int(part.states.name.removeprefix("party"))]
    return replace(flip_labels(part), examples=party.max_examples)


def boast_of_examples(part: Part) -> Trained:
    """Train with flipped labels and claim a thousand million images."""
    return replace(flip_labels(part), examples=HUGE)


ATTACKS: Mapping[str, Attack] = {
    "label flip": flip_labels,
    "sign flip": flip_sign,
    "scaling": scale,
    "NaN": send_nan,
    "backdoor": backdoor,
    "free rider": ride_free,
    "lying count": lie_about_examples,
    "absurd count": boast_of_examples,
}


def _changed(part: Part, trained: Trained, factor: float) -> Trained:
    tensors = {
        name: (part.tensors[name] + factor * (tensor - part.tensors[name])).astype(np.float32)
        for name, tensor in trained.tensors.items()
    }
    return replace(trained, tensors=tensors)
