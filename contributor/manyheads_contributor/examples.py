"""What a training loop draws from: labels, and inputs loaded a batch at a time. A primary learns from images, a head from
the trunk's features; the loop sees no difference.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads_contributor.recipe import Recipe
from manyheads_contributor.samples import Labels, Samples, degrade_batch
from manyheads_shared.compute import Compute
from manyheads_shared.preprocess import Preprocessor
from manyheads_shared.scoring import Scorer

Indices = NDArray[np.int64]
Load = Callable[[Indices, int], Tensor]


@dataclass(frozen=True)
class Examples:
    """Labelled network inputs."""

    labels: Labels  # float32 (N,)
    load: Load  # indices (B,) and the epoch -> float32 (B, C, H, W) on the device, channels last
    shape: tuple[int, ...]  # (H, W, C) of one input

    def __len__(self) -> int:
        return len(self.labels)


def image_examples(
    samples: Samples, labels: Labels, preprocess: Preprocessor, compute: Compute, *, redrawn: Recipe | None = None
) -> Examples:
    """Preprocessed images, for a primary; with the recipe's degradation drawn anew in every epoch if one is given."""

    def load(indices: Indices, epoch: int) -> Tensor:
        pixels = _degraded(samples, indices, epoch, redrawn) if redrawn else samples.pixels[indices]
        batch = preprocess.batch(list(pixels))
        return torch.from_numpy(batch).to(compute.device, memory_format=torch.channels_last)

    return Examples(labels, load, samples.pixels.shape[1:])


def feature_examples(features: NDArray[np.float16], labels: Labels, compute: Compute) -> Examples:
    """Ready features, float16 (N, H, W, C), for a head."""

    def load(indices: Indices, epoch: int) -> Tensor:
        batch = torch.from_numpy(features[indices]).to(compute.device, torch.float32)
        return batch.permute(0, 3, 1, 2)  # (B, C, H, W), and channels last as stored

    return Examples(labels, load, features.shape[1:])


def degraded_feature_examples(samples: Samples, labels: Labels, scorer: Scorer, recipe: Recipe) -> Examples:
    """Features of freshly degraded images, for a head: the trunk runs on every batch."""

    def load(indices: Indices, epoch: int) -> Tensor:
        features = scorer.features(list(_degraded(samples, indices, epoch, recipe)))
        return features.float().clone()  # out of inference mode: autograd refuses tensors made in it

    return Examples(labels, load, samples.pixels.shape[1:])


def degradation_seed(recipe: Recipe, epoch: int) -> int:
    """The seed of one epoch's degradations; epoch 0 is the validation side's, the same all along."""
    return recipe.seed * 100_000 + epoch  # a recipe has at most 10,000 epochs


def _degraded(samples: Samples, indices: Indices, epoch: int, recipe: Recipe) -> NDArray[np.uint8]:
    if recipe.degradation == "clean":
        return samples.pixels[indices]
    items = [samples.items[i] for i in indices]
    return degrade_batch(samples.pixels[indices], items, recipe.degradation, degradation_seed(recipe, epoch))
