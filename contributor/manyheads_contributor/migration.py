"""Moving a head to a hub's present primary: trained again by its run's own recipe, or as it is, under the new primary's name.

A head belongs to one primary for ever, so either way it is another head, of a new version. Fetching, packaging and submitting
are those of the other commands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads_contributor.artifacts import HeadWeights, read_artifact_file, read_head_run
from manyheads_contributor.run import RunFolder
from manyheads_contributor.training_run import train_head
from manyheads_shared.api import Notice
from manyheads_shared.artifact import PrimaryArtifact, read_head
from manyheads_shared.dataset import Dataset
from manyheads_shared.errors import UsageError


@dataclass(frozen=True)
class Desk:
    """Where a migration keeps what it makes, so that a killed one goes on."""

    folder: Path

    @property
    def primary(self) -> Path:
        """The hub's present primary."""
        return self.folder / "primary.safetensors"

    @property
    def earlier(self) -> Path:
        """The head's own primary."""
        return self.folder / "earlier.safetensors"

    @property
    def run(self) -> Path:
        """The training on the present primary."""
        return self.folder / "run"

    @property
    def head(self) -> Path:
        """The packaged head."""
        return self.folder / "head.safetensors"


def find_notice(notices: Sequence[Notice], generator: str) -> Notice:
    """Return the notice about a generator's head.

    Raises:
        UsageError: the hub has none: nothing is to be done, or the head is another's.
    """
    for notice in notices:
        if notice.generator.name == generator:
            return notice
    known = ", ".join(notice.generator.title for notice in notices) or "none of your heads"
    raise UsageError(f"the hub asks nothing of you for {generator}; it has notices about {known}")


def retrain(run: Path, dataset: Dataset, primary: PrimaryArtifact, desk: Desk, *, device: str) -> HeadWeights:
    """Train a run's head again on another primary, by the recipe that the run was made with.

    Args:
        run: of the head that is in the catalogue.
        dataset: the owner's images, as for the first training.

    Raises:
        RunError: `run` is no finished run of a head.
        DatasetError, FeatureContractError, TrainingError: as `train_head`.
    """
    before = RunFolder(run)
    generator = before.read().identity.generator
    if generator is None:
        raise UsageError(f"{run} is the run of a primary; name the run that trained your head")
    train_head(dataset, generator, primary, before.read_recipe(), desk.run, device=device)
    return read_head_run(RunFolder(desk.run))


def take_over(head: Path, earlier: PrimaryArtifact, primary: PrimaryArtifact) -> HeadWeights:
    """Return a head's weights as they are, for another primary: what the hub runs straight is made that primary's own.

    Raises:
        UsageError: there is no such file.
        FormatError, VerificationError: as `read_head`.
    """
    artifact = read_head(read_artifact_file(head), earlier)
    return HeadWeights(artifact.manifest.architecture, primary.digest, artifact.tensors, artifact.manifest.training)
