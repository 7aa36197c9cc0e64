import math
from pathlib import Path

import numpy as np
import pytest
import torch

from manyheads_contributor.checkpoint import Epoch, best_epoch
from manyheads_contributor.examples import Examples, feature_examples
from manyheads_contributor.recipe import Recipe
from manyheads_contributor.run import RunFolder
from manyheads_contributor.samples import MAX_PASS_VALUES
from manyheads_contributor.train import (
    TrainingError,
    cut,
    draw_order,
    infer,
    learning_rate_factor,
    pass_length,
    positive_weight,
    train,
)
from manyheads_shared.architectures import get_architecture
from manyheads_shared.compute import choose_compute
from manyheads_shared.networks import build_head
from tests.support.training import tiny_recipe

CPU = choose_compute("cpu", "float32")


def _examples(count: int = 40, seed: int = 0, scale: float = 1.0) -> Examples:
    draw = np.random.default_rng(seed)
    labels = (np.arange(count) % 4 == 0).astype(np.float32)
    features = draw.normal(size=(count, 8, 8, 16)) * scale + labels[:, None, None, None]
    return feature_examples(features.astype(np.float16), labels, CPU)


def _train(folder: Path, recipe: Recipe, train_side: Examples | None = None, rate: float = 0.01) -> tuple[torch.nn.Module, int]:
    network = build_head(get_architecture("khoo2022-pixel"), 32, seed=0)
    sides = (train_side or _examples(), _examples(16, seed=1))
    history = train(network, sides, recipe, learning_rate=rate, compute=CPU, folder=RunFolder(folder))
    return network, len(history)


def _row(epoch: int, val_loss: float) -> Epoch:
    return Epoch(epoch, 1e-3, 0.5, val_loss, None, None, 100.0, 1.0)


def test_a_head_learns_what_tells_its_images_apart(tmp_path: Path) -> None:
    network, _ = _train(tmp_path, tiny_recipe("max_epochs=8", "batch_norm_images=40"))
    side = _examples(16, seed=2)
    with torch.inference_mode():
        logits = network(side.load(np.arange(16), 0)).numpy()
    assert logits[side.labels > 0].min() > logits[side.labels == 0].max()


def test_training_stops_after_patience_epochs_without_a_lower_loss(tmp_path: Path) -> None:
    _, epochs = _train(tmp_path, tiny_recipe("patience=2", "max_epochs=50"), rate=1.0)  # far too fast: the loss climbs
    assert epochs < 50


def test_the_best_epochs_weights_are_kept_not_the_last(tmp_path: Path) -> None:
    network, epochs = _train(tmp_path, tiny_recipe("patience=3", "max_epochs=30"), rate=0.5)
    side = _examples(16, seed=1)
    with torch.inference_mode():
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(side.load(np.arange(16), 0)), torch.from_numpy(side.labels)
        )
    rows = (tmp_path / "history.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[3]) for row in rows]
    assert len(losses) == epochs
    assert math.isclose(float(loss), min(losses), rel_tol=1e-5)


def test_a_loss_that_is_no_number_stops_with_advice(tmp_path: Path) -> None:
    broken = Examples(_examples().labels, lambda chosen, _: torch.full((len(chosen), 16, 8, 8), math.inf), (8, 8, 16))
    with pytest.raises(TrainingError, match="lower the learning rate") as caught:
        _train(tmp_path, tiny_recipe(), broken)
    assert caught.value.exit_code == 5  # 1 is an answer, and this is none


@pytest.mark.parametrize("interrupt_after", [1, 2])
def test_an_interrupted_loop_goes_on_to_the_same_weights(tmp_path: Path, interrupt_after: int) -> None:
    recipe = tiny_recipe(
        "max_epochs=4", "schedule=cosine", "positive_weight=balanced", "negatives_per_positive=2", "batch_norm_images=16"
    )
    undisturbed, _ = _train(tmp_path / "a", recipe)
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "b", recipe, _stopping(_examples(), interrupt_after))
    resumed, epochs = _train(tmp_path / "b", recipe)
    assert epochs == 4
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def _stopping(examples: Examples, epochs: int) -> Examples:
    def load(chosen: np.ndarray[tuple[int], np.dtype[np.int64]], epoch: int) -> torch.Tensor:
        if epoch > epochs:
            raise KeyboardInterrupt
        return examples.load(chosen, epoch)

    return Examples(examples.labels, load, examples.shape)


def test_remeasured_batch_norm_is_the_training_sides(tmp_path: Path) -> None:
    network, _ = _train(tmp_path, tiny_recipe("max_epochs=1", "batch_norm_images=40", "batch_size=40"))
    convolution = network.get_submodule("stack.conv1")
    with torch.inference_mode():
        outputs = convolution(_examples().load(np.arange(40), 0))
    measured = network.get_submodule("stack.norm1").get_buffer("running_mean")
    assert torch.allclose(measured, outputs.mean(dim=(0, 2, 3)), atol=1e-5)


def test_the_earliest_of_equal_epochs_is_the_best() -> None:
    assert best_epoch((_row(1, 0.5), _row(2, 0.3), _row(3, 0.3))) == 2
    assert best_epoch(()) == 0


@pytest.mark.parametrize(("done", "factor"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_the_cosine_goes_from_one_to_zero(done: float, factor: float) -> None:
    assert learning_rate_factor(tiny_recipe("schedule=cosine"), done) == pytest.approx(factor)
    assert learning_rate_factor(tiny_recipe(), done) == 1.0


def test_balanced_positives_weigh_as_much_as_negatives() -> None:
    weight = positive_weight(_examples(40), tiny_recipe("positive_weight=balanced"), CPU)
    assert weight is not None
    assert float(weight) == pytest.approx(3.0)


def test_an_epoch_has_every_positive_and_so_many_negatives_drawn_anew() -> None:
    labels, recipe = _examples(40).labels, tiny_recipe("negatives_per_positive=1.5", "positive_weight=balanced")
    first, second = (draw_order(labels, recipe, epoch) for epoch in (1, 2))
    assert len(first) == pass_length(labels, recipe) == 10 + 15
    assert len(set(first)) == 25
    assert set(np.flatnonzero(labels)) <= set(first)
    assert set(first) != set(second)
    weight = positive_weight(_examples(40), recipe, CPU)
    assert weight is not None
    assert float(weight) == pytest.approx(1.5)


def test_the_validation_loss_is_of_the_mix_that_is_trained_on(tmp_path: Path) -> None:
    recipe, side = tiny_recipe("max_epochs=1", "negatives_per_positive=1", "batch_norm_images=16"), _examples(16, seed=1)
    network, _ = _train(tmp_path, recipe)
    counted = draw_order(side.labels, recipe, 0)
    assert len(counted) == 8
    with torch.inference_mode():
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(side.load(counted, 0)), torch.from_numpy(side.labels[counted])
        )
    assert float((tmp_path / "history.csv").read_text().splitlines()[1].split(",")[3]) == pytest.approx(float(loss), rel=1e-4)


@pytest.mark.parametrize("number", ["0", "3", "100"])
def test_with_no_more_negatives_than_are_wanted_an_epoch_has_them_all(number: str) -> None:
    labels = _examples(40).labels
    order = draw_order(labels, tiny_recipe(f"negatives_per_positive={number}"), 1)
    assert sorted(order) == list(range(40))
    assert np.array_equal(order, draw_order(labels, tiny_recipe(), 1))


def test_batches_cover_everything_in_order() -> None:
    assert [batch.tolist() for batch in cut(np.arange(5), 2)] == [[0, 1], [2, 3], [4]]


def test_large_inputs_are_validated_a_few_at_a_time() -> None:
    asked: list[int] = []

    def load(chosen: np.ndarray[tuple[int], np.dtype[np.int64]], epoch: int) -> torch.Tensor:
        asked.append(len(chosen))
        return torch.zeros(len(chosen), 3, 1, 1)

    logits = infer(torch.nn.Flatten(0), Examples(np.zeros(40, dtype=np.float32), load, (1024, 1024, 3)), CPU)
    assert len(logits) == 3 * 40
    assert max(asked) * 1024 * 1024 * 3 <= MAX_PASS_VALUES
    asked.clear()
    infer(torch.nn.Flatten(0), Examples(np.zeros(600, dtype=np.float32), load, (128, 128, 3)), CPU)
    assert asked == [512, 88]
