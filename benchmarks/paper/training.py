"""One cell's training, by the kit's own loop: a killed one goes on, and a parent whose weights are gone is trained again."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.paper import figures
from benchmarks.paper.baselines import Network, build_baseline
from benchmarks.paper.cells import DETECTION, HEADS, MULTICLASS, Cell, parents_of, primary_of, start_of
from benchmarks.paper.config import Config
from benchmarks.paper.images import ImageSet, Inputs
from benchmarks.paper.weights import read_weights, write_weights
from manyheads_contributor.checkpoint import History
from manyheads_contributor.examples import Examples, Indices, feature_examples
from manyheads_contributor.recipe import Recipe
from manyheads_contributor.run import RunFolder
from manyheads_contributor.samples import Labels, head_labels, primary_labels
from manyheads_contributor.train import pass_length, train
from manyheads_shared.architectures import Architecture, get_architecture
from manyheads_shared.compute import Compute
from manyheads_shared.networks import Head, Primary, build_head, build_primary

FINISHED = "finished.safetensors"
BACKWARD_FACTOR = 3  # a training step costs one pass forwards and about two backwards
FEATURE_BATCH = 256  # images a trunk pass

Features = NDArray[np.float16]  # (N, H, W, C)


@dataclass(frozen=True)
class OneOfMany:
    """One of several classes: cross-entropy of a softmax."""

    weights: Tensor  # (K,), of the classes

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of logits (B, K)."""
        return cross_entropy(logits, labels.long(), weight=self.weights)

    def figures(self, logits: NDArray[np.float32], labels: Labels) -> tuple[float | None, float | None]:
        """F1 as the plain mean over classes; there is no AUROC."""
        chosen, truth = logits.argmax(axis=1), labels.astype(np.int64)
        hits, called, actual = (
            np.bincount(classes, minlength=logits.shape[1]) for classes in (truth[chosen == truth], chosen, truth)
        )
        return float((2 * hits / np.maximum(called + actual, 1)).mean()), None


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    network: nn.Module
    history: History
    macs: int  # multiply-accumulates it took, validation left out


@dataclass
class Trainer:
    """Trains cells of one set; keeps the trunk's features that the six heads of a cell share."""

    config: Config
    images: ImageSet
    compute: Compute
    _features: dict[tuple[Cell, str, str], Features] = field(default_factory=dict)  # of one primary at a time

    def networks(self, cell: Cell) -> dict[str, Trained]:
        """The finished networks of a cell: one, or for `heads` one for each generator by its name."""
        for parent in parents_of(cell, self.config):
            self.networks(parent)
        names = self.images.split.generators if cell.question == HEADS else (cell.question,)
        return {name: self._network(cell, name) for name in names}

    def features(self, primary: Cell, side: str, profile: str) -> Features:
        """The trunk's features of one side under one profile, float16 (N, H, W, C)."""
        if self._features and next(iter(self._features))[0] != primary:
            self._features.clear()
        if (primary, side, profile) not in self._features:
            network = self.networks(primary)[DETECTION].network
            assert isinstance(network, Primary)
            inputs = self.images.inputs(primary.representation, side, profile)
            self._features[primary, side, profile] = self.trunk_pass(network, inputs)
        return self._features[primary, side, profile]

    def _network(self, cell: Cell, name: str) -> Trained:
        folder = RunFolder(self.config.folder_of(cell.images) / cell.name / name)
        network, start = self._build(cell), start_of(cell, self.config)
        recipe = self._recipe(cell, continued=start is not None)
        if (folder.path / FINISHED).exists():
            history = read_weights(folder.path / FINISHED, network)
        else:
            folder.path.mkdir(parents=True, exist_ok=True)
            if start is not None:
                read_weights(self.config.folder_of(start.images) / start.name / name / FINISHED, network)
            rate = recipe.head_learning_rate if cell.question == HEADS else recipe.primary_learning_rate
            sides = self._examples(cell, name, "train"), self._examples(cell, name, "val")
            objective = OneOfMany(class_weights(sides[0].labels, self.compute)) if cell.question == MULTICLASS else None
            history = train(
                network, sides, recipe, learning_rate=rate, compute=self.compute, folder=folder, objective=objective
            )
            write_weights(folder.path / FINISHED, network, history)
            folder.tidy()
        labels = self._labels(cell, name, "train")
        return Trained(
            network, history, self._macs(cell, network, pass_length(labels, recipe), recipe.batch_size, len(history))
        )

    def _build(self, cell: Cell) -> nn.Module:
        architecture, size = self._architecture(cell), self.images.size
        if cell.question == HEADS:
            return build_head(architecture, size, seed=cell.seed)
        if cell.network == "reference":
            return build_primary(architecture, size, seed=cell.seed)
        outputs = 1 + len(self.images.split.generators) if cell.question == MULTICLASS else 1
        return build_baseline(cell.network, channels=architecture.image_channels, size=size, outputs=outputs, seed=cell.seed)

    def _recipe(self, cell: Cell, *, continued: bool) -> Recipe:
        kind = cell.question if cell.question in (DETECTION, MULTICLASS, HEADS) else "attribution"
        epochs = self.config.images[cell.images].epochs[kind]
        return self.config.build_recipe(
            cell.images, cell.representation, seed=cell.seed, epochs=max(1, epochs // 2) if continued else epochs
        )

    def _labels(self, cell: Cell, name: str, side: str) -> Labels:
        items = self.images.split.side(side)
        if cell.question == MULTICLASS:
            return figures.classes_of(items, self.images.split.generators)
        return primary_labels(items) if cell.question == DETECTION else head_labels(items, name)

    def _examples(self, cell: Cell, name: str, side: str) -> Examples:
        labels, primary = self._labels(cell, name, side), primary_of(cell)
        if primary is not None:
            return feature_examples(self.features(primary, side, cell.profile), labels, self.compute)
        return input_examples(self.images.inputs(cell.representation, side, cell.profile), labels, self.compute)

    def _macs(self, cell: Cell, network: nn.Module, length: int, batch: int, epochs: int) -> int:
        learned = epochs * (length // batch * batch)  # images, an incomplete last batch left out
        architecture, size = self._architecture(cell), self.images.size
        if isinstance(network, Head):
            once = len(self.images.split.train) * architecture.trunk_macs(size)
            return once + learned * BACKWARD_FACTOR * architecture.head_macs(size)
        forwards = (
            network.macs if isinstance(network, Network) else architecture.trunk_macs(size) + architecture.head_macs(size)
        )
        return learned * BACKWARD_FACTOR * forwards

    def _architecture(self, cell: Cell) -> Architecture:
        return get_architecture(f"khoo2022-{cell.representation}")

    @torch.inference_mode()
    def trunk_pass(self, primary: Primary, inputs: Inputs) -> Features:
        """Features of inputs (N, S, S, C), float16 (N, H, W, C)."""
        passes = []
        for start in range(0, len(inputs), FEATURE_BATCH):
            with self.compute.arithmetic():
                batch = primary.trunk(as_tensor(inputs[start : start + FEATURE_BATCH], self.compute))
            passes.append(batch.float().permute(0, 2, 3, 1).cpu().numpy().astype(np.float16))
        return np.concatenate(passes)


def class_weights(labels: Labels, compute: Compute) -> Tensor:
    """Factors (K,) that give every class the same weight, whatever the number of its images; on the device."""
    counts = np.bincount(labels.astype(np.int64))
    return torch.from_numpy((len(labels) / (len(counts) * counts)).astype(np.float32)).to(compute.device)


def input_examples(inputs: Inputs, labels: Labels, compute: Compute) -> Examples:
    """Ready inputs of a whole network."""

    def load(indices: Indices, epoch: int) -> Tensor:
        return as_tensor(inputs[indices], compute)

    return Examples(labels, load, inputs.shape[1:])


def as_tensor(inputs: Inputs, compute: Compute) -> Tensor:
    """Inputs (B, S, S, C) to float32 (B, C, S, S), channels last; pixels to [-1, 1]."""
    batch = torch.from_numpy(np.ascontiguousarray(inputs)).to(compute.device).permute(0, 3, 1, 2)
    return batch.float() / 127.5 - 1 if batch.dtype == torch.uint8 else batch
