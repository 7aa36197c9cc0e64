"""What was measured: one JSON line a cell, one file a chain, only ever appended to: a kill loses and repeats nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.paper.cells import Cell
from benchmarks.paper.config import HERE, Config

RESULTS = HERE.parent / "results" / "paper"

Record = Mapping[str, Any]


def read_records(config: Config, results: Path = RESULTS) -> dict[Cell, Record]:
    """Every cell measured so far under this very list of numbers; a line cut short by a kill does not count."""
    whole = [path.read_bytes().rpartition(b"\n")[0] for path in sorted((results / "records").glob("*.jsonl"))]
    rows = [json.loads(line) for text in whole for line in text.splitlines()]
    return {Cell(**row["cell"]): row for row in rows if row["config"] == config.digest_of(row["cell"]["images"])}


def add_record(record: Record, results: Path = RESULTS) -> None:
    """Append one line, in place of one that was cut short. A chain is worked off by one process at a time."""
    path = results / "records" / f"{Cell(**record['cell']).chain.name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as stream:
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)
        stream.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
