"""What crosses between a driver and its actors, and what an actor does with it; no cluster needed."""

import tarfile
import zipfile
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa
import pytest

from manyheads_client.bundle import Bundle
from manyheads_client.engines.cluster import Cluster
from manyheads_client.engines.examiner import Charge, Examiner
from manyheads_client.engines.local import LocalEngine
from manyheads_client.engines.opening import open_engine
from manyheads_client.engines.parcels import PARCEL_BYTES, pack_items, pack_records, unpack_items, unpack_records
from manyheads_client.engines.port import Options
from manyheads_client.errors import ClusterError
from manyheads_client.inputs import Inputs, Item
from manyheads_client.records import Record
from manyheads_shared.digest import Digest
from manyheads_shared.errors import UnreadableImageError
from manyheads_shared.evidence import FailureRecord


@pytest.fixture
def folder(lab: Path, tmp_path: Path) -> Path:
    """A file, a pipe's worth of trouble, a member of each kind of archive, and an archive that is none."""
    data = (lab / "images" / "000.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data)
    (tmp_path / "b.png").symlink_to(tmp_path / "gone")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("inner.png", data)
    with tarfile.open(tmp_path / "d.tar", "w") as tar:
        tar.add(tmp_path / "a.png", "inner.png")
    (tmp_path / "e.zip").write_bytes(b"no archive")
    return tmp_path


@pytest.fixture
def charge(lab: Path, bundle: Bundle) -> Charge:
    return Charge(str(lab / "store"), bundle.verified.manifest.sequence, bundle.verified.digest, Options("cpu"))


def spell(records: list[Record]) -> list[dict[str, Any]]:
    documents = [record if isinstance(record, FailureRecord) else record.record for record in records]
    return [{**document.model_dump(), "created": None} for document in documents]


def test_an_actor_makes_the_records_of_the_local_engine(folder: Path, bundle: Bundle, charge: Charge) -> None:
    examiner, inputs = Examiner(charge), Inputs([folder])
    answers = [unpack_records(examiner(parcel)) for parcel in pack_items(inputs.items(), most=2)]
    local = list(LocalEngine(bundle, charge.options).examine(inputs.items()))
    assert [number for number, _ in answers] == [0, 1, 2]
    assert spell([record for _, records in answers for record in records]) == spell(local)


def test_an_archive_is_read_by_the_driver_and_a_file_by_the_actor(folder: Path) -> None:
    (parcel,) = pack_items(Inputs([folder]).items(), most=10)
    (row,) = parcel.to_pylist()
    assert [path is not None for path in row["paths"]] == [True, True, False, False, False]
    assert row["contents"][2] == row["contents"][3] == (folder / "a.png").read_bytes()
    _, items = unpack_items(parcel)
    with pytest.raises(UnreadableImageError, match="the archive is damaged"):
        items[4].read()


def test_nothing_but_numbers_text_and_bytes_crosses(folder: Path, bundle: Bundle) -> None:
    (sent,) = pack_items(Inputs([folder]).items(), most=10)
    came = pack_records(0, list(LocalEngine(bundle, Options("cpu")).examine(Inputs([folder]).items())))
    kinds = {kind.value_type if pa.types.is_list(kind) else kind for table in (sent, came) for kind in table.schema.types}
    assert kinds == {pa.int64(), pa.string(), pa.binary(), pa.large_binary()}


def test_a_parcel_of_large_contents_is_sent_before_it_is_full() -> None:
    large = [Item(str(i), None, lambda: bytes(PARCEL_BYTES // 2 + 1)) for i in range(3)]
    assert [len(unpack_items(parcel)[1]) for parcel in pack_items(large, most=256)] == [2, 1]


def test_a_name_that_is_no_utf8_is_found_by_the_actor(lab: Path, tmp_path: Path) -> None:
    odd = tmp_path / "\udcff.png"
    odd.write_bytes((lab / "images" / "000.png").read_bytes())
    (parcel,) = pack_items(Inputs([tmp_path]).items(), most=1)
    _, (item,) = unpack_items(parcel)
    assert item.name.endswith("\\xff.png")
    assert item.read() == odd.read_bytes()


def test_an_address_where_nobody_listens_is_told_at_once(bundle: Bundle, charge: Charge) -> None:
    began = monotonic()
    with (
        pytest.raises(ClusterError, match=r"127\.0\.0\.1:1: expected a Ray cluster, got none: .*refused"),
        open_engine(bundle, Path(charge.store), Options("cpu"), cluster=Cluster("127.0.0.1:1"), saliency=None),
    ):
        pass
    assert monotonic() - began < 30


def test_a_node_that_does_not_see_the_store_says_so(charge: Charge, folder: Path, tmp_path: Path) -> None:
    examiner = Examiner(Charge(str(tmp_path / "elsewhere"), charge.sequence, charge.bundle, charge.options))
    (parcel,) = pack_items(Inputs([folder]).items(), most=10)
    with pytest.raises(ClusterError, match=r"NoBundleError: .*elsewhere"):
        unpack_records(examiner(parcel))


def test_a_node_whose_store_has_another_bundle_under_the_number_refuses(charge: Charge, folder: Path) -> None:
    examiner = Examiner(Charge(charge.store, charge.sequence, Digest("sha256:" + "0" * 64), charge.options))
    (parcel,) = pack_items(Inputs([folder]).items(), most=10)
    with pytest.raises(ClusterError, match="as the driver opened"):
        unpack_records(examiner(parcel))
