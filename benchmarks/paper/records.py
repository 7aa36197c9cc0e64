"""What was measured: one JSON line a cell, only ever appended to, so that a killed run loses nothing and repeats nothing."""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.paper.cells import Cell
from benchmarks.paper.config import HERE, Config

RECORDS = HERE.parent / "results" / "paper" / "records.jsonl"

Record = Mapping[str, Any]


def read_records(config: Config, path: Path = RECORDS) -> dict[Cell, Record]:
    """Every cell measured so far under this very list of numbers; a line cut short by a kill does not count."""
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    rows = [json.loads(line) for line in whole.splitlines()]
    return {Cell(**row["cell"]): row for row in rows if row["config"] == config.digest}


def add_record(record: Record, path: Path = RECORDS) -> None:
    """Append one line, in place of one that was cut short; several processes may."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)
        stream.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
