import csv
from pathlib import Path

import pytest

from manyheads_client import Bundle, attribute
from manyheads_client.analysis import ImageSource
from manyheads_client.records import Record
from manyheads_client.tables import columns, write_csv, write_parquet
from manyheads_shared.evidence import Examined, FailureRecord
from tests.support.makers import TIME


@pytest.fixture(scope="module")
def records(bundle: Bundle, lab: Path) -> list[Record]:
    images: list[ImageSource] = [*sorted((lab / "images").iterdir())[:5], b"no image"]
    return [result.entry for result in attribute(images, bundle, device="cpu")]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_csv_has_a_row_an_image_and_every_heads_figures(records: list[Record], tmp_path: Path) -> None:
    first = records[0]
    assert isinstance(first, Examined)
    write_csv(tmp_path / "t.csv", records, first.instrument)
    rows = read_csv(tmp_path / "t.csv")
    assert len(rows) == 6
    assert rows[0]["state"] == first.record.state
    assert float(rows[0]["beta@1.logit"]) == first.record.heads[1].logit
    assert rows[5]["error"] == "ImageError"
    assert rows[5]["state"] == ""


def test_a_name_that_a_spreadsheet_would_run_is_defused(tmp_path: Path) -> None:
    failure = FailureRecord.new(name='=cmd|"/c calc"!A1', error="ImageError", reason="-1", created=TIME)
    write_csv(tmp_path / "t.csv", [failure], None)
    (row,) = read_csv(tmp_path / "t.csv")
    assert row["name"].startswith("'=cmd")
    assert row["reason"] == "'-1"


def test_a_parquet_file_has_the_same_columns_with_their_types(records: list[Record], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    first = records[0]
    assert isinstance(first, Examined)
    write_parquet(tmp_path / "t.parquet", records, first.instrument)
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == list(columns(first.instrument))
    assert table.column("beta@1.logit").to_pylist()[:5] == [r.record.heads[1].logit for r in records if isinstance(r, Examined)]
    assert table.column("width").to_pylist() == [48] * 5 + [None]
