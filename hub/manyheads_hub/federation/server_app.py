"""Flower's ServerApp: the coordinator's exchange with parties over Flower's grid. Message API only.

It runs where the SuperLink does, in a process that Flower starts; the run's configuration names the training's folder and key.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

from manyheads_hub.federation.coordinator import Task, run_federation
from manyheads_hub.federation.folder import FederationFolder
from manyheads_shared.architectures import Shape
from manyheads_shared.artifact import Tensors
from manyheads_shared.errors import UsageError
from manyheads_shared.federation import messages
from manyheads_shared.federation.plan import Plan
from manyheads_shared.federation.tensors import declared_shapes
from manyheads_shared.federation.update import Received
from manyheads_shared.keys import read_private_key
from manyheads_shared.passphrase import read_passphrase

log = logging.getLogger("flwr.manyheads")  # below Flower's: its lines reach whoever streams the run's log

POLL_SECONDS = 1.0  # between looks at who is there
MAX_HEADER_BYTES = 256  # of one array as numpy saves it

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the training that the run's configuration names."""
    folder, key = (str(context.run_config.get(name, "")) for name in (messages.FOLDER, messages.KEY))
    if not folder or not key:
        raise UsageError("expected folder=… and key=… in --run-config, as `federate prepare` prints them")
    signer = read_private_key(Path(key), read_passphrase())
    run_federation(FederationFolder(Path(folder)), FlowerExchange(grid), signer, say=log.info)


class FlowerExchange:
    """Parties over Flower's grid."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    def train(self, task: Task) -> Sequence[Received]:
        """See `Exchange`."""
        return self._ask(messages.TRAIN, task)

    def measure(self, task: Task) -> Sequence[Received]:
        """See `Exchange`."""
        return self._ask(messages.MEASURE, task)

    def _ask(self, kind: str, task: Task) -> list[Received]:
        plan = task.plan
        ends = time.monotonic() + plan.round_seconds
        nodes = self._wait_for_parties(plan, ends)
        content = RecordDict(
            {
                messages.TRAINING: ConfigRecord(
                    {messages.OPENING: task.opening, messages.LINE: task.line, messages.ROUND: task.round}
                ),
                messages.WEIGHTS: pack(task.tensors),
            }
        )
        seconds = max(1.0, ends - time.monotonic())
        sent = [Message(content, dst_node_id=int(n), message_type=kind, ttl=seconds, group_id=str(task.round)) for n in nodes]
        return [unpack_reply(reply, plan) for reply in self._grid.send_and_receive(sent, timeout=seconds)]

    def _wait_for_parties(self, plan: Plan, ends: float) -> list[str]:
        """Nodes of the plan that are there: all of them, or after half of the round's time at least the quorum.

        Flower hands a run to every node it knows; only those of the plan are asked.
        """
        wanted = [party.node for party in plan.parties]
        patience = ends - plan.round_seconds / 2
        while True:
            there = {str(node) for node in self._grid.get_node_ids()}
            present = [node for node in wanted if node in there]
            late = time.monotonic() > patience
            if len(present) == len(wanted) or (late and (len(present) >= plan.quorum or time.monotonic() > ends)):
                return present
            time.sleep(POLL_SECONDS)


def pack(tensors: Tensors) -> ArrayRecord:
    """Tensors as Flower carries them."""
    return ArrayRecord({name: Array(np.ascontiguousarray(tensor)) for name, tensor in tensors.items()})


def unpack_reply(reply: Message, plan: Plan) -> Received:
    """A reply as the firewall reads it; whatever cannot be read is an error of its node."""
    node = str(reply.metadata.src_node_id)
    if reply.has_error():
        return Received(node, error=f"the node failed: {reply.error.reason or reply.error.code}")
    try:
        training = reply.content[messages.TRAINING]
        figures = reply.content[messages.FIGURES]
        weights, statistics = (reply.content.get(name, ArrayRecord()) for name in (messages.WEIGHTS, messages.STATISTICS))
        assert isinstance(training, ConfigRecord) and isinstance(figures, MetricRecord)  # noqa: PT018
        assert isinstance(weights, ArrayRecord) and isinstance(statistics, ArrayRecord)  # noqa: PT018
        declared = declared_shapes(plan)
        return Received(
            node=node,
            opening=training.get(messages.OPENING),
            round=training.get(messages.ROUND),
            examples=figures.get(messages.EXAMPLES),
            loss=figures.get(messages.LOSS),
            weights=unpack(weights, declared[0]),
            statistics=unpack(statistics, declared[1]),
        )
    except Exception as error:  # a hostile reply may break any of it, and costs its sender the round alone
        return Received(node, unreadable=f"the reply cannot be read: {error!r}"[:300])


def unpack(record: ArrayRecord, declared: Mapping[str, Shape]) -> dict[str, NDArray[np.generic]]:
    """Arrays out of Flower's record; nothing is allocated on a sender's word.

    Raises:
        ValueError: an array is larger than any declared one, or not as numpy saves it.
    """
    most = max(4 * int(np.prod(shape)) for shape in declared.values()) + MAX_HEADER_BYTES
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, array in record.items():
        if len(arrays) > len(declared):
            break  # one too many already: the firewall says so
        if len(array.data) > most:
            raise ValueError(f"{name[:80]} has {len(array.data)} bytes, more than any declared tensor")
        stream = BytesIO(array.data)
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError(f"{name[:80]}: expected numpy's format 1.0")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=MAX_HEADER_BYTES)
        body = array.data[stream.tell() :]
        if dtype.hasobject or int(np.prod(shape, dtype=np.float64)) * dtype.itemsize != len(body):
            raise ValueError(f"{name[:80]}: its header promises {dtype} {shape}, there are {len(body)} bytes")
        flat = np.frombuffer(body, dtype=dtype)
        arrays[name] = flat.reshape(shape, order="F" if fortran else "C")
    return arrays
