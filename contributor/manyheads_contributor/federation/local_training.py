"""One party's part of a round: train from the weights that came, measure the statistics of batch norm, send both back.

With one party and the plain mean this is central training, to the last bit: the same pass over the same images in the same
order (`train.train_pass`), with the optimiser's moments kept from round to round on the party's own disk.
"""

from collections.abc import Sequence
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
    """What a party has after its part of a round."""

    tensors: dict[str, NDArray[np.float32]]  # weights, and statistics unless the plan has privacy
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
        max_epochs=plan.epochs,
        seed=plan.seed,
        precision=plan.precision,
    )


def train_round(tensors: Tensors, number: int, plan: Plan, materials: Materials, *, states: Path, compute: Compute) -> Trained:
    """Train a round's passes from the tensors that came.

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

    loss = 0.0
    for epoch in _epochs(plan, number):
        batches = _batches(examples, recipe, epoch)
        loss = train_pass(
            network,
            examples,
            batches,
            optimizer,
            objective,
            epoch=epoch,
            rates=_rates(recipe, epoch, len(batches)),
            compute=compute,
            on_gradient=lambda: _pull_back(network, start, plan.proximal_strength),
        )

    _write_moments(states, number, optimizer)
    if plan.privacy is None:
        _measure(network, examples, recipe, _epochs(plan, number)[-1], compute)
    return Trained(_sent(network, tensors, plan), len(examples), loss)


def measure_round(tensors: Tensors, number: int, plan: Plan, materials: Materials, *, compute: Compute) -> Trained:
    """Measure the statistics of batch norm under the tensors that came, on the images of the round's last pass."""
    network = _build(plan, tensors, compute)
    examples = _examples(plan, materials, compute)
    _measure(network, examples, recipe_of(plan), _epochs(plan, number)[-1], compute)
    measured = {name: tensor for name, tensor in primary_tensors(network).items() if is_statistic(name)}
    return Trained(measured, len(examples), 0.0)


def _build(plan: Plan, tensors: Tensors, compute: Compute) -> Primary:
    network = Primary(get_architecture(plan.architecture), plan.preprocessing.image_size)
    set_primary_tensors(network, tensors)
    return network.to(compute.device).to(memory_format=torch.channels_last)


def _examples(plan: Plan, materials: Materials, compute: Compute) -> Examples:
    preprocess = Preprocessor(plan.preprocessing)
    return image_examples(materials.samples, materials.labels, preprocess, compute, redrawn=recipe_of(plan))


def _epochs(plan: Plan, number: int) -> range:
    """The passes of a round, counted over the whole training from 1."""
    return range((number - 1) * plan.local_epochs + 1, number * plan.local_epochs + 1)


def _batches(examples: Examples, recipe: Recipe, epoch: int) -> list[Indices]:
    order = draw_order(examples.labels, recipe, epoch)
    batch = min(recipe.batch_size, len(order))
    return cut(order[: len(order) // batch * batch], batch)


def _rates(recipe: Recipe, epoch: int, steps: int) -> list[float]:
    return [
        recipe.primary_learning_rate * learning_rate_factor(recipe, (epoch - 1 + step / steps) / recipe.max_epochs)
        for step in range(steps)
    ]


@torch.no_grad()
def _pull_back(network: Primary, start: Sequence[torch.Tensor], strength: float) -> None:
    """FedProx (Li et al. 2020): the gradient of strength / 2 times the squared distance from where the round began."""
    if not strength:
        return
    for parameter, origin in zip(network.parameters(), start, strict=True):
        assert parameter.grad is not None  # called after the gradients are there
        parameter.grad.add_(parameter - origin, alpha=strength)


def _measure(network: Primary, examples: Examples, recipe: Recipe, epoch: int, compute: Compute) -> None:
    order = draw_order(examples.labels, recipe, epoch)
    chosen = order[: recipe.batch_norm_images]
    batches = cut(chosen, min(recipe.batch_size, len(order)))
    remeasure_batch_norm(network, (examples.load(batch, epoch) for batch in batches), compute)


def _sent(network: Primary, before: Tensors, plan: Plan) -> dict[str, NDArray[np.float32]]:
    """What leaves this machine: under privacy, weights whose change is clipped, and no statistics."""
    after = primary_tensors(network)
    if plan.privacy is None:
        return after
    weights, _ = declared_shapes(plan)
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
