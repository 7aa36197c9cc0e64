"""Passages: how a head that belongs to an earlier primary is run in a bundle of a later one. No torch; `scoring` runs them.

A head belongs to one primary for ever, by digest and probe. `straight` gives it the later trunk's features in place of its own,
which only a measurement can allow (`retention`); `beside` gives it its own trunk's, which then runs on every image too.
"""

from dataclasses import dataclass
from typing import Literal

from manyheads_shared.artifact import PrimaryArtifact
from manyheads_shared.errors import BundleError

Way = Literal["straight", "beside"]


@dataclass(frozen=True)
class Passage:
    """The way of one head."""

    earlier: PrimaryArtifact  # the head's own
    way: Way


def is_passable(earlier: PrimaryArtifact, primary: PrimaryArtifact) -> bool:
    """Whether heads of one primary can be run beside another's: both take the same images, and features have one shape."""
    same_images = earlier.manifest.preprocessing == primary.manifest.preprocessing
    return same_images and earlier.architecture.name == primary.architecture.name


def verify_passable(earlier: PrimaryArtifact, primary: PrimaryArtifact) -> None:
    """See `is_passable`.

    Raises:
        BundleError: they cannot.
    """
    if not is_passable(earlier, primary):
        raise BundleError(
            f"heads of primary {earlier.manifest.title} cannot be run with "
            f"{primary.manifest.title}: architecture and preprocessing must be the same"
        )
