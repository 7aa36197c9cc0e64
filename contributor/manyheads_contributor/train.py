"""The training loop, for primary and heads alike: a script read top to bottom.

It knows examples, a network and a recipe. What the examples are made of is for `examples`, what is prepared before and
written after for `training_run`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from manyheads_contributor.checkpoint import Epoch, History, best_epoch, read_checkpoint, write_checkpoint
from manyheads_contributor.examples import Examples, Indices
from manyheads_contributor.optimizer import Adam
from manyheads_contributor.plots import write_history
from manyheads_contributor.recipe import Recipe
from manyheads_contributor.run import RunFolder
from manyheads_contributor.samples import Labels, images_at_once
from manyheads_shared import metrics, terminal
from manyheads_shared.compute import Compute
from manyheads_shared.errors import ManyheadsError
from manyheads_shared.networks import remeasure_batch_norm

VALIDATION_BATCH = 512  # examples, or fewer large ones; without gradients it need not be the recipe's


class TrainingError(ManyheadsError):
    """The loss is no longer a number."""

    exit_code = 5


class Objective(Protocol):
    """What a network is trained towards."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of logits (B,) or (B, K) against labels (B,)."""
        ...

    def figures(self, logits: NDArray[np.float32], labels: Labels) -> tuple[float | None, float | None]:
        """F1 and AUROC; None where there is none."""
        ...


@dataclass(frozen=True)
class YesNo:
    """One yes/no question: binary cross-entropy; figures at logit 0."""

    positive_weight: Tensor | None = None  # factor on the loss of positives

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Binary cross-entropy of logits (B,)."""
        return binary_cross_entropy_with_logits(logits, labels, pos_weight=self.positive_weight)

    def figures(self, logits: NDArray[np.float32], labels: Labels) -> tuple[float | None, float | None]:
        """F1 at probability 0.5, and AUROC."""
        found = metrics.binary_metrics(logits[labels == 0], logits[labels > 0])
        return found.f1.value if found.f1 else None, found.auroc


def train(
    network: nn.Module,
    sides: tuple[Examples, Examples],
    recipe: Recipe,
    *,
    learning_rate: float,
    compute: Compute,
    folder: RunFolder,
    objective: Objective | None = None,
) -> History:
    """Train to the recipe's end, going on from the folder's checkpoint; `network` then has the best epoch's weights.

    Everything drawn at random is drawn from (seed, epoch), and the checkpoint holds the rest, so a run killed at any moment
    and started again ends with the very weights of an undisturbed one (same machine, same precision).

    Args:
        network: examples' inputs to logits (N,).
        sides: what it learns from, and what decides when to stop and which epoch was best.
        recipe: the numbers.
        learning_rate: the recipe's for this kind of network.
        compute: where and in which precision.
        folder: for checkpoint and history.
        objective: what is learned; yes or no, weighed as the recipe says, unless told otherwise.

    Raises:
        TrainingError: the loss became NaN or infinite.
    """
    train_side, val_side = sides
    torch.backends.cudnn.deterministic = True  # else a GPU's convolutions differ from run to run
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]  # no TF32 in gradients either
    network.to(compute.device).to(memory_format=torch.channels_last)
    betas = (recipe.adam_beta1, recipe.adam_beta2)
    optimizer = Adam(network, betas=betas, eps=recipe.adam_epsilon)
    objective = objective or YesNo(positive_weight(train_side, recipe, compute))
    length = pass_length(train_side.labels, recipe)
    batch = min(recipe.batch_size, length)
    steps = length // batch  # an incomplete last batch is left out, as published; which images it has, changes
    counted = np.sort(draw_order(val_side.labels, recipe, 0))  # the validation loss is of the mix that is trained on

    history, best = read_checkpoint(folder.checkpoint, network, optimizer)
    with terminal.progress() as display:
        if history:
            display.console.print(f"going on after epoch {len(history)}")
        epochs_bar = display.add_task("epochs", total=recipe.max_epochs, completed=len(history))
        steps_bar = display.add_task("steps", total=steps)
        for epoch in range(len(history) + 1, recipe.max_epochs + 1):
            if len(history) - best_epoch(history) >= recipe.patience:
                break

            # one pass over the training side, in an order of its own
            began = perf_counter()
            order = draw_order(train_side.labels, recipe, epoch)
            display.reset(steps_bar, total=steps)
            rates = [
                learning_rate * learning_rate_factor(recipe, (epoch - 1 + step / steps) / recipe.max_epochs)
                for step in range(steps)
            ]
            train_loss = train_pass(
                network,
                train_side,
                cut(order[: steps * batch], batch),
                optimizer,
                objective,
                epoch=epoch,
                rates=rates,
                compute=compute,
                on_step=lambda: display.advance(steps_bar),
            )
            rate = steps * batch / (perf_counter() - began)
            if recipe.batch_norm_images:
                measured = order[: recipe.batch_norm_images]
                remeasure_batch_norm(network, (train_side.load(chosen, epoch) for chosen in cut(measured, batch)), compute)

            # the validation side
            network.eval()
            logits = infer(network, val_side, compute)
            labels = labels_of(val_side, np.arange(len(val_side)), compute)
            val_loss = float(objective.loss(logits[counted], labels[counted]))
            if not math.isfinite(train_loss + val_loss):
                raise TrainingError(
                    f"the loss became {train_loss} in epoch {epoch}; lower the learning rate ({learning_rate:g})"
                )
            val_f1, val_auroc = objective.figures(logits.cpu().numpy(), val_side.labels)

            # the history decides whether this epoch is the best so far; the checkpoint makes it last
            row = Epoch(
                epoch=epoch,
                learning_rate=rates[-1],
                train_loss=train_loss,
                val_loss=val_loss,
                val_f1=val_f1,
                val_auroc=val_auroc,
                images_per_second=round(rate, 1),
                seconds=round(perf_counter() - began, 3),
            )
            history = (*history, row)
            if best_epoch(history) == epoch:
                best = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
            write_checkpoint(folder.checkpoint, history, network, best, optimizer)
            write_history(folder.history, history)
            display.console.print(describe(row, recipe, best=best_epoch(history) == epoch), soft_wrap=True)
            display.advance(epochs_bar)

    network.load_state_dict(best)
    network.eval()
    return history


def train_pass(
    network: nn.Module,
    examples: Examples,
    batches: Sequence[Indices],
    optimizer: Adam,
    objective: Objective,
    *,
    epoch: int,
    rates: Sequence[float],
    compute: Compute,
    on_step: Callable[[], None] = lambda: None,
    on_gradient: Callable[[], None] = lambda: None,
) -> float:
    """One pass over batches of examples, a step of the optimiser for each; the mean loss.

    Args:
        epoch: what is drawn for the examples depends on it.
        rates: the learning rate of each step.
        on_step: called after each step.
        on_gradient: called when the gradients are there and before the step: who adds to them does it here.
    """
    network.train()
    total = torch.zeros((), device=compute.device)
    for chosen, rate in zip(batches, rates, strict=True):
        inputs, labels = examples.load(chosen, epoch), labels_of(examples, chosen, compute)
        with compute.arithmetic():
            logits = network(inputs)
        loss = objective.loss(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        on_gradient()
        optimizer.step(rate)
        total += loss.detach()
        on_step()
    return float(total) / len(batches)


def positive_weight(examples: Examples, recipe: Recipe, compute: Compute) -> Tensor | None:
    """The factor on the loss of positives that gives both classes of a pass the same weight, or none."""
    if recipe.positive_weight == "none":
        return None
    positives = float(examples.labels.sum())
    return torch.tensor((pass_length(examples.labels, recipe) - positives) / positives, device=compute.device)


def pass_length(labels: Labels, recipe: Recipe) -> int:
    """How many examples one epoch passes over."""
    if not recipe.negatives_per_positive:
        return len(labels)
    positives = int(np.count_nonzero(labels))
    return positives + min(len(labels) - positives, math.ceil(recipe.negatives_per_positive * positives))


def draw_order(labels: Labels, recipe: Recipe, epoch: int) -> Indices:
    """The examples of one epoch, in an order of its own: all, or all positives and the negatives drawn for them."""
    random = np.random.default_rng([recipe.seed, epoch])
    length = pass_length(labels, recipe)
    if length == len(labels):
        return random.permutation(length)
    positives, negatives = np.flatnonzero(labels), np.flatnonzero(labels == 0)
    return random.permutation(np.concatenate([positives, random.choice(negatives, length - len(positives), replace=False)]))


def learning_rate_factor(recipe: Recipe, done: float) -> float:
    """The schedule; `done` is the share of the longest training that lies behind, in [0, 1)."""
    return 0.5 + 0.5 * math.cos(math.pi * done) if recipe.schedule == "cosine" else 1.0


def labels_of(examples: Examples, chosen: Indices, compute: Compute) -> Tensor:
    """Labels float32 (B,) of the chosen examples, on the device."""
    return torch.from_numpy(examples.labels[chosen]).to(compute.device)


@torch.inference_mode()
def infer(network: nn.Module, examples: Examples, compute: Compute) -> Tensor:
    """Logits float32 (N,) of all examples, in order."""
    with compute.arithmetic():
        batches = cut(np.arange(len(examples)), images_at_once(VALIDATION_BATCH, examples.shape))
        return torch.cat([network(examples.load(chosen, 0)).float() for chosen in batches])


def cut(indices: Indices, size: int) -> list[Indices]:
    """Cut into batches of at most `size`, in order."""
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def describe(row: Epoch, recipe: Recipe, *, best: bool) -> str:
    """One epoch in one line; `*` marks the best so far."""
    f1 = "none " if row.val_f1 is None else f"{row.val_f1:.3f}"
    return (
        f"epoch {row.epoch:3d}/{recipe.max_epochs}  train loss {row.train_loss:.4f}  val loss {row.val_loss:.4f}  "
        f"val F1 {f1}  {row.images_per_second:6.0f} img/s{'  *' if best else ''}"
    )
