"""The engine of a cluster: Ray Data, with one actor a device. Only this module knows Ray.

    driver: items ─► parcels ─► queue ─► Ray Data: source ─► actors ─► parcels, in order ─► records

The driver puts a parcel in only when one has come out, so whatever the cluster and its disks do, a bounded number of them is
under way. A parcel whose actor dies is examined again by another; when more is lost than that, the scan ends, and goes on when
it is run again. Processes of Ray trust each other: the cluster must be one's own.
"""

import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.data.block import BlockMetadata
from ray.exceptions import RayError
from ray.util.queue import Queue

from manyheads_client.bundle import Bundle
from manyheads_client.engines.cluster import Cluster
from manyheads_client.engines.examiner import Charge, Examiner
from manyheads_client.engines.parcels import pack_items, unpack_records
from manyheads_client.engines.port import Options
from manyheads_client.errors import ClusterError
from manyheads_client.inputs import Item
from manyheads_client.records import Record

WINDOW = 3  # parcels an actor: in work, waiting there, on its way
CONNECT_SECONDS = 10.0  # for the head of a cluster to take a connection; Ray itself tries for minutes, and says nothing
_GO_ON = "What was examined is recorded; run the command again to go on."
_END = None  # in the queue, after the last parcel


class RayEngine:
    """Examines in the actors of the cluster that this process is connected to."""

    def __init__(self, charge: Charge, cluster: Cluster) -> None:
        found = ray.cluster_resources()
        wants_gpu = charge.options.device != "cpu" and found.get("GPU", 0) > 0
        self._gpus = float(wants_gpu) if cluster.gpus_per_actor is None else cluster.gpus_per_actor
        self._cpus = charge.options.jobs or 1
        room = found.get("GPU", 0) / self._gpus if self._gpus else found.get("CPU", 0) / self._cpus
        self._actors = cluster.actors or max(1, int(room))
        self._charge = replace(charge, options=replace(charge.options, jobs=self._cpus))
        self._parcel_images = cluster.parcel_images
        self.where = f"{self._actors} actor{'' if self._actors == 1 else 's'} of Ray"

    def examine(self, items: Iterable[Item]) -> Iterator[Record]:
        """Yield a record for each item, in their order.

        Raises:
            ClusterError: an actor cannot examine, or more of the cluster was lost than it makes good by itself.
        """
        parcels = pack_items(items, most=self._parcel_images)
        queue = Queue(actor_options={"num_cpus": 0})
        try:
            sent = sum(_put_next(queue, parcels) for _ in range(WINDOW * self._actors))
            came = 0
            for table in self._answers(queue):
                number, records = unpack_records(table)
                _verify_number(number, came)
                came, sent = came + 1, sent + _put_next(queue, parcels)
                yield from records
            _verify_number(sent, came)
        except RayError as error:
            raise ClusterError(f"the cluster gave up: {error}. {_GO_ON}") from error
        finally:
            with suppress(RayError):
                queue.shutdown(force=True)

    def _answers(self, queue: Queue) -> Iterator[pa.Table]:
        source = ray.data.read_datasource(_Source(queue), override_num_blocks=1, num_cpus=0)
        answers = source.map_batches(
            Examiner,
            fn_constructor_args=(self._charge,),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=self._actors),
            num_cpus=self._cpus,
            num_gpus=self._gpus,
        )
        yield from answers.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)


@contextmanager
def open_ray(bundle: Bundle, store: Path, options: Options, cluster: Cluster) -> Iterator[RayEngine]:
    """Connect to a cluster, or start one here, for the time of the block.

    Args:
        store: that `bundle` was opened from; every node must see the same folder under this name.

    Raises:
        ClusterError: no cluster at this address, or one of other versions.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # an offline client reports to nobody
    with redirect_stdout(sys.stderr):  # where Ray tells of dead workers, to the last moment
        _connect(cluster.address)
        try:
            _settle()
            verified = bundle.verified
            charge = Charge(str(store.absolute()), verified.manifest.sequence, verified.digest, options)
            yield RayEngine(charge, cluster)
        finally:
            ray.shutdown()


def _connect(address: str | None) -> None:
    here = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"} if address is None else {}
    try:
        if address is not None and ":" in address:
            _knock(*address.rsplit(":", 1))
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **here)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise ClusterError(f"--ray-address {address}: expected a Ray cluster, got none: {error}") from error


def _knock(host: str, port: str) -> None:
    socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()


class _Source(ray.data.Datasource):  # type: ignore[misc]  # Ray's types are not read
    """The parcels of a queue, in one task beside the driver. They are there once: a second task finds the first ones gone."""

    supports_distributed_reads = False

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self._queue = queue

    def estimate_inmemory_data_size(self) -> int | None:
        """Unknown: the items are a stream."""
        return None

    def get_read_tasks(self, *_: Any, **__: Any) -> list[ray.data.ReadTask]:
        """Return the one task."""
        queue = self._queue

        def read() -> Iterator[pa.Table]:
            expected = 0
            while (parcel := queue.get()) is not _END:
                if parcel["number"][0].as_py() != expected:
                    raise RuntimeError("the source was started again, and what it sent before is lost")
                yield parcel
                expected += 1

        return [ray.data.ReadTask(read, BlockMetadata(None, None, None, None))]


def _settle() -> None:
    """Set Ray Data to keep order, to leave every parcel a table of its own, and to print nothing."""
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.target_min_block_size, context.target_max_block_size = 0, 1  # bytes: a row is never split
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    warnings.filterwarnings(
        "ignore", message="The minimum number of concurrent actors"
    )  # it counts tasks, and ours is a stream


def _put_next(queue: Queue, parcels: Iterator[pa.Table]) -> bool:
    """Put the next parcel in, or say that there was none; after the last, the end."""
    parcel = next(parcels, _END)
    queue.put(parcel)
    return parcel is not _END


def _verify_number(number: int, expected: int) -> None:
    if number != expected:
        raise ClusterError(f"the cluster lost parcels: expected number {expected}, got {number}. {_GO_ON}")
