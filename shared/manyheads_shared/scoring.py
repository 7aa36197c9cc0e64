"""The only forward path: images to logits, one trunk pass whatever the number of heads.

`Scorer` is what the client attributes with, the hub evaluates with and the kit measures with. It checks the feature contract
when it is built: a primary whose features are not those a head was trained on never scores an image. A head of an earlier
primary is run only by a passage, which its caller has verified (`lanes`).

A head with finite weights may still give NaN or infinity, perhaps on one image in a million. `score` and `analyse` refuse it,
which is right where a head is judged; whoever scans images asks for the scores as they are and checks them image by image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact
from manyheads_shared.compute import Compute
from manyheads_shared.digest import Digest
from manyheads_shared.engine.executors import Executor, ExecutorName, Folded, Separate
from manyheads_shared.engine.tuning import Tuning
from manyheads_shared.errors import NonFiniteScoreError
from manyheads_shared.image import Pixels
from manyheads_shared.lanes import build_lanes
from manyheads_shared.networks import Head, Primary
from manyheads_shared.passage import Passage


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
        passages: Mapping[Digest, Passage] | None = None,
    ) -> None:
        """Load the networks and check the feature contract.

        Args:
            heads: for the primary, or for an earlier one and named in `passages`.
            executor: how heads are run (`engine.executors`): `separate`, as they were trained, or `folded`, faster, the same
                logits but for rounding.
            tuning: of `folded`; None: the user's.
            passages: how heads of earlier primaries are run, by head.

        Raises:
            PrimaryMismatchError: a head was read for another primary, and has no passage.
            FeatureContractError: the features here are not those the primary's or a head's manifest promises.
        """
        if executor == "folded":
            tuning = tuning or Tuning()

        def build(artifact: PrimaryArtifact, network: Primary, run: Sequence[Head]) -> Executor:
            if tuning is None:
                return Separate(network.trunk, run, compute)
            return Folded(network.trunk, run, compute, _maps_size(artifact), tuning)

        self._lanes = build_lanes(primary, heads, passages or {}, compute, build)
        self.preprocess = self._lanes[0].preprocess
        self.compute = compute
        self.head_count = len(heads)
        self._titles = ["the detector", *(f"head {head.manifest.generator.title}" for head in heads)]

    @torch.inference_mode()
    def features(self, images: Sequence[Pixels]) -> Tensor:
        """The primary's features (N, C, H, W), in the precision of the compute, of decoded images of one fitted size."""
        return self._lanes[0].features(images, self.compute)

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
        found = [lane.executor.logits(lane.features(images, self.compute)) for lane in self._lanes]
        return self._in_order(found)

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
        found = [lane.executor.analyse(lane.features(images, self.compute)) for lane in self._lanes]
        return Analysis(self._in_order([logits for logits, _ in found]), self._in_order([maps for _, maps in found]))

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

    def _in_order(self, of_lanes: Sequence[Tensor]) -> NDArray[np.float32]:
        """What all lanes found, (N, 1 + K, …), each network in its column."""
        found: NDArray[np.float32] = torch.cat(list(of_lanes), dim=1).cpu().numpy()
        return found if len(of_lanes) == 1 else found[:, np.argsort([c for lane in self._lanes for c in lane.columns])]


def _maps_size(primary: PrimaryArtifact) -> tuple[int, int] | None:
    """Height and width of the last maps, where images have one size."""
    size = primary.manifest.preprocessing.image_size
    return None if size is None else (primary.architecture.maps_size(size),) * 2
