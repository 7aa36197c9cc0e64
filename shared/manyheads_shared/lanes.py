"""Lanes: which trunk each network of a bundle is run on. Most bundles have one; a head that is run beside brings its own.

What a lane computes is for `engine`, what comes of all lanes together for `scoring`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact
from manyheads_shared.compute import Compute
from manyheads_shared.digest import Digest
from manyheads_shared.engine.executors import Executor
from manyheads_shared.errors import PrimaryMismatchError
from manyheads_shared.image import Pixels
from manyheads_shared.networks import Head, Primary, load_head, load_primary
from manyheads_shared.passage import Passage
from manyheads_shared.preprocess import Preprocessor
from manyheads_shared.probe import probe_images, project, verify_probe

BuildExecutor = Callable[[PrimaryArtifact, Primary, Sequence[Head]], Executor]
M = TypeVar("M", bound=torch.nn.Module)


@dataclass(frozen=True)
class Lane:
    """A trunk, and the networks that are run on its features."""

    preprocess: Preprocessor
    executor: Executor
    columns: tuple[int, ...]  # of the logits; 0 is the detector's

    def features(self, images: Sequence[Pixels], compute: Compute) -> Tensor:
        """Trunk features (N, C, H, W) of decoded images of one fitted size."""
        return self.executor.features(to_device(self.preprocess.batch(images), compute))


def build_lanes(
    primary: PrimaryArtifact,
    heads: Sequence[HeadArtifact],
    passages: Mapping[Digest, Passage],
    compute: Compute,
    build: BuildExecutor,
) -> tuple[Lane, ...]:
    """Load networks and distribute them; the first lane is the primary's, with its detector.

    The plan: (1) each head on its way, or refused; (2) the feature contract of the primary and of every earlier one, and each
    head's with its own; (3) the networks.

    Raises:
        PrimaryMismatchError: a head is for another primary, and has no passage.
        FeatureContractError: the features here are not those that a manifest promises.
    """
    # step 1
    owners, trunks = [_owner(primary, head, passages) for head in heads], {primary.digest: primary}
    columns: dict[Digest, list[int]] = {primary.digest: [0]}
    for column, (head, owner) in enumerate(zip(heads, owners, strict=True), start=1):
        passage = passages.get(head.digest)
        trunk = owner if passage and passage.way == "beside" else primary
        trunks[trunk.digest] = trunk
        columns.setdefault(trunk.digest, []).append(column)
    # step 2
    networks = {each.digest: place(load_primary(each), compute) for each in (primary, *owners)}
    for artifact in {each.digest: each for each in (primary, *owners)}.values():
        _verify_contract(artifact, [h for h, owner in zip(heads, owners, strict=True) if owner is artifact], networks, compute)
    # step 3
    loaded = [networks[primary.digest].detector]
    loaded += [place(load_head(head, owner), compute) for head, owner in zip(heads, owners, strict=True)]
    return tuple(
        Lane(
            Preprocessor.of(trunks[digest]),
            build(trunks[digest], networks[digest], [loaded[column] for column in members]),
            tuple(members),
        )
        for digest, members in columns.items()
    )


@torch.inference_mode()
def measure_probe(primary: Primary, preprocess: Preprocessor, compute: Compute) -> tuple[tuple[float, ...], ...]:
    """Measure the feature contract: 4 x 8 projections of the features of the probe images.

    In float32 whatever the precision of `compute`: bfloat16 would differ by more than the faults a probe is there to catch.
    """
    batch = to_device(preprocess.batch(probe_images(preprocess.spec.image_size)), compute)
    with Compute(compute.device, "float32").arithmetic():
        features = primary.trunk(batch).cpu().numpy()
    return tuple(project(image_features) for image_features in features)


def place(module: M, compute: Compute) -> M:
    """Bring a module to the device, channels last."""
    return module.to(compute.device).to(memory_format=torch.channels_last)


def to_device(batch: NDArray[np.float32], compute: Compute) -> Tensor:
    """Bring a preprocessed batch to the device, channels last."""
    return torch.from_numpy(batch).to(compute.device, memory_format=torch.channels_last)


def _owner(primary: PrimaryArtifact, head: HeadArtifact, passages: Mapping[Digest, Passage]) -> PrimaryArtifact:
    """The primary that a head belongs to."""
    passage = passages.get(head.digest)
    owner = passage.earlier if passage else primary
    if head.manifest.primary != owner.digest:
        raise PrimaryMismatchError(head.manifest.generator.title, head.manifest.primary, owner.digest)
    return owner


def _verify_contract(
    artifact: PrimaryArtifact, heads: Sequence[HeadArtifact], networks: Mapping[Digest, Primary], compute: Compute
) -> None:
    measured = measure_probe(networks[artifact.digest], Preprocessor.of(artifact), compute)
    verify_probe(artifact.manifest.probe, measured, name=f"primary {artifact.manifest.name}")
    for head in heads:
        verify_probe(head.manifest.probe, measured, name=f"head {head.manifest.generator.title}")
