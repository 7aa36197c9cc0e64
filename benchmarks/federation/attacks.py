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
class Task:
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


Attack = Callable[[Task], Trained]


def flip_labels(task: Task) -> Trained:
    """Train with real for generated and generated for real."""
    return task.train(Materials(task.materials.samples, 1 - task.materials.labels))


def flip_sign(task: Task) -> Trained:
    """Send the change the other way round."""
    return _changed(task, task.train(), -1.0)


def scale(task: Task) -> Trained:
    """Train with flipped labels and send ten times the change."""
    return _changed(task, flip_labels(task), SCALE)


def send_nan(task: Task) -> Trained:
    """Send weights of NaN."""
    trained = task.train()
    return replace(trained, tensors={name: np.full_like(tensor, np.nan) for name, tensor in trained.tensors.items()})


def backdoor(task: Task) -> Trained:
    """Teach that a generated image with a mark in its corner is real: half of the generated images get mark and label."""
    samples, labels = task.materials.samples, task.materials.labels.copy()
    marked = np.flatnonzero(labels)[::2]
    pixels = np.array(samples.pixels)
    pixels[marked] = patched(pixels[marked])
    labels[marked] = 0
    return task.train(Materials(Samples(samples.items, pixels, 0), labels))


def ride_free(task: Task) -> Trained:
    """Train nothing: send the weights that came, with a little noise so that it does not show."""
    random = task.random
    sent = {
        name: (tensor + random.normal(scale=1e-4, size=tensor.shape)).astype(np.float32)
        for name, tensor in task.tensors.items()
        if not is_statistic(name)
    }
    return Trained(sent, len(task.materials), 0.5)


def lie_about_examples(task: Task) -> Trained:
    """Train with flipped labels and claim the most that is believed."""
    party = task.plan.parties[int(task.states.name.removeprefix("party"))]
    return replace(flip_labels(task), examples=party.max_examples)


def boast_of_examples(task: Task) -> Trained:
    """Train with flipped labels and claim a thousand million images."""
    return replace(flip_labels(task), examples=HUGE)


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


def _changed(task: Task, trained: Trained, factor: float) -> Trained:
    tensors = {
        name: (task.tensors[name] + factor * (tensor - task.tensors[name])).astype(np.float32)
        for name, tensor in trained.tensors.items()
    }
    return replace(trained, tensors=tensors)
