"""What a driver of load did and was answered, line by line in a file: it outlives the driver, who may be killed anywhere."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class Journal:
    """One driver's journal. A line that a kill cut short is no line: what it would have told of was not acknowledged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        whole = path.read_bytes() if path.exists() else b""
        self._file = path.open("wb")
        self._file.write(whole[: whole.rfind(b"\n") + 1])
        self._file.flush()

    def write(self, kind: str, **facts: Any) -> None:
        """Append a line; it is in the file when this returns."""
        self._file.write(json.dumps({"time": time.time(), "kind": kind, **facts}).encode() + b"\n")
        self._file.flush()

    def read(self) -> list[Line]:
        """Return every line so far."""
        return list(read_journal(self._path))


def read_journal(path: Path) -> Iterator[Line]:
    """Yield the whole lines of a journal, oldest first."""
    if path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield json.loads(line)
