"""A whole training, from a folder of images to a finished run folder: of a primary, and of a head.

The two differ in labels, network and inputs; the loop (`train`) and the run folder (`run`) are the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from torch import nn

from manyheads_contributor.checkpoint import History, best_epoch
from manyheads_contributor.compatibility import Compatibly, Earlier
from manyheads_contributor.examples import (
    Examples,
    degradation_seed,
    degraded_feature_examples,
    feature_examples,
    image_examples,
)
from manyheads_contributor.features import cached_features
from manyheads_contributor.plots import write_curve, write_history
from manyheads_contributor.recipe import Recipe
from manyheads_contributor.run import Identity, Result, Run, RunFolder
from manyheads_contributor.samples import Labels, Samples, head_labels, primary_labels, read_samples
from manyheads_contributor.split import Split, split_dataset
from manyheads_contributor.train import Objective, YesNo, positive_weight, train
from manyheads_shared import terminal
from manyheads_shared.architectures import get_architecture
from manyheads_shared.artifact import PrimaryArtifact, Tensors
from manyheads_shared.compute import Compute, choose_training_compute, software
from manyheads_shared.dataset import Dataset, Item
from manyheads_shared.errors import DatasetError
from manyheads_shared.files import write_atomic
from manyheads_shared.networks import build_head, build_primary, head_tensors, primary_tensors
from manyheads_shared.preprocess import Preprocessor, dct_statistics
from manyheads_shared.scoring import Scorer


@dataclass(frozen=True)
class Begun:
    """A training before its first step."""

    recipe: Recipe
    compute: Compute
    split: Split
    labels: dict[str, Labels]  # by side: train, val, test
    folder: RunFolder
    run: Run  # with a result if it was finished before


def train_primary(dataset: Dataset, recipe: Recipe, out: Path, *, earlier: Earlier | None = None, device: str = "auto") -> Run:
    """Train trunk and detector on real against generated images.

    Args:
        dataset: images of both kinds; external ones are left alone.
        recipe: every number.
        out: the run folder; one that holds the same run, unfinished, is gone on with.
        earlier: a primary whose heads are to go on working; the new one is held to it.
        device: see `choose_training_compute`.

    Raises:
        RecipeError: it does not fit the earlier primary.
        DatasetError: an image cannot be used, or a side has one kind only.
        RunError: `out` holds something else.
        TrainingError: the loss is no longer a number.
    """
    if earlier is not None:
        earlier.verify_recipe(recipe)
    begun = begin(dataset, recipe, out, device=device, label=primary_labels, earlier=earlier)
    if begun.run.result is not None:
        return begun.run
    train_samples, val_samples = decode(begun)
    statistics: dict[str, NDArray[np.float32]] = {}
    if earlier is not None:
        statistics = earlier.primary.part("preprocessing")  # the earlier features are those of images seen so
    elif recipe.preprocessing.representation == "dct":
        statistics["mean"], statistics["std"] = dct_statistics(train_samples.pixels)  # of the clean training side
    preprocess = Preprocessor(recipe.preprocessing, **statistics)
    network = build_primary(get_architecture(recipe.architecture), recipe.preprocessing.image_size, seed=recipe.seed)
    sides = (
        image_examples(train_samples, begun.labels["train"], preprocess, begun.compute, redrawn=recipe),
        image_examples(val_samples, begun.labels["val"], preprocess, begun.compute),
    )
    learner: nn.Module = network
    objective: Objective = YesNo(positive_weight(sides[0], recipe, begun.compute))
    if earlier is not None:
        learner, objective = earlier.hold(network, begun.compute), Compatibly(objective, recipe.compatibility)
    rate = recipe.primary_learning_rate
    history = train(learner, sides, recipe, learning_rate=rate, compute=begun.compute, folder=begun.folder, objective=objective)
    tensors = primary_tensors(network) | {f"preprocessing.{name}": value for name, value in statistics.items()}
    return finish(begun, tensors, history)


def train_head(
    dataset: Dataset, generator: str, primary: PrimaryArtifact, recipe: Recipe, out: Path, *, device: str = "auto"
) -> Run:
    """Train one head on the frozen primary: its generator's images against all others, real and generated.

    Args:
        dataset: images of the generator and others; external ones are left alone.
        generator: the name of its folder under `generated/`.
        primary: whose trunk makes the features; the recipe's network keys do not count.
        recipe: every other number.
        out: the run folder; one that holds the same run, unfinished, is gone on with.
        device: see `choose_training_compute`.

    Raises:
        DatasetError: no such generator, an image cannot be used, or nothing else to tell it from.
        FeatureContractError: the primary's features here are not those it promises.
        RunError: `out` holds something else.
        TrainingError: the loss is no longer a number.
    """
    if generator not in dataset.sources("generated"):
        known = ", ".join(dataset.sources("generated")) or "none"
        raise DatasetError(f"{dataset.root}: expected images in generated/{generator}/; the generators here: {known}")
    begun = begin(
        dataset, recipe, out, device=device, label=lambda items: head_labels(items, generator), head=(generator, primary)
    )
    if begun.run.result is not None:
        return begun.run
    scorer = Scorer(primary, [], begun.compute)  # trunk in inference mode, batch norm too; checks the feature contract
    train_samples, val_samples = decode(begun)
    train_labels, val_labels = begun.labels["train"], begun.labels["val"]
    network = build_head(primary.architecture, primary.manifest.preprocessing.image_size, seed=recipe.seed)
    sides = (
        cached_examples(train_samples, train_labels, primary, scorer, begun)
        if recipe.degradation == "clean"
        else degraded_feature_examples(train_samples, train_labels, scorer, recipe),
        cached_examples(val_samples, val_labels, primary, scorer, begun),
    )
    rate = recipe.head_learning_rate
    history = train(network, sides, recipe, learning_rate=rate, compute=begun.compute, folder=begun.folder)
    return finish(begun, head_tensors(network), history)


def begin(
    dataset: Dataset,
    recipe: Recipe,
    out: Path,
    *,
    device: str,
    label: Callable[[Sequence[Item]], Labels],
    head: tuple[str, PrimaryArtifact] | None = None,
    earlier: Earlier | None = None,
) -> Begun:
    """Split, label, and open the run folder; say what begins."""
    compute = choose_training_compute(device, recipe.precision)
    split = split_images(dataset, recipe)
    labels = {"train": label(split.train), "val": label(split.val), "test": label(split.test)}
    positives = {side: int(values.sum()) for side, values in labels.items()}
    for side in ("train", "val"):
        if not 0 < positives[side] < len(labels[side]):
            both = f"images of {head[0]} and of other origin" if head else "real and generated images"
            raise DatasetError(
                f"{dataset.root}: expected {both} on the {side} side of the split, "
                f"got {positives[side]} positives among {len(labels[side])}; add images"
            )
    generator, primary = head or (None, None)
    run = Run(
        identity=Identity(
            kind="head" if head else "primary",
            generator=generator,
            primary=primary.digest if primary else None,
            earlier=earlier.primary.digest if earlier else None,
            earlier_heads=tuple(each.digest for each in earlier.heads) if earlier else (),
            recipe=recipe.digest,
            dataset=dataset.digest,
            split=split.digest,
        ),
        architecture=primary.architecture.name if primary else recipe.architecture,
        preprocessing=primary.manifest.preprocessing if primary else recipe.preprocessing,
        seed=recipe.seed,
        images={"train": len(split.train), "val": len(split.val), "test": len(split.test)},
        groups=dict(split.groups),
        positives={"train": positives["train"], "val": positives["val"], "test": positives["test"]},
        precision=compute.precision,
        device=compute.device_name,
        software=software(),
        result=None,
    )
    folder, run = RunFolder.open(out, run, recipe, split)
    if run.result is None:
        announce(run, compute)
    else:
        folder.tidy()
        say(f"{out}: this {run.title} is trained to its end already; nothing to do")
    return Begun(recipe, compute, split, labels, folder, run)


def split_images(dataset: Dataset, recipe: Recipe) -> Split:
    """Split as the recipe says; name what cannot be decoded."""
    with terminal.progress() as display:
        bar = display.add_task("splitting", total=len(dataset.select(external=False)))
        split = split_dataset(
            dataset,
            seed=recipe.split_seed,
            fractions=recipe.fractions,
            group_pattern=recipe.group_pattern or None,
            on_image=lambda: display.advance(bar),
        )
    for left_out in split.left_out:
        say(f"left out: {left_out.reason}")
    return split


def announce(run: Run, compute: Compute) -> None:
    """Say what begins, on what, and whether this is the machine it began on."""
    size = f"{run.preprocessing.image_size} px" if run.preprocessing.image_size else "native size"
    say(
        f"{run.title}, {run.architecture}, {size}: {run.images['train']} training and {run.images['val']} validation images, "
        f"{run.positives['train']} and {run.positives['val']} of them positive; {compute.precision} on {compute.device_name}"
    )
    if run.groups != run.images:
        say(
            f"near-duplicates, and files of one group, are one picture: {run.groups['train']}, {run.groups['val']} and "
            f"{run.groups['test']} pictures to train, validate and test on"
        )
    if (run.precision, run.device, run.software) != (compute.precision, compute.device_name, software()):
        say(f"begun in {run.precision} on {run.device} with {run.software}; going on here may change the last digits")


def decode(begun: Begun) -> tuple[Samples, Samples]:
    """Decode training and validation side; the latter is degraded here, once for all epochs."""
    split, spec = begun.split, begun.run.preprocessing
    with terminal.progress() as display:
        bar = display.add_task("decoding", total=len(split.train) + len(split.val))
        train_samples, val_samples = (
            read_samples(items, spec, begun.folder.cache / f"pixels-{side}.npy", on_image=lambda: display.advance(bar))
            for side, items in (("train", split.train), ("val", split.val))
        )
    if enlarged := train_samples.enlarged + val_samples.enlarged:
        say(f"note: {enlarged} images are smaller than {spec.image_size} px and are enlarged")
    return train_samples, val_samples.degraded(begun.recipe.degradation, degradation_seed(begun.recipe, 0))


def cached_examples(samples: Samples, labels: Labels, primary: PrimaryArtifact, scorer: Scorer, begun: Begun) -> Examples:
    """Trunk features of samples as they are, from the run's cache."""
    variant = f"{begun.recipe.degradation} {degradation_seed(begun.recipe, 0)}"
    with terminal.progress() as display:
        bar = display.add_task("trunk features", total=len(samples.items))
        features = cached_features(
            begun.folder.cache,
            primary.digest,
            samples,
            scorer,
            variant=variant,
            on_images=lambda count: display.advance(bar, count),
        )
    return feature_examples(features, labels, begun.compute)


def finish(begun: Begun, tensors: Tensors, history: History) -> Run:
    """Write weights, table and picture, then record the result: only with it is the run finished."""
    best = history[best_epoch(history) - 1]
    write_atomic(begun.folder.best, safetensors.numpy.save(dict(tensors)))
    write_history(begun.folder.history, history)
    write_curve(begun.folder.curve, history, f"{begun.run.title}, {begun.run.architecture}")
    result = Result(
        epochs=len(history),
        best_epoch=best.epoch,
        val_loss=best.val_loss,
        val_f1=best.val_f1,
        val_auroc=best.val_auroc,
        seconds=round(sum(row.seconds for row in history), 1),
    )
    run = begun.folder.finish(begun.run, result)
    say(f"finished: epoch {best.epoch} of {len(history)} was best; weights, curve and figures in {begun.folder.path}")
    return run


def say(text: str) -> None:
    """One line on stderr, never broken by the console's width."""
    terminal.stderr.print(text, soft_wrap=True, markup=False)
