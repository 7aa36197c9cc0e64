"""A log chained by digest: no line is changed, moved or taken out unseen, and none at its end where an anchor is."""

from collections.abc import Callable
from typing import ClassVar

import pytest

from manyheads_shared.chain import EMPTY, GENESIS, Head, Link, verify_links
from manyheads_shared.digest import Digest
from manyheads_shared.errors import ChainError


class Said(Link):
    FORMAT: ClassVar[str] = "manyheads.test/1"

    words: str


def chain(*words: str) -> list[Said]:
    links: list[Said] = []
    before = GENESIS
    for number, each in enumerate(words, start=1):
        links.append(Said.new(sequence=number, previous=before, words=each))
        before = links[-1].digest
    return links


LINKS = chain("one", "two", "three")
NEWEST = Head(3, LINKS[-1].digest)


def test_a_whole_chain_leads_to_its_newest_link() -> None:
    assert verify_links(LINKS, log="log", anchors=[NEWEST, Head(1, LINKS[0].digest)]) == NEWEST
    assert verify_links([], log="log") == EMPTY


BREAKS: dict[str, tuple[Callable[[list[Said]], list[Said]], str]] = {
    "changed": (lambda links: [links[0].model_copy(update={"words": "uno"}), *links[1:]], "line 2 follows"),
    "taken out": (lambda links: [links[0], links[2]], "expected line 2, got line 3"),
    "moved": (lambda links: [links[1], links[0], links[2]], "expected line 1, got line 2"),
    "cut off": (lambda links: links[:2], "lines were cut off"),
    "written anew": (lambda _: chain("one", "two", "tre"), "had another when the anchor was taken"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_chain_is_named_by_its_first_broken_line(name: str) -> None:
    broken, words = BREAKS[name]
    with pytest.raises(ChainError, match=f"log: .*{words}"):
        verify_links(broken(LINKS), log="log", anchors=[NEWEST])


def test_two_anchors_of_one_line_cannot_both_hold() -> None:
    with pytest.raises(ChainError, match="had another"):
        verify_links(LINKS, log="log", anchors=[NEWEST, Head(3, Digest("sha256:" + "1" * 64))])
