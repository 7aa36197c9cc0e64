"""What is looked for in the catalogue."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

from fastapi import Depends, Query
from pydantic import BeforeValidator

from manyheads_shared.api import HeadState
from manyheads_shared.digest import DIGEST_PATTERN, Digest

Level = Literal["architecture", "instance"]

STATES: tuple[HeadState, ...] = get_args(HeadState)
MAX_CHARACTERS = 100  # of a text that is looked for; no name is longer


@dataclass(frozen=True)
class Search:
    """What heads must be like; None: anything goes."""

    text: str | None = None  # in the generator's name, and so the name of a family; ASCII letters of either case
    owner: str | None = None
    level: Level | None = None
    states: tuple[HeadState, ...] = STATES
    primary: Digest | None = None
    image_size: int | None = None  # of the head's primary, pixels
    recall: float | None = None  # the least lower bound of recall, 0 to 1

    @property
    def narrow(self) -> bool:
        """Whether more is asked for than heads of some states."""
        return replace(self, states=STATES) != Search()

    def among(self, *states: HeadState) -> "Search":
        """Look among heads of these states alone."""
        return replace(self, states=states)


LISTED = Search().among("listed")
UNLISTED = Search().among(*(state for state in STATES if state != "listed"))

_empty = BeforeValidator(lambda value: value or None)  # a form sends its empty fields too
Text = Annotated[str | None, Query(max_length=MAX_CHARACTERS, description="in the generator's name"), _empty]
Owner = Annotated[str | None, Query(max_length=MAX_CHARACTERS, description="the owner's whole name"), _empty]
OfLevel = Annotated[Level | None, Query(), _empty]
OfPrimary = Annotated[Digest | None, Query(pattern=DIGEST_PATTERN, description="the digest of the head's primary"), _empty]
ImageSize = Annotated[int | None, Query(ge=1, le=1 << 16, description="pixels a side, of the head's primary"), _empty]
Recall = Annotated[float | None, Query(ge=0, le=1, description="the least lower bound of recall"), _empty]
States = Annotated[list[HeadState] | None, Query(alias="state", description="any of these")]


def get_search(
    *,
    text: Text = None,
    owner: Owner = None,
    level: OfLevel = None,
    primary: OfPrimary = None,
    image_size: ImageSize = None,
    recall: Recall = None,
    states: States = None,
) -> Search:
    """Return what a request looks for."""
    return Search(text, owner, level, tuple(states or STATES), primary, image_size, recall)


SearchDep = Annotated[Search, Depends(get_search)]
