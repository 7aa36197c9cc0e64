"""Training a primary so that heads for an earlier one go on working: backward-compatible training (Shen et al. 2020).

The new trunk is held, on the images it learns from, to the earlier trunk's features and, where they are given, to the earlier
heads' logits. No image of a head's owner is needed. How strongly is for the recipe (`compatibility`), the loop for `train`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from manyheads_contributor.artifacts import read_artifact_file
from manyheads_contributor.recipe import Recipe, RecipeError
from manyheads_contributor.samples import Labels
from manyheads_contributor.train import Objective
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact, read_head, read_primary
from manyheads_shared.compute import Compute
from manyheads_shared.lanes import place
from manyheads_shared.networks import Head, Primary, load_head, load_primary

MIN_POWER = 1e-6  # of features or logits: what is zero all over has no scale


@dataclass(frozen=True)
class Earlier:
    """The primary that a new one is held to, and heads for it."""

    primary: PrimaryArtifact
    heads: tuple[HeadArtifact, ...] = ()

    @classmethod
    def read(cls, primary: Path, heads: Sequence[Path]) -> "Earlier":
        """Read artifact files.

        Raises:
            UsageError: there is no such file.
            FormatError, VerificationError: as `read_primary` and `read_head`.
        """
        artifact = read_primary(read_artifact_file(primary))
        return cls(artifact, tuple(read_head(read_artifact_file(path), artifact) for path in heads))

    def verify_recipe(self, recipe: Recipe) -> None:
        """Check that a recipe makes a primary of the same images and the same shape.

        Raises:
            RecipeError: it does not.
        """
        for what, expected, found in (
            ("architecture", self.primary.architecture.name, recipe.architecture),
            ("preprocessing", self.primary.manifest.preprocessing, recipe.preprocessing),
        ):
            if expected != found:
                raise RecipeError(
                    f"--compatible-with: expected a recipe with the earlier primary's {what} ({expected}), got {found}; heads "
                    "can only go on on images and features like theirs"
                )

    def hold(self, primary: Primary, compute: Compute) -> "CompatiblePrimary":
        """Begin the training of a primary that is held to this one."""
        heads = [place(load_head(head, self.primary), compute) for head in self.heads]
        return CompatiblePrimary(primary, place(load_primary(self.primary), compute), heads)


class CompatiblePrimary(nn.Module):
    """A primary in training, and how far it has moved from an earlier one."""

    def __init__(self, primary: Primary, earlier: Primary, heads: Sequence[Head]) -> None:
        """Begin at the earlier trunk's weights: what is to stay where it is begins there.

        Args:
            primary: the new one; its trunk's weights are replaced.
            earlier: frozen, of the same architecture.
            heads: frozen, for the earlier primary.
        """
        super().__init__()
        self.primary = primary
        primary.trunk.load_state_dict(earlier.trunk.state_dict())
        self._earlier = (earlier.trunk, tuple(heads))  # in a tuple: what is frozen is none of this module's own

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 2) of images (N, C, S, S): the detector's logit, and the distance from the earlier primary.

        The distance is the mean squared error of the features, and that of the heads' logits, each in units of the earlier
        ones' mean square.
        """
        trunk, heads = self._earlier
        features = self.primary.trunk(images)
        with torch.no_grad():
            before = trunk(images)
            logits_before = [head(before) for head in heads]
        distance = _relative(features.float(), before.float())
        if heads:
            logits = torch.stack([head(features) for head in heads], dim=1)
            distance = distance + _relative(logits.float(), torch.stack(logits_before, dim=1).float())
        return torch.stack([self.primary.detector(features).float(), distance], dim=1)


@dataclass(frozen=True)
class Compatibly:
    """Yes or no, and near to the earlier primary."""

    detection: Objective
    weight: float  # of the distance, beside a cross-entropy

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The detector's loss plus the weighted mean distance, of outputs (B, 2)."""
        return self.detection.loss(outputs[:, 0], labels) + self.weight * outputs[:, 1].mean()

    def figures(self, outputs: NDArray[np.float32], labels: Labels) -> tuple[float | None, float | None]:
        """The detector's alone."""
        return self.detection.figures(outputs[:, 0], labels)


def _relative(after: Tensor, before: Tensor) -> Tensor:
    """Mean squared error of each image (N,), in units of the batch's mean square before."""
    power = before.square().mean().clamp(min=MIN_POWER)
    return (after - before).square().flatten(1).mean(dim=1) / power
