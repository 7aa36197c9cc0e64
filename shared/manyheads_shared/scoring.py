"""The only forward path: images to logits, one trunk pass whatever the number of heads.

`Scorer` is what the client attributes with, the hub evaluates with and the kit measures with. It checks the feature contract
when it is built: a primary whose features are not those a head was trained on never scores an image.

A head with finite weights may still give NaN or infinity, perhaps on one image in a million. `score` and `analyse` refuse it,
which is right where a head is judged; whoever scans images asks for the scores as they are and checks them image by image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact
from manyheads_shared.compute import Compute
from manyheads_shared.errors import NonFiniteScoreError
from manyheads_shared.image import Pixels
from manyheads_shared.networks import Head, Primary, load_head, load_primary
from manyheads_shared.preprocess import Preprocessor
from manyheads_shared.probe import probe_images, project, verify_probe
from manyheads_shared.saliency import class_activation_map

M = TypeVar("M", bound=torch.nn.Module)


@dataclass(frozen=True)
class Analysis:
    """Scores of a batch, and where they come from."""

    logits: NDArray[np.float32]  # (N, 1 + K): detector, then heads in order
    saliency: NDArray[np.float32]  # (N, 1 + K, h, w), in logits


class Scorer:
    """A primary and its heads, ready to run."""

    def __init__(self, primary: PrimaryArtifact, heads: Sequence[HeadArtifact], compute: Compute) -> None:
        """Load the networks and check the feature contract.

        Raises:
            PrimaryMismatchError: a head was read for another primary.
            FeatureContractError: the features here are not those the primary's or a head's manifest promises.
        """
        self.preprocess = Preprocessor.of(primary)
        self.compute = compute
        self._primary = _place(load_primary(primary), compute)
        self._heads = [_place(load_head(head, primary), compute) for head in heads]
        self._titles = ["the detector", *(f"head {head.manifest.generator.title}" for head in heads)]
        measured = measure_probe(self._primary, self.preprocess, compute)
        verify_probe(primary.manifest.probe, measured, name=f"primary {primary.manifest.name}")
        for head in heads:
            verify_probe(head.manifest.probe, measured, name=f"head {head.manifest.generator.title}")

    @property
    def head_count(self) -> int:
        """Number of heads."""
        return len(self._heads)

    @torch.inference_mode()
    def features(self, images: Sequence[Pixels]) -> Tensor:
        """Trunk features (N, C, H, W), in the precision of the compute, of decoded images of one fitted size."""
        batch = _to_device(self.preprocess.batch(images), self.compute)
        with self.compute.arithmetic():
            features: Tensor = self._primary.trunk(batch)
        return features

    @torch.inference_mode()
    def score(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """Logits float32 (N, 1 + K) of images that preprocess to one size.

        Args:
            images: uint8 (H, W, 3), RGB; at least one.

        Raises:
            NonFiniteScoreError: a network gives NaN or infinity.
        """
        return self._verify(self.score_as_is(images))

    @torch.inference_mode()
    def score_as_is(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """Logits as `score`, finite or not; `check_finite` names the network."""
        return self._logits(self.features(images))

    @torch.inference_mode()
    def score_features(self, features: Tensor) -> NDArray[np.float32]:
        """Logits float32 (N, 1 + K) of ready features (N, C, H, W).

        Raises:
            NonFiniteScoreError: a network gives NaN or infinity.
        """
        return self._verify(self._logits(features))

    def analyse(self, images: Sequence[Pixels]) -> Analysis:
        """Logits and saliency of images that preprocess to one size.

        Raises:
            NonFiniteScoreError: a network gives NaN or infinity.
        """
        analysis = self.analyse_as_is(images)
        self._verify(analysis.logits)
        return analysis

    @torch.inference_mode()
    def analyse_as_is(self, images: Sequence[Pixels]) -> Analysis:
        """Logits and saliency as `analyse`, finite or not; `check_finite` names the network."""
        features = self.features(images)
        logits, saliency = [], []
        with self.compute.arithmetic():
            for network in self._networks():
                maps = network.maps(features)
                logits.append(network.read_out(maps).float())
                saliency.append(class_activation_map(network, maps).float())
        return Analysis(torch.stack(logits, dim=1).cpu().numpy(), torch.stack(saliency, dim=1).cpu().numpy())

    def check_finite(self, logits: NDArray[np.float32]) -> NonFiniteScoreError | None:
        """Return why no threshold can place these logits, (1 + K,) or (N, 1 + K); None when all are finite."""
        fine = np.isfinite(logits).reshape(-1, 1 + self.head_count).all(axis=0)
        if fine.all():
            return None
        return NonFiniteScoreError(
            f"{self._titles[int(np.argmin(fine))]}: expected finite scores, got NaN or infinity. "
            "Its weights are finite but lead nowhere; train it again."
        )

    def _verify(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        if error := self.check_finite(logits):
            raise error
        return logits

    def _logits(self, features: Tensor) -> NDArray[np.float32]:
        with self.compute.arithmetic():
            columns = [network(features).float() for network in self._networks()]
        logits: NDArray[np.float32] = torch.stack(columns, dim=1).cpu().numpy()
        return logits

    def _networks(self) -> list[Head]:
        return [self._primary.detector, *self._heads]


@torch.inference_mode()
def measure_probe(primary: Primary, preprocess: Preprocessor, compute: Compute) -> tuple[tuple[float, ...], ...]:
    """Measure the feature contract: 4 x 8 projections of the features of the probe images.

    In float32 whatever the precision of `compute`: bfloat16 would differ by more than the faults a probe is there to catch.
    """
    batch = _to_device(preprocess.batch(probe_images(preprocess.spec.image_size)), compute)
    with Compute(compute.device, "float32").arithmetic():
        features = primary.trunk(batch).cpu().numpy()
    return tuple(project(image_features) for image_features in features)


def _place(module: M, compute: Compute) -> M:
    return module.to(compute.device).to(memory_format=torch.channels_last)


def _to_device(batch: NDArray[np.float32], compute: Compute) -> Tensor:
    return torch.from_numpy(batch).to(compute.device, memory_format=torch.channels_last)
