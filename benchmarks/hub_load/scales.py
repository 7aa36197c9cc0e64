"""How much a run measures: everything, or just enough to see that it works."""

from dataclasses import dataclass

from tests.support.grounds import EMBEDDED, PRODUCTION


@dataclass(frozen=True)
class Scale:
    """One run's numbers."""

    repeats: int  # of every cell, taken in turn with its neighbours
    seconds: int  # of one wrk run, 1 at least
    warm_up_seconds: int  # before the first; 0: none
    connections: int  # of wrk, kept open
    grounds: tuple[str, ...]  # what the hubs under load stand on (`tests.support.grounds`)
    heads: int  # in the catalogue that is read and pulled
    pulls: int  # at once, cold; then as many warm
    submissions: int  # at once
    evaluated: tuple[int, ...]  # heads in the catalogue while one is evaluated
    sizes: tuple[int, ...]  # heads in the growing catalogue


FULL = Scale(3, 3, 1, 8, (EMBEDDED, PRODUCTION), 100, 16, 100, (1, 20, 80), (10, 100, 1_000, 10_000))
QUICK = Scale(1, 1, 0, 4, (EMBEDDED,), 4, 3, 3, (1,), (2, 4))
