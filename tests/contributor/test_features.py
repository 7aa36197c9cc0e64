from pathlib import Path

import numpy as np
import pytest
import torch

from manyheads_contributor.examples import degraded_feature_examples, feature_examples
from manyheads_contributor.features import cached_features
from manyheads_contributor.samples import Samples, head_labels, read_samples
from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.compute import choose_compute
from manyheads_shared.dataset import Dataset
from manyheads_shared.scoring import Scorer
from tests.support.training import tiny_recipe


@pytest.fixture
def samples(dataset: Dataset, primary: PrimaryArtifact, tmp_path: Path) -> Samples:
    return read_samples(dataset.items[:12], primary.manifest.preprocessing, tmp_path / "overflow.npy")


@pytest.fixture
def scorer(primary: PrimaryArtifact) -> Scorer:
    return Scorer(primary, [], choose_compute("cpu", "float32"))


def test_cached_features_are_the_scorers(samples: Samples, scorer: Scorer, primary: PrimaryArtifact, tmp_path: Path) -> None:
    features = cached_features(tmp_path, primary.digest, samples, scorer, variant="clean")
    examples = feature_examples(features, head_labels(samples.items, "alpha"), scorer.compute)
    batch = examples.load(np.array([7, 2]), 1)
    expected = scorer.features([samples.pixels[7], samples.pixels[2]])
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(batch, expected, atol=1e-3)  # float16 on the way


def test_features_are_computed_once(samples: Samples, scorer: Scorer, primary: PrimaryArtifact, tmp_path: Path) -> None:
    counted: list[int] = []
    for _ in range(2):
        cached_features(tmp_path, primary.digest, samples, scorer, variant="clean", on_images=counted.append)
    assert sum(counted) == len(samples.items)


def test_another_variant_or_other_images_have_a_file_of_their_own(
    samples: Samples, scorer: Scorer, primary: PrimaryArtifact, tmp_path: Path
) -> None:
    fewer = Samples(samples.items[1:], samples.pixels[1:], 0)
    cached_features(tmp_path, primary.digest, samples, scorer, variant="clean")
    cached_features(tmp_path, primary.digest, fewer, scorer, variant="clean")
    cached_features(tmp_path, primary.digest, samples, scorer, variant="paper-as-written 1")
    assert len(list(tmp_path.glob("*.npy"))) == 3


def test_degradations_are_drawn_afresh_every_epoch_and_again_the_same(samples: Samples, scorer: Scorer) -> None:
    recipe = tiny_recipe("degradation=paper-as-written")
    examples = degraded_feature_examples(samples, head_labels(samples.items, "alpha"), scorer, recipe)
    chosen = np.arange(12)
    first, again, second = examples.load(chosen, 1), examples.load(chosen, 1), examples.load(chosen, 2)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
