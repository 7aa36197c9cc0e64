"""Recipes: every number of a training run, in one flat list. Defaults are those of Khoo, Lim and Phan 2022.

A recipe is a TOML file or the name of one that ships (`recipes/`). Unknown keys are refused: a misspelt number that quietly
keeps its default would be a false record of how the weights came to be. What the numbers do is for the training loop (`train`).
"""

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from manyheads_shared.architectures import get_architecture
from manyheads_shared.canonical import to_canonical
from manyheads_shared.degradations import get_profile
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.document import Value, explain
from manyheads_shared.errors import ManyheadsError, UsageError
from manyheads_shared.manifest import Preprocessing

DEFAULT = "khoo2022"

Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=1)]


class RecipeError(UsageError):
    """A recipe that cannot be read, or that asks for what is not there."""


class Recipe(Value):
    """How a primary or a head is trained. "Paper" is Khoo 2022 with its published code."""

    # the network; a head takes all three from its primary
    architecture: str = "khoo2022-pixel"  # the paper's main network; khoo2022-dct is its frequency variant
    image_size: Annotated[int, Field(ge=0, le=4096)] = (
        128  # pixels a side, a multiple of 8 (paper: 128, GANFP); 0 with fit native
    )
    fit: Literal["resize", "crop", "native"] = "resize"  # how an image comes to that size; native: all are of one size already

    # the data
    train_fraction: Share = 0.7  # share of the images (paper: FacesHQ+)
    val_fraction: Share = 0.1  # decides when to stop and which weights to keep
    test_fraction: Share = 0.2  # never seen before `evaluate`
    split_seed: int = 0  # apart from `seed`, so that runs with other seeds share one test split (paper: 0)
    group_pattern: str = ""  # regular expression; files whose name gives the same first group stay on one side. "": by content
    degradation: str = "clean"  # profile drawn afresh for every image and epoch; clean, and features are cached, as the paper
    positive_weight: Literal["none", "balanced"] = "none"  # balanced: loss of positives x negatives / positives; paper: none
    # negatives an epoch has for every positive, drawn anew each time, and the validation loss counts; 0: all there are (paper,
    # whose sources are of equal size). A head's own images are few among many, and most of the many are soon told apart
    negatives_per_positive: Annotated[float, Field(ge=0, le=1000)] = 0

    # the optimiser: Adam on binary cross-entropy, no weight decay
    primary_learning_rate: Rate = 1e-3  # paper
    head_learning_rate: Rate = 1e-4  # paper: with 1e-3 its heads did not converge
    schedule: Literal["constant", "cosine"] = "constant"  # cosine: to zero over `max_epochs`; paper: constant
    adam_beta1: Share = 0.9  # paper
    adam_beta2: Share = 0.999  # paper
    adam_epsilon: Annotated[float, Field(gt=0)] = 1e-7  # Keras's default, which the paper ran with; torch's is 1e-8
    batch_size: Annotated[int, Field(ge=2)] = 256  # images a step (paper: GANFP); batch norm needs two
    # batch norm's statistics before every validation: 0 keeps the running averages (paper), which lag by a hundred steps and
    # mislead early stopping in short trainings; a number measures them anew over so many training images (Wu, Johnson 2021)
    batch_norm_images: Annotated[int, Field(ge=0)] = 0

    # beside an earlier primary (`train-primary --compatible-with`): weight of the distance from its features and its heads'
    # logits, both in units of their mean square, beside a cross-entropy. Without an earlier one it does nothing
    compatibility: Annotated[float, Field(gt=0, le=1000)] = 0.1  # measured: benchmarks/results/upgrades.md

    # when to stop
    max_epochs: Annotated[int, Field(ge=1, le=10_000)] = 100  # paper
    patience: Annotated[int, Field(ge=1)] = (
        5  # epochs without a lower validation loss (paper: GANFP); the best weights are kept
    )

    # how it is run
    seed: Annotated[int, Field(ge=0, lt=1 << 31)] = 2021  # of weights, order and degradations (paper: 2021)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the processor multiplies it in hardware

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Refuse values that do not go together; pydantic turns the ValueError into its own."""
        if abs(self.train_fraction + self.val_fraction + self.test_fraction - 1) > 1e-6:
            raise ValueError("train_fraction, val_fraction and test_fraction must add up to 1")
        if not (self.train_fraction and self.val_fraction):
            raise ValueError("train_fraction and val_fraction must be above 0: training needs both sides")
        if (self.fit == "native") != (self.image_size == 0):
            raise ValueError("fit native goes with image_size 0, and only with it")
        if self.image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, got {self.image_size}")
        try:
            architecture = get_architecture(self.architecture)
            get_profile(self.degradation)
        except ManyheadsError as error:
            raise ValueError(str(error)) from error
        if architecture.readout == "flatten" and self.fit == "native":
            raise ValueError(f"{self.architecture} works at one image_size; fit native has none")
        return self

    @property
    def digest(self) -> Digest:
        """The digest of the canonical form: the name of this exact recipe."""
        return digest_bytes(to_canonical(self.model_dump(mode="json")))

    @property
    def fractions(self) -> tuple[float, float, float]:
        """Shares of train, val and test."""
        return self.train_fraction, self.val_fraction, self.test_fraction

    @property
    def preprocessing(self) -> Preprocessing:
        """What a primary of this recipe does to an image."""
        representation = get_architecture(self.architecture).representation
        return Preprocessing(representation=representation, image_size=self.image_size or None, fit=self.fit)

    def to_toml(self) -> str:
        """Return the whole recipe as a TOML file; a JSON string or number is a TOML one too."""
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in self.model_dump(mode="json").items())


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that ship."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in _shipped().iterdir() if entry.name.endswith(".toml")))


def load_recipe(name_or_file: str = DEFAULT, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and change single keys of it.

    Args:
        name_or_file: the name of a recipe that ships, or the path of a TOML file; keys it leaves out keep their defaults.
        overrides: `key=value` texts; the value is TOML, or else taken as plain text.

    Raises:
        RecipeError: no such recipe, not TOML, an unknown key, or a value out of range.
    """
    if name_or_file in recipe_names():
        text = (_shipped() / f"{name_or_file}.toml").read_text(encoding="utf-8")
    else:
        try:
            text = Path(name_or_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            names = ", ".join(recipe_names())
            raise RecipeError(
                f"expected a TOML file or a recipe that ships ({names}), got {name_or_file!r}: {error}"
            ) from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe {name_or_file}: expected TOML: {error}") from error
    return build_recipe(values | dict(_parse_override(text) for text in overrides), name=name_or_file)


def build_recipe(values: Mapping[str, Any], *, name: str) -> Recipe:
    """Check values and return them as a recipe.

    Raises:
        RecipeError: an unknown key (with the nearest known one), or a value out of range.
    """
    for key in values:
        if key not in Recipe.model_fields:
            near = difflib.get_close_matches(key, Recipe.model_fields, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(Recipe.model_fields)}"
            raise RecipeError(f"recipe {name}: unknown key {key!r}; {hint}")
    try:
        return Recipe(**values)
    except ValidationError as error:
        raise RecipeError(f"recipe {name}: {explain(error)}") from error


def _parse_override(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    key = key.strip()
    if not separator or not key.isidentifier():
        raise RecipeError(f"--set: expected key=value, like max_epochs=20, got {text!r}")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value.strip()


def _shipped() -> resources.abc.Traversable:
    return resources.files("manyheads_contributor") / "recipes"
