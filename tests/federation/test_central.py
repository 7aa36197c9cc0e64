"""One party, one aggregate: a federation of one is central training."""

from pathlib import Path

import numpy as np
import torch

from manyheads_contributor.examples import image_examples
from manyheads_contributor.federation.local_training import recipe_of
from manyheads_contributor.federation.materials import prepare_materials
from manyheads_contributor.run import RunFolder
from manyheads_contributor.train import train
from manyheads_shared.architectures import get_architecture
from manyheads_shared.compute import choose_compute
from manyheads_shared.networks import build_primary, primary_tensors
from manyheads_shared.preprocess import Preprocessor
from tests.support.federation import make_federation


def test_a_federation_of_one_is_central_training_to_the_last_bit(tmp_path: Path) -> None:
    """Twelve steps in four rounds of three; five steps are a pass, so rounds end within passes."""
    federation = make_federation(tmp_path, 1, rounds=5, local_steps=3, schedule="cosine", positive_weight="balanced")
    plan = federation.plan
    record = federation.run()
    materials = prepare_materials(tmp_path / "site0" / "images", tmp_path / "here", plan.preprocessing)
    compute = choose_compute("cpu", plan.precision)
    examples = image_examples(materials.samples, materials.labels, Preprocessor(plan.preprocessing), compute)
    network = build_primary(get_architecture(plan.architecture), plan.preprocessing.image_size, seed=plan.seed)
    recipe = recipe_of(plan).model_copy(update={"max_epochs": 3, "patience": 3})
    history = train(
        network,
        (examples, examples),
        recipe,
        learning_rate=plan.learning_rate,
        compute=compute,
        folder=RunFolder(tmp_path / "run"),
    )
    assert [row.epoch for row in history] == [1, 2, 3]
    assert min(history, key=lambda row: row.val_loss).epoch == 3  # else the best weights were earlier ones
    federated, central = federation.folder.read_measured(record), primary_tensors(network)
    assert all(np.array_equal(federated[name], central[name]) for name in central)
    assert torch.get_default_dtype() == torch.float32
