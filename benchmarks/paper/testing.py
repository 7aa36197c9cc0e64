"""One cell's record: its networks' answers on test and external images, under every profile it is tested on."""

from typing import Any

import numpy as np

from benchmarks.paper import figures
from benchmarks.paper.cells import DETECTION, HEADS, MULTICLASS, Cell, primary_of, profiles_of
from benchmarks.paper.training import Trained, Trainer, input_examples
from manyheads_contributor.examples import Examples, feature_examples
from manyheads_contributor.train import infer
from manyheads_shared.networks import Primary


def build_record(cell: Cell, trainer: Trainer) -> dict[str, Any]:
    """Train and test a cell."""
    trained = trainer.networks(cell)
    return {
        "cell": cell.to_json(),
        "config": trainer.config.digest_of(cell.images),
        "device": trainer.compute.device_name,
        "precision": trainer.compute.precision,
        "trainings": {name: _describe(training) for name, training in trained.items()},
        "tests": {profile: _test(cell, trained, trainer, profile) for profile in profiles_of(cell, trainer.config)},
    }


def _describe(training: Trained) -> dict[str, Any]:
    history = training.history
    return {
        "macs": training.macs,
        "seconds": round(sum(row.seconds for row in history), 1),
        "train_loss": [round(row.train_loss, 5) for row in history],
        "val_loss": [round(row.val_loss, 5) for row in history],
        "val_f1": [None if row.val_f1 is None else round(row.val_f1, 4) for row in history],
    }


def _test(cell: Cell, trained: dict[str, Trained], trainer: Trainer, profile: str) -> dict[str, Any]:
    split = trainer.images.split
    items = (*split.test, *split.external)
    primary = primary_of(cell)
    if primary is not None:
        return _test_heads(primary, trained, trainer, profile)
    (name,) = trained
    logits = np.concatenate(
        [_logits(trained[name], _inputs(cell, trainer, side, profile), trainer) for side in ("test", "external")]
    )
    if cell.question == MULTICLASS:
        return figures.softmax_classes(items, logits, split.generators)
    positive = figures.generated(items) if cell.question == DETECTION else figures.made_by(items, name)
    return figures.yes_no(items, logits, positive)


def _test_heads(primary: Cell, trained: dict[str, Trained], trainer: Trainer, profile: str) -> dict[str, Any]:
    split = trainer.images.split
    items = (*split.test, *split.external)
    network = trainer.networks(primary)[DETECTION].network
    assert isinstance(network, Primary)
    detector = Trained(network.detector, (), 0)
    sides = [trainer.features(primary, side, profile) for side in ("test", "external")]
    examples = [feature_examples(side, np.zeros(len(side), np.float32), trainer.compute) for side in sides]
    columns = [
        np.concatenate([_logits(training, side, trainer) for side in examples]) for training in (detector, *trained.values())
    ]
    return {
        "detector": figures.yes_no(items, columns[0], figures.generated(items)),
        HEADS: {
            name: figures.attribution(items, columns[0], column, name)
            for name, column in zip(trained, columns[1:], strict=True)
        },
        MULTICLASS: figures.catalogue(items, np.stack(columns, axis=1), tuple(trained)),
    }


def _inputs(cell: Cell, trainer: Trainer, side: str, profile: str) -> Examples:
    inputs = trainer.images.inputs(cell.representation, side, profile)
    return input_examples(inputs, np.zeros(len(inputs), np.float32), trainer.compute)


def _logits(training: Trained, examples: Examples, trainer: Trainer) -> figures.Logits:
    logits: figures.Logits = infer(training.network, examples, trainer.compute).cpu().numpy()
    return logits
