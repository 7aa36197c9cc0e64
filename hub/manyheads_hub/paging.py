"""Long lists, a page at a time: nothing that grows with the hub is answered, or read from the database, whole."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response
from starlette.datastructures import QueryParams

ENTRIES_A_PAGE = 100  # of an API's list: 400 kB of heads measured on 20 sources
ITEMS_A_PAGE = 50  # of a page for people, where nothing else is said

T = TypeVar("T")
PageNumber = Annotated[int, Query(alias="page", ge=1, le=1_000_000)]
Fetch = Callable[[int, int], Sequence[T]]  # so many items, so many passed over


@dataclass(frozen=True)
class Slice(Generic[T]):
    """One page of a list."""

    items: list[T]
    number: int  # from 1
    count: int  # of pages


def cut(fetch: Fetch[T], total: int, number: int, size: int = ITEMS_A_PAGE) -> Slice[T]:
    """Return one page for people; a page past the end is the last."""
    count = max(1, -(-total // size))
    number = min(number, count)
    return Slice(list(fetch(size, (number - 1) * size)), number, count)


def page_address(asked: QueryParams, number: int) -> str:
    """Return the address of another page of the same list, relative to this one's."""
    kept = [(key, value) for key, value in asked.multi_items() if key != "page" and value]
    return "?" + urlencode([*kept, ("page", number)])


class Pager:
    """Answers a program with the page it asked for, and says where the next one is (RFC 8288); a page past the end is empty."""

    def __init__(self, request: Request, response: Response, number: PageNumber = 1) -> None:
        self._asked, self._response, self._number = request.query_params, response, number

    def answer(self, fetch: Fetch[T], size: int = ENTRIES_A_PAGE) -> list[T]:
        """Return the page's items."""
        items = list(fetch(size + 1, (self._number - 1) * size))
        if len(items) > size:
            self._response.headers["Link"] = f'<{page_address(self._asked, self._number + 1)}>; rel="next"'
        return items[:size]


PagerDep = Annotated[Pager, Depends()]
