"""The paper's headline, speed of learning: what it costs a head to be as good as each baseline ever gets.

One run, one machine, one process, one network after the other. A baseline trains from fresh weights on clean images; its best
validation F1 is the mark. A head stands on a frozen primary; what counts for it is the trunk's one pass over the images, and
every step until its validation F1 reaches the mark. The paper's own recipe (256 images a step, learning rate 1e-4, the trunk
and the detector run again in every step) is a row of its own; its steps are timed, not guessed.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from benchmarks.paper import figures
from benchmarks.paper.baselines import build_baseline
from benchmarks.paper.cells import DETECTION, Cell
from benchmarks.paper.training import BACKWARD_FACTOR, Trainer, input_examples
from manyheads_contributor.checkpoint import History
from manyheads_contributor.examples import Examples, Indices, feature_examples
from manyheads_contributor.recipe import Recipe
from manyheads_contributor.run import RunFolder
from manyheads_contributor.samples import head_labels
from manyheads_contributor.train import infer, train
from manyheads_shared import clock
from manyheads_shared.architectures import get_architecture
from manyheads_shared.networks import Primary, build_head


@dataclass(frozen=True)
class Learner:
    """One way to learn to attribute, and what it came to."""

    name: str
    recipe: Recipe
    history: History
    seconds_before: float  # the trunk's pass over all images
    macs_before: int
    macs_epoch: int
    test_f1: float  # of the epoch whose weights are kept

    @property
    def best_f1(self) -> float:
        """The best validation F1 of all epochs."""
        return max(row.val_f1 or 0.0 for row in self.history)

    def cost_of(self, mark: float) -> tuple[float, int] | None:
        """Seconds and multiply-accumulates until validation F1 is at the mark; None if it never is."""
        seconds = self.seconds_before
        for row in self.history:
            seconds += row.seconds
            if (row.val_f1 or 0.0) >= mark:
                return seconds, self.macs_before + row.epoch * self.macs_epoch
        return None


def measure(trainer: Trainer, generator: str) -> list[Learner]:
    """Train both baselines, our head and the published head on clean pixels, one after the other."""
    config, seed = trainer.config, trainer.config.seeds[0]
    primary = Cell(trainer.images.name, "pixel", "reference", DETECTION, "I", config.clean, None, seed)
    ours = config.build_recipe(trainer.images.name, "pixel", seed=seed, epochs=config.epochs.heads)
    baseline = ours.model_copy(update={"max_epochs": config.speed.baseline_epochs})
    published = ours.model_copy(
        update={"batch_size": 256, "head_learning_rate": 1e-4, "schedule": "constant", "batch_norm_images": 0}
        | {"max_epochs": config.speed.published_epochs}
    )
    network = trainer.networks(primary)[DETECTION].network
    assert isinstance(network, Primary)
    return [
        _baseline(trainer, generator, "gandct-conv", baseline),
        _baseline(trainer, generator, "ganfp-postpool", baseline),
        _head(trainer, generator, network, ours),
        _published_head(trainer, generator, network, published),
    ]


def _baseline(trainer: Trainer, generator: str, name: Any, recipe: Recipe) -> Learner:
    size = trainer.images.size
    network = build_baseline(name, channels=3, size=size, outputs=1, seed=recipe.seed)
    sides = {side: _pixels(trainer, side, generator) for side in ("train", "val", "test")}
    history = _train(trainer, f"{name}-{generator}", network, sides, recipe=recipe, rate=recipe.primary_learning_rate)
    f1 = _test_f1(trainer, generator, network, sides["test"])
    return Learner(name, recipe, history, 0.0, 0, _trained_images(sides, recipe) * BACKWARD_FACTOR * network.macs, f1)


def _head(trainer: Trainer, generator: str, primary: Primary, recipe: Recipe) -> Learner:
    architecture, size = get_architecture("khoo2022-pixel"), trainer.images.size
    began = time.perf_counter()
    inputs = {side: trainer.images.inputs("pixel", side, trainer.config.clean) for side in ("train", "val", "test")}
    features = {side: trainer.trunk_pass(primary, inputs[side]) for side in ("train", "val")}
    seconds = time.perf_counter() - began
    features["test"] = trainer.trunk_pass(primary, inputs["test"])
    sides = {
        side: feature_examples(values, head_labels(trainer.images.split.side(side), generator), trainer.compute)
        for side, values in features.items()
    }
    network = build_head(architecture, size, seed=recipe.seed)
    history = _train(trainer, f"head-{generator}", network, sides, recipe=recipe, rate=recipe.head_learning_rate)
    f1 = _test_f1(trainer, generator, network, sides["test"])
    before = (len(inputs["train"]) + len(inputs["val"])) * architecture.trunk_macs(size)
    epoch = _trained_images(sides, recipe) * BACKWARD_FACTOR * architecture.head_macs(size)
    return Learner("head, trunk features cached", recipe, history, seconds, before, epoch, f1)


def _published_head(trainer: Trainer, generator: str, primary: Primary, recipe: Recipe) -> Learner:
    """As the paper's code ran: in every step the trunk, and the detector that nothing is learned from, run again."""
    architecture, size = get_architecture("khoo2022-pixel"), trainer.images.size

    def through_primary(examples: Examples) -> Examples:
        def load(indices: Indices, epoch: int) -> Tensor:
            with torch.no_grad():
                features: Tensor = primary.trunk(examples.load(indices, epoch))
                primary.detector(features)
            return features

        return Examples(examples.labels, load, examples.shape)

    sides = {side: through_primary(_pixels(trainer, side, generator)) for side in ("train", "val", "test")}
    network = build_head(architecture, size, seed=recipe.seed)
    history = _train(trainer, f"published-{generator}", network, sides, recipe=recipe, rate=recipe.head_learning_rate)
    f1 = _test_f1(trainer, generator, network, sides["test"])
    trunk, head = architecture.trunk_macs(size), architecture.head_macs(size)
    epoch = _trained_images(sides, recipe) * (trunk + head + BACKWARD_FACTOR * head)
    return Learner("head, the paper's recipe", recipe, history, 0.0, 0, epoch, f1)


def _pixels(trainer: Trainer, side: str, generator: str) -> Examples:
    items = trainer.images.split.side(side)
    inputs = trainer.images.inputs("pixel", side, trainer.config.clean)
    return input_examples(inputs, head_labels(items, generator), trainer.compute)


def _train(
    trainer: Trainer, name: str, network: nn.Module, sides: Mapping[str, Examples], *, recipe: Recipe, rate: float
) -> History:
    folder = RunFolder(trainer.config.work / "speed" / name)
    folder.tidy()  # a run that goes on after a stop is no measurement
    folder.path.mkdir(parents=True, exist_ok=True)
    return train(network, (sides["train"], sides["val"]), recipe, learning_rate=rate, compute=trainer.compute, folder=folder)


def _trained_images(sides: Mapping[str, Examples], recipe: Recipe) -> int:
    return len(sides["train"]) // recipe.batch_size * recipe.batch_size


def _test_f1(trainer: Trainer, generator: str, network: nn.Module, examples: Examples) -> float:
    items = trainer.images.split.test
    logits = infer(network, examples, trainer.compute).cpu().numpy()
    yes = figures.yes_no(items, logits, figures.made_by(items, generator))["yes"]
    return figures.precision_recall_f1(yes, [f"generated/{generator}"])[2]


def run(trainer: Trainer, generators: tuple[str, ...], results: Path) -> None:
    """Measure, print, and write `speed.json` and `speed.md`."""
    measured = {generator: measure(trainer, generator) for generator in generators}
    value = {
        "date": clock.now()[:10],
        "hardware": hardware(),
        "device": trainer.compute.device_name,
        "precision": trainer.compute.precision,
        "learners": {generator: [_to_json(learner) for learner in learners] for generator, learners in measured.items()},
    }
    (results / "speed.json").write_text(json.dumps(value, indent=1) + "\n")
    about = f"{value['date']}; {value['hardware']}; {value['device']}, {value['precision']}"
    lines = [
        "# Speed of learning",
        "",
        f"`benchmarks/paper/run speed`, {about}; {trainer.images.name}, clean pixels, seed {trainer.config.seeds[0]}.",
        "",
        *(line for generator, learners in measured.items() for line in render(generator, learners)),
    ]
    (results / "speed.md").write_text("\n".join(lines))
    print("\n".join(lines))


def render(generator: str, learners: list[Learner]) -> list[str]:
    """One generator's table: every learner against the marks that the two baselines set."""
    marks = [learner for learner in learners if learner.macs_before == 0 and "head" not in learner.name]
    rows = []
    for learner in learners:
        row = [learner.name, f"{100 * learner.best_f1:.1f}", f"{100 * learner.test_f1:.1f}"]
        for mark in marks:
            cost, own = learner.cost_of(mark.best_f1), mark.cost_of(mark.best_f1)
            assert own is not None  # a baseline reaches its own best
            row.append(
                "never"
                if cost is None
                else f"{cost[0]:.1f} s ({own[0] / cost[0]:.1f} times less), {cost[1] / 1e9:.0f} G ({own[1] / cost[1]:.1f})"
            )
        rows.append(row)
    columns = ("learner", "best validation F1", "test F1", *(f"to reach {m.name}'s {100 * m.best_f1:.1f}" for m in marks))
    return [f"## {generator}", "", "Seconds and multiply-accumulates (10⁹), and how many times less than that baseline.", "",
            *markdown_table(columns, rows), ""]  # fmt: skip


def _to_json(learner: Learner) -> dict[str, Any]:
    rows = [[row.val_f1, round(row.val_loss, 5), round(row.seconds, 3)] for row in learner.history]
    return {
        "name": learner.name,
        "test_f1": learner.test_f1,
        "seconds_before": round(learner.seconds_before, 3),
        "macs_before": learner.macs_before,
        "macs_epoch": learner.macs_epoch,
        "epochs_f1_loss_seconds": rows,
    }
