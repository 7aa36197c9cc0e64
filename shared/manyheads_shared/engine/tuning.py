"""How many heads to run at once: measured once for each machine, precision and kind of batch, and remembered.

What is remembered is a measurement, not a result: a lost or foreign file costs the time to measure again, and no logit depends
on it but for rounding. Batches and heads are told apart by powers of two.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from manyheads_shared.compute import Compute
from manyheads_shared.files import write_atomic

ROUNDS = 4  # each candidate in turn; the fastest of each counts
HOPELESS = 1.5  # times as long as the best: such a candidate is not timed again
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Shape:
    """What a measurement holds for."""

    architecture: str
    compute: Compute
    images: int
    height: int  # of the features
    width: int
    heads: int

    @property
    def key(self) -> str:
        """The name under which it is remembered."""
        rounded = (1 << (number - 1).bit_length() for number in (self.images, self.height, self.width, self.heads))
        where = f"{self.compute.device_name}, {self.compute.precision}, torch {torch.__version__}"
        return f"{where}, {self.architecture}, {' x '.join(map(str, rounded))}"


class Tuning:
    """The measurements of one machine, in a file."""

    def __init__(self, path: Path | None = None) -> None:
        """Read what is remembered.

        Args:
            path: None: `engine.json` in the user's cache folder.
        """
        self._path = path or _cache_file()
        self._known = _read(self._path)

    def choose(self, shape: Shape, candidates: Sequence[int], run: Callable[[int], object]) -> int:
        """Return the fastest candidate for a shape: as remembered, else as measured now.

        Args:
            candidates: at least two, ascending.
            run: does the work with a candidate.
        """
        known = self._known.get(shape.key)
        if known is None or known not in candidates:
            known = _fastest(candidates, run, shape.compute.device)
            self._remember(shape.key, known)
        return known

    def _remember(self, key: str, best: int) -> None:
        self._known = {**_read(self._path), **self._known, key: best}  # another process may have measured too
        if self._path is None:
            return
        with suppress(OSError):  # measured again next time
            write_atomic(self._path, json.dumps(self._known, indent=1, sort_keys=True).encode())


def _fastest(candidates: Sequence[int], run: Callable[[int], object], device: torch.device) -> int:
    """Time candidates in turn, and from round to round only those that have a chance."""
    seconds: dict[int, float] = {}
    for _ in range(ROUNDS):
        for candidate in seconds or candidates:
            began = time.perf_counter()
            run(candidate)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds[candidate] = min(time.perf_counter() - began, seconds.get(candidate, float("inf")))
        least = min(seconds.values())
        seconds = {candidate: took for candidate, took in seconds.items() if took < HOPELESS * least}
    return min(seconds, key=lambda candidate: seconds[candidate])


def _read(path: Path | None) -> dict[str, int]:
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, int)}


def _cache_file() -> Path | None:
    """Where measurements are remembered; nowhere for a user without a home, as in some containers."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return folder / "manyheads" / "engine.json"
