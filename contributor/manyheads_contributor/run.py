"""The run folder: what one training leaves behind, and how a later command knows that it is the same training.

    recipe.toml          every number, ready for `--recipe`
    split.json           digests of the images on each side
    seen.safetensors     what the images of train and val are recognised by, however they are saved since
    run.json             what was trained on what, where, and how it went
    checkpoint.safetensors   while it runs: the last finished epoch
    cache/               while it runs: trunk features
    history.csv, curve.png, best.safetensors

No torch here; the loop is in `manyheads_contributor.train`.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import safetensors
import safetensors.numpy
from pydantic import ValidationError

from manyheads_contributor.duplicates import Fingerprint
from manyheads_contributor.recipe import Recipe, load_recipe
from manyheads_contributor.split import Side, Split
from manyheads_shared.digest import Digest, short
from manyheads_shared.document import Value, explain
from manyheads_shared.errors import UsageError
from manyheads_shared.files import write_atomic
from manyheads_shared.manifest import DigestField, Name, Preprocessing, Training


class RunError(UsageError):
    """A run folder that is none, is of another training, or is not finished."""


class Identity(Value):
    """What makes two trainings the same: the same identity gives the same weights."""

    kind: Literal["primary", "head"]
    generator: Name | None  # head only
    primary: DigestField | None  # head only
    earlier: DigestField | None = None  # primary only: the one that it is held to
    earlier_heads: tuple[DigestField, ...] = ()  # primary only: heads for that one, whose logits it is held to
    recipe: DigestField
    dataset: DigestField
    split: DigestField


class Result(Value):
    """How a finished training went."""

    epochs: int
    best_epoch: int  # whose weights are kept
    val_loss: float
    val_f1: float | None
    val_auroc: float | None
    seconds: float  # of all epochs, over all restarts


class Run(Value):
    """`run.json`."""

    identity: Identity
    architecture: Name
    preprocessing: Preprocessing
    seed: int
    images: dict[Side, int]
    groups: dict[Side, int]  # pictures among them: the effective sample size
    positives: dict[Side, int]  # label 1: generated, or the generator's own
    precision: Literal["float32", "bfloat16"]
    device: str
    software: str
    result: Result | None  # None until it is finished

    @property
    def title(self) -> str:
        """The run in words."""
        return f"head for {self.identity.generator}" if self.identity.kind == "head" else "primary"

    @property
    def training(self) -> Training:
        """The figures a manifest quotes.

        Raises:
            RunError: the run is not finished.
        """
        if self.result is None:
            raise RunError(f"the {self.title} is not trained to its end; run the training command again, it goes on from there")
        return Training(
            recipe=self.identity.recipe,
            seed=self.seed,
            epochs=self.result.best_epoch,  # those that the weights have seen
            images=self.images["train"],
            precision=self.precision,
            device=self.device,
            software=self.software,
        )


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The last finished epoch, while it runs."""
        return self.path / "checkpoint.safetensors"

    @property
    def cache(self) -> Path:
        """What can be computed again: features, and pixels that memory does not hold."""
        return self.path / "cache"

    @property
    def history(self) -> Path:
        """Figures by epoch, CSV."""
        return self.path / "history.csv"

    @property
    def curve(self) -> Path:
        """The same as a picture."""
        return self.path / "curve.png"

    @property
    def best(self) -> Path:
        """The weights of the best epoch under their declared names."""
        return self.path / "best.safetensors"

    @classmethod
    def open(cls, path: Path, run: Run, recipe: Recipe, split: Split) -> tuple[Self, Run]:
        """Begin a run in an empty folder, or return to the one that is there.

        Returns:
            The folder, and `run` as it is recorded: of an earlier start if there was one.

        Raises:
            RunError: the folder holds something else, or a run of another identity.
        """
        folder = cls(path)
        if (path / "run.json").exists():
            recorded = folder.read()
            folder._refuse_another(recorded.identity, run.identity, recipe)
            return folder, recorded
        if path.exists() and any(not _is_ours(entry) for entry in path.iterdir()):
            raise RunError(f"{path}: expected an empty or a new folder, or one with a run to go on with; choose another --out")
        sides = {"train": split.train, "val": split.val, "test": split.test}
        digests = {side: [item.digest for item in items] for side, items in sides.items()}
        write_atomic(path / "split.json", (json.dumps(digests, indent=1) + "\n").encode())
        prints = [split.prints[digest] for digest in dict.fromkeys(digests["train"] + digests["val"])]
        write_atomic(path / "seen.safetensors", _pack(prints))
        write_atomic(path / "recipe.toml", recipe.to_toml().encode())
        folder.write(run)  # last: with it the folder is a run
        return folder, run

    def read(self) -> Run:
        """Read `run.json`.

        Raises:
            RunError: there is none, or it is of another version of the software.
        """
        try:
            return Run.model_validate_json((self.path / "run.json").read_bytes())
        except FileNotFoundError as error:
            raise RunError(
                f"{self.path}: expected a run folder (one with a run.json), as train-primary and train-head make"
            ) from error
        except ValidationError as error:
            raise RunError(f"{self.path}/run.json: not one this software wrote: {explain(error)}") from error

    def write(self, run: Run) -> None:
        """Write `run.json`."""
        write_atomic(self.path / "run.json", (run.model_dump_json(indent=2) + "\n").encode())

    def read_recipe(self) -> Recipe:
        """Read `recipe.toml`."""
        return load_recipe(str(self.path / "recipe.toml"))

    def read_split(self) -> dict[str, frozenset[Digest]]:
        """Read which images were on which side."""
        sides = json.loads((self.path / "split.json").read_bytes())
        return {side: frozenset(Digest(digest) for digest in digests) for side, digests in sides.items()}

    def read_seen(self) -> list[Fingerprint]:
        """Read what the images are recognised by that the run has learned from or chosen its weights by.

        Raises:
            RunError: the file is not there, or damaged.
        """
        path = self.path / "seen.safetensors"
        try:
            tensors = safetensors.numpy.load(path.read_bytes())
            rows = zip(tensors["thumbnails"], tensors["pixels"], strict=True)
        except (OSError, safetensors.SafetensorError, KeyError) as error:
            raise RunError(f"{path}: expected the fingerprints that a training writes, got {error!r}; train again") from error
        return [Fingerprint(thumbnail, pixels.tobytes()) for thumbnail, pixels in rows]

    def finish(self, run: Run, result: Result) -> Run:
        """Record the result, then drop what only a running training needs."""
        finished = run.model_copy(update={"result": result})
        self.write(finished)
        self.tidy()
        return finished

    def tidy(self) -> None:
        """Remove checkpoint and cache; harmless to repeat."""
        shutil.rmtree(self.cache, ignore_errors=True)
        self.checkpoint.unlink(missing_ok=True)

    def _refuse_another(self, recorded: Identity, wanted: Identity, recipe: Recipe) -> None:
        """Name the first thing that differs, most telling first."""
        if recorded == wanted:
            return
        for what, was, now in (
            ("kind", recorded.kind, wanted.kind),
            ("generator", recorded.generator, wanted.generator),
            ("primary", recorded.primary, wanted.primary),
            ("earlier primary", recorded.earlier, wanted.earlier),
            ("set of earlier heads", ", ".join(recorded.earlier_heads), ", ".join(wanted.earlier_heads)),
            ("recipe", recorded.recipe, wanted.recipe),
            ("data", recorded.dataset, wanted.dataset),
            ("split", recorded.split, wanted.split),
        ):
            if was != now:
                detail = self._recipe_changes(recipe) if what == "recipe" else f"was {_word(was)}, now {_word(now)}"
                raise RunError(
                    f"{self.path} holds a run with another {what} ({detail}). "
                    "Give the same again to go on with it, or another --out to begin a new one."
                )

    def _recipe_changes(self, recipe: Recipe) -> str:
        before, after = self.read_recipe().model_dump(), recipe.model_dump()
        return ", ".join(f"{key} was {before[key]!r}, now {value!r}" for key, value in after.items() if before[key] != value)


def _is_ours(entry: Path) -> bool:
    """Whether a start that was killed before `run.json` may have left it."""
    return entry.name.startswith(".") or entry.name in ("split.json", "seen.safetensors", "recipe.toml")


def _pack(prints: Sequence[Fingerprint]) -> bytes:
    """Fingerprints as one safetensors file, about a kilobyte each."""
    return safetensors.numpy.save(
        {
            "thumbnails": np.stack([entry.thumbnail for entry in prints]),
            "pixels": np.stack([np.frombuffer(entry.pixels, dtype=np.uint8) for entry in prints]),
        }
    )


def _word(value: str | None) -> str:
    return short(value) if value and value.startswith("sha256:") else str(value)
