"""What is looked for in the catalogue."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

from fastapi import Depends, Query

from manyheads_shared.api import HeadState
from manyheads_shared.digest import DIGEST_PATTERN, Digest

Level = Literal["any", "architecture", "instance"]

STATES: tuple[HeadState, ...] = get_args(HeadState)
MAX_CHARACTERS = 100  # of a text that is looked for; no name is longer


@dataclass(frozen=True)
class Search:
    """What heads must be like. By default anything goes, and a form may send every default."""

    text: str = ""  # in the generator's name, and so the name of a family; ASCII letters of either case
    owner: str = ""  # the whole name; empty: anyone
    level: Level = "any"
    states: tuple[HeadState, ...] = STATES
    primary: Digest | None = None
    image_size: int | None = None  # of the head's primary, pixels
    recall: float = 0.0  # the least lower bound of recall, 0 to 1

    @property
    def narrow(self) -> bool:
        """Whether more is asked for than heads of some states."""
        return replace(self, states=STATES) != Search()

    def among(self, *states: HeadState) -> "Search":
        """Look among heads of these states alone."""
        return replace(self, states=states)


LISTED = Search().among("listed")
UNLISTED = Search().among(*(state for state in STATES if state != "listed"))

Text = Annotated[str, Query(max_length=MAX_CHARACTERS, description="in the generator's name")]
Owner = Annotated[str, Query(max_length=MAX_CHARACTERS, description="the owner's whole name; empty: anyone")]
OfPrimary = Annotated[Digest | None, Query(pattern=DIGEST_PATTERN, description="the digest of the head's primary")]
ImageSize = Annotated[int | None, Query(ge=1, le=1 << 16, description="pixels a side, of the head's primary")]
Recall = Annotated[float, Query(ge=0, le=1, description="the least lower bound of recall")]
States = Annotated[list[HeadState] | None, Query(alias="state", description="any of these")]


def get_search(
    *,
    text: Text = "",
    owner: Owner = "",
    level: Level = "any",
    primary: OfPrimary = None,
    image_size: ImageSize = None,
    recall: Recall = 0.0,
    states: States = None,
) -> Search:
    """Return what a request looks for."""
    return Search(text, owner, level, tuple(states or STATES), primary, image_size, recall)


SearchDep = Annotated[Search, Depends(get_search)]
