from pathlib import Path

import pytest

from manyheads_contributor.artifacts import read_head_run, read_primary_run
from manyheads_contributor.package import package_head, package_primary
from manyheads_contributor.run import RunError, RunFolder
from manyheads_contributor.submission import statement_path
from manyheads_shared.artifact import PrimaryArtifact, read_head, read_primary
from manyheads_shared.compute import choose_compute
from manyheads_shared.dataset import Dataset
from manyheads_shared.errors import ManifestError, PrimaryMismatchError, UsageError
from manyheads_shared.keys import generate_key
from manyheads_shared.scoring import Scorer
from manyheads_shared.statements import verify_owner_statement
from tests.support.makers import make_generator, make_primary
from tests.support.training import tiny_head_run, tiny_primary_run


def test_a_packaged_primary_is_read_and_scores(primary_run: Path, tmp_path: Path) -> None:
    packaged = package_primary(read_primary_run(RunFolder(primary_run)), tmp_path / "p.safetensors", name="tiny", version="1")
    primary = read_primary(packaged.path.read_bytes())
    assert primary.digest == packaged.digest
    assert primary.manifest.training == RunFolder(primary_run).read().training
    Scorer(primary, [], choose_compute("cpu", "float32"))  # the feature contract holds


def test_a_dct_primary_is_packaged_with_its_statistics(dataset: Dataset, tmp_path: Path) -> None:
    run = tiny_primary_run(tmp_path / "run", dataset, "architecture=khoo2022-dct", "max_epochs=1")
    packaged = package_primary(read_primary_run(RunFolder(run)), tmp_path / "p.safetensors", name="tiny", version="1")
    primary = read_primary(packaged.path.read_bytes())
    head = tiny_head_run(tmp_path / "head", dataset, primary, "max_epochs=1")
    made = package_head(
        read_head_run(RunFolder(head)), primary, tmp_path / "h", generator=make_generator(), signer=generate_key()
    )
    assert read_head(made.path.read_bytes(), primary).manifest.architecture == "khoo2022-dct"


def test_a_packaged_head_has_its_owners_statement_beside_it(head_run: Path, primary: PrimaryArtifact, tmp_path: Path) -> None:
    signer = generate_key()
    out = tmp_path / "alpha.safetensors"
    packaged = package_head(read_head_run(RunFolder(head_run)), primary, out, generator=make_generator(), signer=signer)
    head = read_head(out.read_bytes(), primary)
    statement = verify_owner_statement(statement_path(out).read_bytes(), head.digest, signer.public_key)
    assert (statement.predicate.generator, statement.predicate.primary) == (make_generator(), primary.digest)
    assert packaged.statement == statement_path(out)


def test_an_artifact_is_never_overwritten(primary_run: Path, tmp_path: Path) -> None:
    (tmp_path / "p.safetensors").write_bytes(b"published")
    with pytest.raises(UsageError, match="never overwritten"):
        package_primary(read_primary_run(RunFolder(primary_run)), tmp_path / "p.safetensors", name="tiny", version="1")
    assert (tmp_path / "p.safetensors").read_bytes() == b"published"


def test_a_head_is_not_packaged_for_another_primary(head_run: Path, tmp_path: Path) -> None:
    with pytest.raises(PrimaryMismatchError):
        package_head(
            read_head_run(RunFolder(head_run)),
            make_primary(seed=5),
            tmp_path / "h",
            generator=make_generator(),
            signer=generate_key(),
        )


def test_a_run_of_the_other_kind_is_refused(head_run: Path, primary_run: Path) -> None:
    with pytest.raises(RunError, match="expected the run of a primary"):
        read_primary_run(RunFolder(head_run))
    with pytest.raises(RunError, match="expected the run of a head"):
        read_head_run(RunFolder(primary_run))


def test_an_unfinished_run_is_refused(primary_run: Path, tmp_path: Path) -> None:
    unfinished = RunFolder(tmp_path / "run")
    unfinished.write(RunFolder(primary_run).read().model_copy(update={"result": None}))
    with pytest.raises(RunError, match="not trained to its end"):
        read_primary_run(unfinished)


def test_a_name_that_is_none_is_refused(primary_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="name"):
        package_primary(read_primary_run(RunFolder(primary_run)), tmp_path / "p", name="No Name", version="1")
