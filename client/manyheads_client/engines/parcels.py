"""What crosses between the driver and the actors of a cluster: items one way, records the other, a parcel at a time.

Arrow tables of one row each, with names, paths, bytes and canonical JSON in them and nothing else. A row is a parcel because
Ray Data may join and split tables, but never rows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import fsdecode, fsencode
from pathlib import Path

import pyarrow as pa

from manyheads_client.errors import ClusterError
from manyheads_client.inputs import Item
from manyheads_client.records import Record
from manyheads_shared.document import Document
from manyheads_shared.errors import ManyheadsError, UnreadableImageError
from manyheads_shared.evidence import EvidenceRecord, Examined, FailureRecord, Instrument, read_instrument
from manyheads_shared.image import read_image_file

PARCEL_BYTES = 64 << 20  # of contents: a parcel is sent once it has so many, or one image more

_ITEMS = pa.schema(
    {
        "number": pa.int64(),
        "names": pa.list_(pa.string()),
        "paths": pa.list_(pa.binary()),  # absolute; null: the bytes travel along
        "contents": pa.list_(pa.large_binary()),  # null: to be read where it is examined, or not readable
        "refusals": pa.list_(pa.string()),  # why it could not be read; null: nothing is known against it
    }
)
_RECORDS = pa.schema(
    {
        "number": pa.int64(),
        "records": pa.list_(pa.large_binary()),
        "instrument": pa.large_binary(),  # that all evidence among them names; null: there is none
        "refusal": pa.string(),  # why there are no records; null: they are there
    }
)


@dataclass(frozen=True)
class _Sent:
    """An item on its way."""

    name: str
    path: bytes | None = None
    content: bytes | None = None
    refusal: str | None = None


def pack_items(items: Iterable[Item], *, most: int) -> Iterator[pa.Table]:
    """Put items into parcels of at most so many, numbered from zero. What lies in no file of its own is read here.

    Args:
        most: items of one parcel.
    """
    number, parcel, size = 0, [], 0
    for item in items:
        parcel.append(sent := _send(item))
        size += len(sent.content or b"")
        if len(parcel) == most or size >= PARCEL_BYTES:
            yield _pack(number, parcel)
            number, parcel, size = number + 1, [], 0
    if parcel:
        yield _pack(number, parcel)


def unpack_items(table: pa.Table) -> tuple[int, list[Item]]:
    """Take a parcel's number and items out of it."""
    (row,) = table.to_pylist()
    columns = (row[name] for name in ("names", "paths", "contents", "refusals"))
    return row["number"], [_receive(_Sent(*fields)) for fields in zip(*columns, strict=True)]


def pack_records(number: int, records: Sequence[Record]) -> pa.Table:
    """Put the records of a parcel's items into one. All name one instrument, which travels once."""
    instrument = next((record.instrument for record in records if isinstance(record, Examined)), None)
    row = {
        "number": number,
        "records": [_document(record).to_bytes() for record in records],
        "instrument": instrument and instrument.to_bytes(),
    }
    return pa.Table.from_pylist([row], _RECORDS)


def pack_refusal(number: int, error: ManyheadsError) -> pa.Table:
    """Say in place of a parcel's records why there are none."""
    return pa.Table.from_pylist([{"number": number, "refusal": f"{type(error).__name__}: {error}"}], _RECORDS)


def unpack_records(table: pa.Table) -> tuple[int, list[Record]]:
    """Take a parcel's number and records out of it.

    Raises:
        ClusterError: there are none.
        ManifestError: something else was sent.
    """
    (row,) = table.to_pylist()
    if row["refusal"] is not None:
        raise ClusterError(f"an actor cannot examine: {row['refusal']}")
    instrument = row["instrument"] and read_instrument(row["instrument"])
    return row["number"], [_read(data, instrument) for data in row["records"]]


def _send(item: Item) -> _Sent:
    if item.path is not None:
        return _Sent(item.name, path=fsencode(item.path.absolute()))
    try:
        content = item.read()
    except UnreadableImageError as error:
        return _Sent(item.name, refusal=str(error))
    if not isinstance(content, bytes):
        raise TypeError(f"{item.name}: expected an item of bytes, got pixels; a cluster examines files")
    return _Sent(item.name, content=content)


def _pack(number: int, parcel: Sequence[_Sent]) -> pa.Table:
    row = {
        "number": number,
        "names": [sent.name for sent in parcel],
        "paths": [sent.path for sent in parcel],
        "contents": [sent.content for sent in parcel],
        "refusals": [sent.refusal for sent in parcel],
    }
    return pa.Table.from_pylist([row], _ITEMS)


def _receive(sent: _Sent) -> Item:
    return Item(sent.name, None, _reader(sent))


def _reader(sent: _Sent) -> Callable[[], bytes]:
    def read() -> bytes:
        if sent.path is not None:
            return read_image_file(Path(fsdecode(sent.path)))
        if sent.content is None:
            raise UnreadableImageError(sent.refusal)
        return sent.content

    return read


def _document(record: Record) -> Document:
    return record.record if isinstance(record, Examined) else record


_FAILURE = f'"format":"{FailureRecord.FORMAT}"'.encode()  # cannot occur in a value: quotes are escaped there


def _read(data: bytes, instrument: Instrument | None) -> Record:
    if _FAILURE in data:
        return FailureRecord.from_bytes(data)
    assert instrument is not None  # sent along with evidence
    return Examined(EvidenceRecord.from_bytes(data), instrument)
