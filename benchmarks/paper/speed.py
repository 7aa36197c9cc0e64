"""The paper's headline, speed of learning: what it costs a head to be as good as each baseline ever gets.

One generator and seed at a time, in one process, one network after the other. A baseline trains from fresh weights on clean
images; its best validation F1 is the mark. A head stands on a frozen primary, whose own training is not counted, as in the
paper: it serves every head. What counts for a head is the trunk's pass over the images, and every step until its validation F1
reaches the mark. The paper's own recipe (256 images a step, learning rate 1e-4, unweighted, trunk and detector run again in
every step, primary of phase II) is a row of its own; its steps are timed, not guessed.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from benchmarks.paper import figures
from benchmarks.paper.baselines import Baseline, build_baseline
from benchmarks.paper.cells import DETECTION, Cell, Phase
from benchmarks.paper.config import Config
from benchmarks.paper.records import RESULTS
from benchmarks.paper.training import BACKWARD_FACTOR, Trainer, input_examples
from manyheads_contributor.checkpoint import History
from manyheads_contributor.examples import Examples, Indices, feature_examples
from manyheads_contributor.recipe import Recipe
from manyheads_contributor.run import RunFolder
from manyheads_contributor.samples import head_labels
from manyheads_contributor.train import infer, pass_length, train
from manyheads_shared import clock
from manyheads_shared.architectures import get_architecture
from manyheads_shared.canonical import to_canonical
from manyheads_shared.digest import digest_bytes
from manyheads_shared.files import write_atomic
from manyheads_shared.networks import Primary, build_head

IMAGES, REFERENCE = "faces64", "khoo2022-pixel"
SIDES = ("train", "val", "test")
BASELINES: tuple[Baseline, ...] = ("gandct-conv", "ganfp-postpool")
Sides = Mapping[str, Examples]  # train, val, test
OURS, PUBLISHED = "head", "head, the paper's recipe"


@dataclass(frozen=True)
class Learner:
    """One way to learn to attribute, and what it came to."""

    name: str
    test_f1: float  # of the epoch of the lowest validation loss
    val_f1: tuple[float, ...]  # by epoch
    seconds: tuple[float, ...]  # by epoch, validation included
    macs: int  # multiply-accumulates of an epoch, validation left out
    seconds_before: float = 0.0  # the trunk's pass over all images
    macs_before: int = 0

    @property
    def best_f1(self) -> float:
        """The best validation F1 of all epochs."""
        return max(self.val_f1)

    def cost_of(self, mark: float) -> tuple[float, int] | None:
        """Seconds and multiply-accumulates until validation F1 is at the mark; None if it never is."""
        for epoch, f1 in enumerate(self.val_f1, start=1):
            if f1 >= mark:
                return self.seconds_before + sum(self.seconds[:epoch]), self.macs_before + epoch * self.macs
        return None


@dataclass(frozen=True)
class Race:
    """All learners on one generator, from one seed."""

    generator: str
    seed: int
    config: str  # digest
    date: str
    machine: str
    learners: tuple[Learner, ...]


def read_races(config: Config, results: Path = RESULTS) -> list[Race]:
    """Every race measured so far under this very list of numbers."""
    path = results / "speed.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    races = [Race(**(row | {"learners": tuple(_read_learner(value) for value in row["learners"])})) for row in rows]
    return [race for race in races if race.config == _digest(config)]


def run(trainer: Trainer, generators: Sequence[str], seeds: Sequence[int], results: Path = RESULTS) -> None:
    """Measure what is not measured yet; every race is written to `speed.json` as it ends."""
    for seed in seeds:
        for generator in generators:
            races = read_races(trainer.config, results)
            if any((race.generator, race.seed) == (generator, seed) for race in races):
                continue
            print(f"speed of learning {generator}, seed {seed}", flush=True)
            rows = [asdict(race) for race in (*races, measure(trainer, generator, seed))]
            write_atomic(results / "speed.json", (json.dumps(rows, indent=1) + "\n").encode())


def measure(trainer: Trainer, generator: str, seed: int) -> Race:
    """Train both baselines, our head and the published head on clean pixels, one after the other."""
    config, name = trainer.config, trainer.images.name

    def recipe(epochs: int, **changed: Any) -> Recipe:
        plain = config.build_recipe(name, "pixel", seed=seed, epochs=epochs)
        return plain.model_copy(update={"patience": epochs} | changed)

    as_published = {"batch_size": 256, "head_learning_rate": 1e-4, "schedule": "constant", "batch_norm_images": 0}
    as_published |= {"negatives_per_positive": 0, "patience": 5}
    clean = _primary(trainer, "I", config.clean, seed)
    degraded = _primary(trainer, "II", config.families["as-run"].multi, seed)
    learners = (
        *(_baseline(trainer, generator, baseline, recipe(config.speed.baseline_epochs)) for baseline in BASELINES),
        _head(trainer, generator, clean, recipe(config.speed.head["max_epochs"], **config.speed.head)),
        _published_head(
            trainer,
            generator,
            degraded,
            recipe(config.speed.published_epochs, **as_published),
        ),
    )
    machine = f"{hardware()}; {trainer.compute.device_name}, {trainer.compute.precision}"
    return Race(generator, seed, _digest(config), clock.now()[:10], machine, learners)


def _primary(trainer: Trainer, phase: Phase, profile: str, seed: int) -> Primary:
    cell = Cell(trainer.images.name, "pixel", "reference", DETECTION, phase, profile, None, seed)
    network = trainer.networks(cell)[DETECTION].network
    assert isinstance(network, Primary)
    return network


def _baseline(trainer: Trainer, generator: str, name: Baseline, recipe: Recipe) -> Learner:
    network = build_baseline(name, channels=3, size=trainer.images.size, outputs=1, seed=recipe.seed)
    sides = {side: _pixels(trainer, side, generator) for side in SIDES}
    history, f1 = _train(trainer, name, generator, network, sides, recipe=recipe, rate=recipe.primary_learning_rate)
    return _learner(name, history, f1, _trained_images(sides, recipe) * BACKWARD_FACTOR * network.macs)


def _head(trainer: Trainer, generator: str, primary: Primary, recipe: Recipe) -> Learner:
    architecture, size = get_architecture(REFERENCE), trainer.images.size
    inputs = {side: trainer.images.inputs("pixel", side, trainer.config.clean) for side in SIDES}
    began = time.perf_counter()
    features = {side: trainer.trunk_pass(primary, inputs[side]) for side in ("train", "val")}
    seconds = time.perf_counter() - began
    features["test"] = trainer.trunk_pass(primary, inputs["test"])
    sides = {
        side: feature_examples(values, head_labels(trainer.images.split.side(side), generator), trainer.compute)
        for side, values in features.items()
    }
    network = build_head(architecture, size, seed=recipe.seed)
    history, f1 = _train(trainer, "head", generator, network, sides, recipe=recipe, rate=recipe.head_learning_rate)
    before = (len(inputs["train"]) + len(inputs["val"])) * architecture.trunk_macs(size)
    epoch = _trained_images(sides, recipe) * BACKWARD_FACTOR * architecture.head_macs(size)
    return _learner(OURS, history, f1, epoch, (seconds, before))


def _published_head(trainer: Trainer, generator: str, primary: Primary, recipe: Recipe) -> Learner:
    """As the paper's code ran: in every step the trunk, and the detector that nothing is learned from, run again."""
    architecture, size = get_architecture(REFERENCE), trainer.images.size

    def through_primary(examples: Examples) -> Examples:
        def load(indices: Indices, epoch: int) -> Tensor:
            with torch.no_grad():
                features: Tensor = primary.trunk(examples.load(indices, epoch))
                primary.detector(features)
            return features

        return Examples(examples.labels, load, examples.shape)

    sides = {side: through_primary(_pixels(trainer, side, generator)) for side in SIDES}
    network = build_head(architecture, size, seed=recipe.seed)
    history, f1 = _train(trainer, "published", generator, network, sides, recipe=recipe, rate=recipe.head_learning_rate)
    trunk, head = architecture.trunk_macs(size), architecture.head_macs(size)
    return _learner(PUBLISHED, history, f1, _trained_images(sides, recipe) * (trunk + head + BACKWARD_FACTOR * head))


def _pixels(trainer: Trainer, side: str, generator: str) -> Examples:
    items = trainer.images.split.side(side)
    inputs = trainer.images.inputs("pixel", side, trainer.config.clean)
    return input_examples(inputs, head_labels(items, generator), trainer.compute)


def _train(
    trainer: Trainer, name: str, generator: str, network: nn.Module, sides: Sides, *, recipe: Recipe, rate: float
) -> tuple[History, float]:
    """Train without a stop, and test: F1."""
    folder = RunFolder(trainer.config.folder_of(trainer.images.name) / "speed" / f"{name}-{generator}-{recipe.seed}")
    folder.tidy()  # a run that goes on after a stop is no measurement
    folder.path.mkdir(parents=True, exist_ok=True)
    history = train(network, (sides["train"], sides["val"]), recipe, learning_rate=rate, compute=trainer.compute, folder=folder)
    items = trainer.images.split.test
    logits = infer(network, sides["test"], trainer.compute).cpu().numpy()
    yes = figures.yes_no(items, logits, sides["test"].labels > 0)["yes"]
    return history, figures.precision_recall_f1(yes, [f"generated/{generator}"])[2]


def _trained_images(sides: Sides, recipe: Recipe) -> int:
    return pass_length(sides["train"].labels, recipe) // recipe.batch_size * recipe.batch_size


def _learner(name: str, history: History, test_f1: float, macs: int, before: tuple[float, int] = (0.0, 0)) -> Learner:
    f1s, seconds = tuple(round(row.val_f1 or 0.0, 4) for row in history), tuple(row.seconds for row in history)
    return Learner(name, round(test_f1, 4), f1s, seconds, macs, round(before[0], 3), before[1])


def _read_learner(value: Mapping[str, Any]) -> Learner:
    return Learner(**{**value, "val_f1": tuple(value["val_f1"]), "seconds": tuple(value["seconds"])})


def _digest(config: Config) -> str:
    return digest_bytes(to_canonical({"training": config.digest_of(IMAGES), "speed": config.speed.model_dump(mode="json")}))


def render(races: Sequence[Race]) -> list[str]:
    """Every race as a table: what each learner needs for the marks that the two baselines set."""
    lines = [
        "# Speed of learning",
        "",
        "`benchmarks/paper/run speed`; faces64, clean pixels, one process of one thread. To reach the best validation F1 of",
        "each baseline: seconds, multiply-accumulates, and in brackets how many times less than that baseline itself needs.",
        "",
    ]
    for race in races:
        marks = {learner.name: learner for learner in race.learners if learner.name in BASELINES}
        columns = ("learner", "best validation F1", "test F1", *(_mark(mark) for mark in marks.values()))
        rows = [
            (
                learner.name,
                f"{100 * learner.best_f1:.1f}",
                f"{100 * learner.test_f1:.1f}",
                *(_cost(learner, mark) for mark in marks.values()),
            )
            for learner in race.learners
        ]
        about = f"{race.date}; {race.machine}."
        lines += [f"## {race.generator}, seed {race.seed}", "", about, "", *markdown_table(columns, rows), ""]
    return lines


def _mark(mark: Learner) -> str:
    return f"to reach {mark.name}'s {100 * mark.best_f1:.1f}"


def _cost(learner: Learner, mark: Learner) -> str:
    cost, own = learner.cost_of(mark.best_f1), mark.cost_of(mark.best_f1)
    assert own is not None  # a baseline reaches its own best
    if cost is None:
        return "never"
    (seconds, macs), (own_seconds, own_macs) = cost, own
    return f"{seconds:.1f} s ({own_seconds / seconds:.1f}), {macs / 1e9:.0f} G ({own_macs / macs:.1f})"
