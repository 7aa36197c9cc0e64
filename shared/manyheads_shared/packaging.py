"""Trained weights of a primary to its artifact: the feature contract is measured on what a reader will get.

It is measured in float32 on the CPU, whatever the training ran in, so that machines which multiply in bfloat16 all stand at the
same distance from it. Writing files is for callers.
"""

from manyheads_shared.artifact import PrimaryArtifact, Tensors, read_primary, write_primary
from manyheads_shared.clock import now
from manyheads_shared.compute import choose_compute
from manyheads_shared.lanes import measure_probe
from manyheads_shared.manifest import Preprocessing, PrimaryManifest, Training
from manyheads_shared.networks import load_primary
from manyheads_shared.preprocess import Preprocessor
from manyheads_shared.probe import PROBE_IMAGES, PROJECTIONS

_NO_PROBE = ((0.0,) * PROJECTIONS,) * PROBE_IMAGES


def build_primary_artifact(
    tensors: Tensors, *, name: str, version: str, architecture: str, preprocessing: Preprocessing, training: Training
) -> bytes:
    """Return a primary as an artifact.

    Args:
        tensors: under their declared names, a dct primary's statistics among them.

    Raises:
        ManifestError: not a name or a version.
        ArtifactError: the weights are not those of the architecture, or not finite.
    """
    draft = PrimaryManifest.new(
        name=name,
        version=version,
        architecture=architecture,
        preprocessing=preprocessing,
        probe=_NO_PROBE,
        training=training,
        created=now(),
    )
    # the features are those of a primary as a reader gets it: written without a probe first, then measured
    probe = measure_features(read_primary(write_primary(draft, tensors)))
    return write_primary(draft.model_copy(update={"probe": probe}), tensors)


def measure_features(primary: PrimaryArtifact) -> tuple[tuple[float, ...], ...]:
    """The feature contract of a primary: its features on the probe images, projected."""
    return measure_probe(load_primary(primary), Preprocessor.of(primary), choose_compute("cpu", "float32"))
