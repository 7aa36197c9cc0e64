"""The experiment's one list of numbers, read from `config.toml`."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from manyheads_contributor.recipe import Recipe, build_recipe
from manyheads_shared.canonical import to_canonical
from manyheads_shared.digest import Digest, digest_bytes, hex_of
from manyheads_shared.document import Value

HERE = Path(__file__).resolve().parent

Representation = Literal["pixel", "dct"]
Network = Literal["reference", "gandct-conv", "ganfp-postpool"]

REPRESENTATIONS: tuple[Representation, ...] = ("pixel", "dct")
DATA = HERE.parents[2] / "shared" / "data"
WORK = HERE.parents[1] / "runs" / "paper"


class Family(Value):
    """The profiles of one reading of the paper's augmentations."""

    multi: str
    jpeg: str


class Images(Value):
    """One set of images."""

    size: int  # pixels a side
    group_pattern: str
    networks: tuple[Network, ...]
    easy: str  # the generator of the easy binary question
    twin: str  # and of the hard one
    epochs: dict[str, Annotated[int, Field(ge=1)]]  # from fresh weights


class Speed(Value):
    """How long the speed of learning is watched, in epochs."""

    baseline_epochs: Annotated[int, Field(ge=1)]
    published_epochs: Annotated[int, Field(ge=1)]
    head: dict[str, Any]  # keys of our head's recipe


class Config(Value):
    """Everything the figures depend on beside the images and the code."""

    version: int
    seeds: tuple[int, ...]
    split_seed: int
    degradation_seed: int
    clean: str
    crop: str
    families: dict[str, Family]
    images: dict[str, Images]
    recipe: dict[str, Any]
    speed: Speed

    @property
    def degraded(self) -> tuple[str, ...]:
        """Every profile but clean."""
        return (*(profile for family in self.families.values() for profile in (family.multi, family.jpeg)), self.crop)

    def digest_of(self, images: str) -> Digest:
        """The name of the training that this list describes for one set of images: records count only for theirs."""
        numbers = self.model_dump(mode="json", exclude={"seeds", "speed", "images"})
        return digest_bytes(to_canonical(numbers | {"images": {images: self.images[images].model_dump(mode="json")}}))

    def folder_of(self, images: str) -> Path:
        """Where weights and inputs of one set of images are kept: what can be made again."""
        return WORK / hex_of(self.digest_of(images))[:12]

    def build_recipe(self, images: str, representation: Representation, *, seed: int, epochs: int) -> Recipe:
        """The kit's recipe of one training."""
        place = self.images[images]
        values = self.recipe | {
            "architecture": f"khoo2022-{representation}",
            "image_size": place.size,
            "group_pattern": place.group_pattern,
            "split_seed": self.split_seed,
            "seed": seed,
            "max_epochs": epochs,
        }
        return build_recipe(values, name="benchmarks/paper/config.toml")


def read_config(path: Path = HERE / "config.toml") -> Config:
    """Read the list."""
    return Config.model_validate_json(json.dumps(tomllib.loads(path.read_text())))  # JSON has lists where a tuple is meant
