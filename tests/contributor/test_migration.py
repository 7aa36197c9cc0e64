"""A head brought to another primary: trained again by its own recipe, or as it is."""

from pathlib import Path

import numpy as np
import pytest

from manyheads_contributor.artifacts import build_head_artifact
from manyheads_contributor.migration import Desk, find_notice, retrain, take_over
from manyheads_contributor.run import RunFolder
from manyheads_shared.api import Notice
from manyheads_shared.artifact import PrimaryArtifact, read_head, read_primary
from manyheads_shared.dataset import Dataset
from manyheads_shared.errors import PrimaryMismatchError, UsageError
from tests.support.makers import NO_DIGEST, make_generator, make_head_bytes, make_primary_bytes

LATER = read_primary(make_primary_bytes(seed=9))


def test_a_head_is_trained_again_by_its_runs_own_recipe(head_run: Path, dataset: Dataset, tmp_path: Path) -> None:
    weights = retrain(head_run, dataset, LATER, Desk(tmp_path), device="cpu")
    again, before = RunFolder(tmp_path / "run").read(), RunFolder(head_run).read()

    assert (weights.primary, again.identity.primary) == (LATER.digest, LATER.digest)
    assert (again.identity.recipe, again.identity.split) == (before.identity.recipe, before.identity.split)
    assert read_head(build_head_artifact(weights, LATER, make_generator(version="2")), LATER).manifest.generator.version == "2"


def test_the_run_of_a_primary_is_no_heads(primary_run: Path, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run of a primary"):
        retrain(primary_run, dataset, LATER, Desk(tmp_path), device="cpu")


def test_a_head_taken_over_has_the_same_weights_under_the_new_primarys_name(primary: PrimaryArtifact, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    path.write_bytes(make_head_bytes(primary))
    weights = take_over(path, primary, LATER)
    head = read_head(build_head_artifact(weights, LATER, make_generator(version="2")), LATER)

    assert (head.manifest.primary, head.manifest.probe) == (LATER.digest, LATER.manifest.probe)
    before = read_head(path.read_bytes(), primary)
    assert all(np.array_equal(tensor, head.tensors[name]) for name, tensor in before.tensors.items())
    with pytest.raises(PrimaryMismatchError):
        take_over(path, LATER, LATER)


def test_a_generator_without_a_notice_is_named() -> None:
    notice = Notice.model_validate(
        {
            "generator": make_generator("beta").model_dump(),
            "head": NO_DIGEST,
            "belongs_to": NO_DIGEST,
            "primary": NO_DIGEST,
            "compatibility": "degraded",
            "way": "beside",
            "until": None,
            "message": "train it again",
        }
    )
    assert find_notice([notice], "beta") is notice
    with pytest.raises(UsageError, match=r"nothing of you for alpha; it has notices about beta@1"):
        find_notice([notice], "alpha")
