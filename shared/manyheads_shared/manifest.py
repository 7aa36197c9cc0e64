"""Manifests: what an artifact says of itself. Specification: docs/formats/manifest.md."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from manyheads_shared.architectures import Architecture, get_architecture
from manyheads_shared.clock import read_time
from manyheads_shared.digest import DIGEST_PATTERN, Digest
from manyheads_shared.document import Count, Document, Value
from manyheads_shared.errors import ManifestError
from manyheads_shared.probe import PROBE_IMAGES, PROJECTIONS

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"  # UTC, whole seconds


def _refuse_impossible_moment(text: str) -> str:
    read_time(text)  # the 30th of February has the right form
    return text


Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Time = Annotated[str, Field(pattern=TIME_PATTERN), AfterValidator(_refuse_impossible_moment)]
DigestField = Annotated[Digest, Field(pattern=DIGEST_PATTERN)]
Sentence = Annotated[str, Field(max_length=500)]
Probe = Annotated[
    tuple[Annotated[tuple[float, ...], Field(min_length=PROJECTIONS, max_length=PROJECTIONS)], ...],
    Field(
        min_length=PROBE_IMAGES,
        max_length=PROBE_IMAGES,
        description="one row for each probe image: the projections of the primary's features (manyheads_shared.probe)",
    ),
]


class Preprocessing(Value):
    """How a decoded image becomes the network's input. Travels with the weights."""

    representation: Literal["pixel", "dct"]
    image_size: Annotated[int, Field(ge=16, le=4096)] | None  # pixels a side; None: native size (pixel + gap only)
    fit: Literal["resize", "crop", "native"]
    # resize: centre square, then Lanczos to image_size, nothing when it fits already
    # crop:   centre square of image_size at native resolution; a smaller image is refused
    # native: as it is


class Generator(Value):
    """A model that makes images, as its owner names it."""

    name: Name
    version: Name
    owner: Name
    level: Literal["architecture", "instance"]

    @property
    def title(self) -> str:
        """`name@version`: the form people and in-toto subjects use."""
        return f"{self.name}@{self.version}"


class Training(Value):
    """How weights came to be, in figures anyone can quote."""

    recipe: DigestField  # of the exact recipe, kept by whoever trained
    seed: Count
    epochs: Count
    images: Count  # in the training split
    precision: Literal["float32", "bfloat16"]
    device: Sentence
    software: Sentence  # "manyheads 0.1.0, torch 2.15.0"


class PrimaryManifest(Document):
    """The manifest inside a primary artifact."""

    FORMAT: ClassVar[str] = "manyheads.primary/1"

    name: Name
    version: Name
    architecture: Name
    preprocessing: Preprocessing
    probe: Probe
    training: Training
    created: Time

    @property
    def title(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def build_architecture(self) -> Architecture:
        """Return the declared architecture, checked against the preprocessing.

        Raises:
            ManifestError: unknown architecture, or one that cannot take such images.
        """
        architecture = get_architecture(self.architecture)
        chosen = self.preprocessing
        if architecture.representation != chosen.representation:
            raise ManifestError(
                f"{self.architecture} takes {architecture.representation} images, "
                f"the manifest's preprocessing makes {chosen.representation} ones"
            )
        if (chosen.image_size is None) != (chosen.fit == "native"):
            raise ManifestError("preprocessing: expected image_size null with fit native, and a number otherwise")
        if chosen.image_size is None and architecture.readout == "flatten":
            raise ManifestError(f"{self.architecture} works at one image size; the manifest names none")
        if chosen.image_size is not None and chosen.image_size % 8:
            raise ManifestError(f"preprocessing: expected an image_size that is a multiple of 8, got {chosen.image_size}")
        return architecture


class HeadManifest(Document):
    """The manifest inside a head artifact: whose generator, on which primary, seen through which features."""

    FORMAT: ClassVar[str] = "manyheads.head/1"

    generator: Generator
    architecture: Name
    primary: DigestField  # of the primary artifact's bytes
    probe: Probe  # the primary's features as the trainer's machine computed them
    training: Training
    created: Time
