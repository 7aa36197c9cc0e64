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
from manyheads_shared.engine.executors import Executor, ExecutorName, Folded, Separate
from manyheads_shared.engine.tuning import Tuning
from manyheads_shared.errors import NonFiniteScoreError
from manyheads_shared.image import Pixels
from manyheads_shared.networks import Primary, load_head, load_primary
from manyheads_shared.preprocess import Preprocessor
from manyheads_shared.probe import probe_images, project, verify_probe

M = TypeVar("M", bound=torch.nn.Module)


@dataclass(frozen=True)
class Analysis:
    """Scores of a batch, and where they come from."""

    logits: NDArray[np.float32]  # (N, 1 + K): detector, then heads in order
    saliency: NDArray[np.float32]  # (N, 1 + K, h, w), in logits


class Scorer:
    """A primary and its heads, ready to run."""

    def __init__(
        self,
        primary: PrimaryArtifact,
        heads: Sequence[HeadArtifact],
        compute: Compute,
        *,
        executor: ExecutorName = "separate",
        tuning: Tuning | None = None,
    ) -> None:
        """Load the networks and check the feature contract.

        Args:
            executor: how heads are run (`engine.executors`): `separate`, as they were trained, or `folded`, faster, the same
                logits but for rounding.
            tuning: of `folded`; None: the user's.

        Raises:
            PrimaryMismatchError: a head was read for another primary.
            FeatureContractError: the features here are not those the primary's or a head's manifest promises.
        """
        self.preprocess = Preprocessor.of(primary)
        self.compute = compute
        self.head_count = len(heads)
        self._primary = _place(load_primary(primary), compute)
        networks = [self._primary.detector, *(_place(load_head(head, primary), compute) for head in heads)]
        self._executor: Executor = Separate(self._primary.trunk, networks, compute)
        if executor == "folded":
            self._executor = Folded(self._primary.trunk, networks, compute, _maps_size(primary), tuning or Tuning())
        self._titles = ["the detector", *(f"head {head.manifest.generator.title}" for head in heads)]
        measured = measure_probe(self._primary, self.preprocess, compute)
        verify_probe(primary.manifest.probe, measured, name=f"primary {primary.manifest.name}")
        for head in heads:
            verify_probe(head.manifest.probe, measured, name=f"head {head.manifest.generator.title}")

    @torch.inference_mode()
    def features(self, images: Sequence[Pixels]) -> Tensor:
        """Trunk features (N, C, H, W), in the precision of the compute, of decoded images of one fitted size."""
        return self._executor.features(_to_device(self.preprocess.batch(images), self.compute))

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
        logits, saliency = self._executor.analyse(self.features(images))
        return Analysis(logits.cpu().numpy(), saliency.cpu().numpy())

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
        logits: NDArray[np.float32] = self._executor.logits(features).cpu().numpy()
        return logits


@torch.inference_mode()
def measure_probe(primary: Primary, preprocess: Preprocessor, compute: Compute) -> tuple[tuple[float, ...], ...]:
    """Measure the feature contract: 4 x 8 projections of the features of the probe images.

    In float32 whatever the precision of `compute`: bfloat16 would differ by more than the faults a probe is there to catch.
    """
    batch = _to_device(preprocess.batch(probe_images(preprocess.spec.image_size)), compute)
    with Compute(compute.device, "float32").arithmetic():
        features = primary.trunk(batch).cpu().numpy()
    return tuple(project(image_features) for image_features in features)


def _maps_size(primary: PrimaryArtifact) -> tuple[int, int] | None:
    """Height and width of the last maps, where images have one size."""
    size = primary.manifest.preprocessing.image_size
    return None if size is None else (primary.architecture.maps_size(size),) * 2


def _place(module: M, compute: Compute) -> M:
    return module.to(compute.device).to(memory_format=torch.channels_last)


def _to_device(batch: NDArray[np.float32], compute: Compute) -> Tensor:
    return torch.from_numpy(batch).to(compute.device, memory_format=torch.channels_last)
