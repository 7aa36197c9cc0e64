"""One party's part: a round of training from the weights that came; and once, at the end, the statistics of batch norm.

With one party and the plain mean this is central training, to the last bit: the same pass over the same images in the same
order (`train.train_pass`), with the optimiser's moments kept from round to round on the party's own disk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray

from manyheads_contributor.examples import Examples, Indices, image_examples
from manyheads_contributor.federation.materials import Materials
from manyheads_contributor.optimizer import Adam
from manyheads_contributor.recipe import Recipe
from manyheads_contributor.train import (
    YesNo,
    cut,
    draw_order,
    learning_rate_factor,
    positive_weight,
    train_pass,
)
from manyheads_shared.architectures import get_architecture
from manyheads_shared.artifact import Tensors
from manyheads_shared.compute import Compute
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.privacy import clip
from manyheads_shared.federation.tensors import declared_shapes, flatten, is_statistic, unflatten
from manyheads_shared.files import write_atomic
from manyheads_shared.networks import Primary, primary_tensors, remeasure_batch_norm, set_primary_tensors
from manyheads_shared.preprocess import Preprocessor

_KEPT_STATES = 2  # the newest, and the one before it: a coordinator may ask for a round twice


@dataclass(frozen=True)
class Trained:
    """What a party has after its part."""

    tensors: dict[str, NDArray[np.float32]]  # weights of a round, or measured statistics
    examples: int
    loss: float


def recipe_of(plan: Plan) -> Recipe:
    """The plan as a recipe: what the training loop is asked to do."""
    return Recipe(
        architecture=plan.architecture,
        image_size=plan.preprocessing.image_size or 0,
        fit=plan.preprocessing.fit,
        degradation=plan.degradation,
        positive_weight=plan.positive_weight,
        primary_learning_rate=plan.learning_rate,
        schedule=plan.schedule,
        adam_beta1=plan.adam_beta1,
        adam_beta2=plan.adam_beta2,
        adam_epsilon=plan.adam_epsilon,
        batch_size=plan.batch_size,
        batch_norm_images=plan.batch_norm_images,
        seed=plan.seed,
        precision=plan.precision,
    )


def train_round(tensors: Tensors, number: int, plan: Plan, materials: Materials, *, states: Path, compute: Compute) -> Trained:
    """Train a round's steps from the tensors that came.

    Args:
        number: of the round, from 1.
        states: folder for the optimiser's moments of this training.
    """
    recipe = recipe_of(plan)
    torch.backends.cudnn.deterministic = True  # as in central training
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    network = _build(plan, tensors, compute)
    examples = _examples(plan, materials, compute)
    optimizer = Adam(network, betas=(plan.adam_beta1, plan.adam_beta2), eps=plan.adam_epsilon)
    _read_moments(states, number, optimizer)
    start = [parameter.detach().clone() for parameter in network.parameters()]
    objective = YesNo(positive_weight(examples, recipe, compute))

    steps = range((number - 1) * plan.local_steps, number * plan.local_steps)
    losses = [
        train_pass(
            network,
            examples,
            part.batches,
            optimizer,
            objective,
            epoch=part.epoch,
            rates=part.rates,
            compute=compute,
            on_gradient=lambda: _pull_back(network, start, plan.proximal_strength),
        )
        for part in _parts(examples, recipe, plan, steps)
    ]
    _write_moments(states, number, optimizer)
    return Trained(_sent(network, tensors, plan), len(examples), losses[-1])


def measure_round(tensors: Tensors, plan: Plan, materials: Materials, *, compute: Compute) -> Trained:
    """Measure the statistics of batch norm under the tensors that came, on images of the training's last pass."""
    network, examples, recipe = _build(plan, tensors, compute), _examples(plan, materials, compute), recipe_of(plan)
    epoch = (plan.steps - 1) // _steps_of_a_pass(examples, recipe) + 1
    chosen = draw_order(examples.labels, recipe, epoch)[: recipe.batch_norm_images]
    batches = cut(chosen, min(recipe.batch_size, len(examples)))
    remeasure_batch_norm(network, (examples.load(batch, epoch) for batch in batches), compute)
    measured = {name: tensor for name, tensor in primary_tensors(network).items() if is_statistic(name)}
    return Trained(measured, len(examples), 0.0)


@dataclass(frozen=True)
class _Part:
    """Steps of a round that lie in one pass over the images."""

    epoch: int  # from 1, over the whole training
    batches: list[Indices]
    rates: list[float]


def _parts(examples: Examples, recipe: Recipe, plan: Plan, steps: range) -> Iterator[_Part]:
    """The steps of a round, pass by pass: a round goes on where the last one stopped in the images."""
    length = _steps_of_a_pass(examples, recipe)
    for epoch in range(steps.start // length + 1, (steps.stop - 1) // length + 2):
        first = (epoch - 1) * length
        here = range(max(steps.start, first) - first, min(steps.stop, first + length) - first)
        order, batch = draw_order(examples.labels, recipe, epoch), min(recipe.batch_size, len(examples))
        done = [(epoch - 1 + step / length) / (plan.steps / length) for step in here]
        yield _Part(
            epoch,
            [order[step * batch : (step + 1) * batch] for step in here],
            [plan.learning_rate * learning_rate_factor(recipe, share) for share in done],
        )


def _steps_of_a_pass(examples: Examples, recipe: Recipe) -> int:
    return len(examples) // min(recipe.batch_size, len(examples))


def _build(plan: Plan, tensors: Tensors, compute: Compute) -> Primary:
    network = Primary(get_architecture(plan.architecture), plan.preprocessing.image_size)
    set_primary_tensors(network, tensors)
    return network.to(compute.device).to(memory_format=torch.channels_last)


def _examples(plan: Plan, materials: Materials, compute: Compute) -> Examples:
    preprocess = Preprocessor(plan.preprocessing)
    return image_examples(materials.samples, materials.labels, preprocess, compute, redrawn=recipe_of(plan))


@torch.no_grad()
def _pull_back(network: Primary, start: Sequence[torch.Tensor], strength: float) -> None:
    """FedProx (Li et al. 2020): the gradient of strength / 2 times the squared distance from where the round began."""
    if not strength:
        return
    for parameter, origin in zip(network.parameters(), start, strict=True):
        assert parameter.grad is not None  # called after the gradients are there
        parameter.grad.add_(parameter - origin, alpha=strength)


def _sent(network: Primary, before: Tensors, plan: Plan) -> dict[str, NDArray[np.float32]]:
    """What leaves this machine: weights; under privacy their change is clipped."""
    weights, _ = declared_shapes(plan)
    after = {name: tensor for name, tensor in primary_tensors(network).items() if name in weights}
    if plan.privacy is None:
        return after
    origin = flatten(before, list(weights))
    change = clip(flatten(after, list(weights)) - origin, plan.privacy.clip_norm)
    return unflatten(origin + change, weights)


def _read_moments(states: Path, number: int, optimizer: Adam) -> None:
    """Go on with the moments of the party's newest round before this one; in the first there are none."""
    earlier = [path for path in states.glob("moments-*.safetensors") if _number(path) < number]
    if not earlier:
        return
    arrays = safetensors.numpy.load(max(earlier, key=_number).read_bytes())
    for i, moments in enumerate(optimizer.state):
        for name, moment in moments.items():
            moment.copy_(torch.from_numpy(arrays[f"{i}.{name}"]))


def _write_moments(states: Path, number: int, optimizer: Adam) -> None:
    arrays = {
        f"{i}.{name}": moment.cpu().contiguous().numpy()
        for i, moments in enumerate(optimizer.state)
        for name, moment in moments.items()
    }
    write_atomic(states / f"moments-{number:05d}.safetensors", safetensors.numpy.save(arrays))
    for path in states.glob("moments-*.safetensors"):
        if _number(path) <= number - _KEPT_STATES:
            path.unlink(missing_ok=True)


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
