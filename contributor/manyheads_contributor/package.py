"""Finished weights to files: a primary for a hub to publish, a head with its owner's signed statement to submit."""

from dataclasses import dataclass
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from manyheads_contributor.artifacts import HeadWeights, PrimaryWeights, build_head_artifact, build_primary_artifact
from manyheads_contributor.submission import statement_path
from manyheads_shared.artifact import PrimaryArtifact, read_head, read_primary
from manyheads_shared.clock import now
from manyheads_shared.compute import choose_compute
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import UsageError
from manyheads_shared.files import write_atomic
from manyheads_shared.manifest import Generator
from manyheads_shared.scoring import Scorer
from manyheads_shared.statements import OwnerPredicate, sign_owner_statement


@dataclass(frozen=True)
class Packaged:
    """What was written."""

    path: Path
    digest: Digest
    size_bytes: int
    statement: Path | None  # of a head


def package_primary(weights: PrimaryWeights, out: Path, *, name: str, version: str) -> Packaged:
    """Write a primary as an artifact.

    Raises:
        UsageError: `out` exists.
        ManifestError: not a name or a version.
        ArtifactError: the weights are not those of the architecture, or not finite.
    """
    _refuse_existing(out)
    data = build_primary_artifact(weights, name=name, version=version)
    _check(read_primary(data), None)
    write_atomic(out, data)
    return Packaged(out, digest_bytes(data), len(data), None)


def package_head(
    weights: HeadWeights, primary: PrimaryArtifact, out: Path, *, generator: Generator, signer: CryptoSigner
) -> Packaged:
    """Write a head as an artifact, its owner's statement beside it.

    Raises:
        UsageError: `out` exists.
        PrimaryMismatchError: it was trained on another primary.
        ArtifactError: the weights are not those of the architecture, or not finite.
    """
    _refuse_existing(out)
    data = build_head_artifact(weights, primary, generator)
    _check(primary, data)
    predicate = OwnerPredicate(generator=generator, primary=primary.digest, created=now())
    statement = sign_owner_statement(digest_bytes(data), predicate, signer)
    write_atomic(statement_path(out), statement)  # first: a head without its statement is of no use to a hub
    write_atomic(out, data)
    return Packaged(out, digest_bytes(data), len(data), statement_path(out))


def _check(primary: PrimaryArtifact, head: bytes | None) -> None:
    """Read and load what is about to be written as a hub would; the feature contract included."""
    heads = [read_head(head, primary)] if head else []
    Scorer(primary, heads, choose_compute("cpu", "float32"))


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} exists; an artifact is never overwritten, for its digest may be known. Choose another --out.")
