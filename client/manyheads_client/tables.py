"""Records as tables for other programs: CSV and Parquet, one row an image, failures included. Read as a stream.

Both have the same columns; of every head its score, its ratio and its answer. In CSV a text that a spreadsheet would take for a
formula gets an apostrophe before it: names of files are written by strangers.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from manyheads_client.records import OldRecord, Record
from manyheads_shared.errors import UsageError
from manyheads_shared.evidence import Examined, FailureRecord, Instrument, Result
from manyheads_shared.files import open_atomic

Row = Mapping[str, str | int | float | bool | None]

ROW_GROUP = 1000  # rows of a Parquet file held in memory
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TEXT = ("name", "error", "reason", "sha256", "format", "state", "scores_say", "claimed_by", "doubts", "instrument", "created")
_COUNTS = ("size_bytes", "width", "height", "jpeg_quality")
_FIGURES = ("blur", "noise", "scale")
_OF_A_NETWORK = ("answer", "logit", "log10_ratio", "lower", "upper", "valid")


def columns(instrument: Instrument | None) -> dict[str, type]:
    """The columns of a table and their types, in order."""
    fixed: dict[str, type] = dict.fromkeys(_TEXT, str) | dict.fromkeys(_COUNTS, int) | dict.fromkeys(_FIGURES, float)
    networks = ("detector", *(instrument.titles if instrument else ()))
    types = {"answer": str, "valid": bool}
    return fixed | {f"{network}.{field}": types.get(field, float) for network in networks for field in _OF_A_NETWORK}


def build_row(record: Record | OldRecord) -> Row:
    """One record as a row; what does not apply is left out.

    Raises:
        UsageError: a record of version 1.
    """
    if isinstance(record, FailureRecord):
        return {"name": record.name, "error": record.error, "reason": record.reason, "created": record.created}
    if not isinstance(record, Examined):
        raise UsageError("these records are of an earlier version, which hold too little for a table; examine again")
    found = record.record
    item, condition = found.item, found.condition
    row: dict[str, str | int | float | bool | None] = {
        "name": item.name,
        "sha256": item.sha256,
        "format": item.file_format,
        "state": found.state.value,
        "scores_say": found.scores_say.value,
        "claimed_by": " ".join(found.claimed_by),
        "doubts": " ".join(found.doubts),
        "instrument": found.instrument,
        "created": found.created,
        "size_bytes": item.size_bytes,
        "width": item.width,
        "height": item.height,
        "jpeg_quality": condition.jpeg_quality,
        "blur": condition.blur,
        "noise": condition.noise,
        "scale": condition.scale,
    }
    row |= _of_network("detector", found.detector)
    for used, result in record.heads:
        row |= _of_network(used.generator.title, result)
    return row


def write_csv(path: Path, records: Iterable[Record | OldRecord], instrument: Instrument | None) -> None:
    """Write a table in UTF-8, whole or not at all."""
    with open_atomic(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        writer = csv.DictWriter(text, columns(instrument), restval="")
        writer.writeheader()
        for record in records:
            writer.writerow({name: _defuse(value) for name, value in build_row(record).items()})
        text.detach()


def write_parquet(path: Path, records: Iterable[Record | OldRecord], instrument: Instrument | None) -> None:
    """Write a table, whole or not at all.

    Raises:
        UsageError: pyarrow is not installed.
    """
    pa, pq = load_pyarrow()
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns(instrument).items()])
    with open_atomic(path) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for rows in _groups(map(build_row, records)):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def load_pyarrow() -> tuple[Any, Any]:
    """Import pyarrow.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("--parquet needs pyarrow: pip install 'manyheads[parquet]'") from error
    return pa, parquet


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == ROW_GROUP:
            yield group
            group = []
    yield group


def _of_network(name: str, result: Result) -> Row:
    return {f"{name}.{field}": value for field, value in result.model_dump(mode="json", include=set(_OF_A_NETWORK)).items()}


def _defuse(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
