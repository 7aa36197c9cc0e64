"""Finished weights as artifacts: what `package` and `import-keras` write to a file and what `evaluate` measures.

Where weights come from is for `run` and `keras_import`; here they meet their manifest (a primary's in
`manyheads_shared.packaging`).
"""

from dataclasses import dataclass
from pathlib import Path

import safetensors.numpy

from manyheads_contributor.run import Run, RunError, RunFolder
from manyheads_shared import packaging
from manyheads_shared.artifact import (
    HeadArtifact,
    PrimaryArtifact,
    Tensors,
    read_head,
    read_head_manifest,
    read_primary,
    write_head,
)
from manyheads_shared.clock import now
from manyheads_shared.digest import Digest
from manyheads_shared.errors import FormatError, PrimaryMismatchError, UsageError
from manyheads_shared.manifest import Generator, HeadManifest, Preprocessing, Training

_UNPUBLISHED = "unpublished"  # name or owner in the artifact of a run that is only measured


@dataclass(frozen=True)
class PrimaryWeights:
    """A trained primary before it has a name."""

    architecture: str
    preprocessing: Preprocessing
    tensors: Tensors  # under their declared names, a dct primary's statistics among them
    training: Training


@dataclass(frozen=True)
class HeadWeights:
    """A trained head before it has an owner."""

    architecture: str
    primary: Digest  # it was trained on
    tensors: Tensors  # under their declared names
    training: Training


@dataclass(frozen=True)
class Subject:
    """What is to be measured: the detector of a primary, or a head on its primary."""

    title: str
    digest: Digest | None  # of the artifact file; a run has none yet
    primary: PrimaryArtifact
    heads: tuple[HeadArtifact, ...]  # none or one
    trained: tuple[RunFolder, Run] | None  # of a run: it knows which images it has seen

    @property
    def generator(self) -> str | None:
        """The head's generator; None for a detector."""
        return self.heads[0].manifest.generator.name if self.heads else None


def load_subject(path: Path, primary_path: Path | None) -> Subject:
    """Read a run folder or an artifact file.

    Args:
        path: of the run or the file.
        primary_path: of the primary's file; heads need it.

    Raises:
        UsageError: a head without a primary, a primary with one, or an unfinished run.
        FormatError, VerificationError: as `read_primary` and `read_head`.
    """
    primary = None if primary_path is None else read_primary(read_artifact_file(primary_path))
    if path.is_dir():
        return _load_run(RunFolder(path), primary)
    data = read_artifact_file(path)
    if primary is not None:
        head = read_head(data, primary)
        return Subject(f"head {head.manifest.generator.title}", head.digest, primary, (head,), None)
    if _is_head(data):
        raise UsageError(f"{path} is a head; name the primary it was trained on with --primary")
    primary = read_primary(data)
    return Subject(f"detector of {primary.manifest.title}", primary.digest, primary, (), None)


def _load_run(folder: RunFolder, primary: PrimaryArtifact | None) -> Subject:
    run = folder.read()
    generator = run.identity.generator
    if generator is None:
        if primary is not None:
            raise UsageError(f"{folder.path} is the run of a primary; leave --primary out")
        made = read_primary(build_primary_artifact(read_primary_run(folder), name=_UNPUBLISHED, version="0"))
        return Subject(f"detector of run {folder.path.name}", None, made, (), (folder, run))
    if primary is None:
        raise UsageError(f"{folder.path} is the run of a head; name the primary it was trained on with --primary")
    named = Generator(name=generator, version="0", owner=_UNPUBLISHED, level="instance")
    head = read_head(build_head_artifact(read_head_run(folder), primary, named), primary)
    return Subject(f"head for {generator} of run {folder.path.name}", None, primary, (head,), (folder, run))


def _is_head(data: bytes) -> bool:
    try:
        read_head_manifest(data)
    except FormatError:
        return False
    return True


def read_artifact_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        UsageError: there is no such file.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(f"{path}: expected an artifact, a safetensors file; there is none") from error


def read_primary_run(folder: RunFolder) -> PrimaryWeights:
    """Read the primary of a finished run.

    Raises:
        RunError: the run trained a head, or is not finished.
    """
    run = folder.read()
    if run.identity.kind != "primary":
        raise RunError(f"{folder.path}: expected the run of a primary, it trained a {run.title}")
    return PrimaryWeights(run.architecture, run.preprocessing, _read_best(folder, run), run.training)


def read_head_run(folder: RunFolder) -> HeadWeights:
    """Read the head of a finished run.

    Raises:
        RunError: the run trained a primary, or is not finished.
    """
    run = folder.read()
    if run.identity.primary is None:
        raise RunError(f"{folder.path}: expected the run of a head, it trained a {run.title}")
    return HeadWeights(run.architecture, run.identity.primary, _read_best(folder, run), run.training)


def build_primary_artifact(weights: PrimaryWeights, *, name: str, version: str) -> bytes:
    """Return a primary as an artifact.

    Raises:
        ManifestError: not a name or a version.
        ArtifactError: the weights are not those of the architecture, or not finite.
    """
    return packaging.build_primary_artifact(
        weights.tensors,
        name=name,
        version=version,
        architecture=weights.architecture,
        preprocessing=weights.preprocessing,
        training=weights.training,
    )


def build_head_artifact(weights: HeadWeights, primary: PrimaryArtifact, generator: Generator) -> bytes:
    """Return a head as an artifact.

    Raises:
        PrimaryMismatchError: it was trained on another primary.
        ArtifactError: the weights are not those of the architecture, or not finite.
    """
    if weights.primary != primary.digest:
        raise PrimaryMismatchError(generator.title, weights.primary, primary.digest)
    manifest = HeadManifest.new(
        generator=generator,
        architecture=weights.architecture,
        primary=primary.digest,
        probe=packaging.measure_features(primary),
        training=weights.training,
        created=now(),
    )
    return write_head(manifest, weights.tensors, primary)


def _read_best(folder: RunFolder, run: Run) -> Tensors:
    _ = run.training  # refuses an unfinished run
    return safetensors.numpy.load_file(folder.best)
