"""A coordinator and many parties in one process: what a round costs it, with stragglers and parties that come and go.

`python -m benchmarks.federation.scale` writes `benchmarks/results/federation-scale.{json,md}`. The parties do not train: each
sends the weights it was sent with a little noise, through Flower's messages and the real ServerApp, so that what is measured is
the coordinator's side alone.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from manyheads_hub.federation.folder import FederationFolder
from manyheads_hub.federation.plan_file import DEFAULTS, build_plan, preprocessing_of
from manyheads_hub.federation.server_app import app
from manyheads_shared import clock
from manyheads_shared.architectures import get_architecture
from manyheads_shared.artifact import primary_tensors
from manyheads_shared.digest import Digest
from manyheads_shared.federation import messages
from manyheads_shared.federation.record import Round, write_opening
from manyheads_shared.federation.strategy import COORDINATE_WISE
from manyheads_shared.federation.tensors import is_statistic
from manyheads_shared.files import write_atomic
from manyheads_shared.keys import make_key_files, read_private_key
from tests.support.in_process_grid import InProcessGrid, InProcessNode, server_context

RESULTS = Path(__file__).resolve().parents[1] / "results"
SIZES = (10, 100, 1000)
STRATEGIES = ("fedavg", "trimmed-mean", "multi-krum", "bulyan")
ROUNDS = 4
ABSENT = 0.1  # share of parties that are not there when a round begins
SILENT = 0.1  # share of those there that answer too late


@dataclass(frozen=True)
class Measured:
    """What a training of so many parties cost the coordinator."""

    parties: int
    strategy: str
    seconds_round: float  # of a processor, mean over rounds, without what the parties' side of this process takes
    peak_mib: float  # beyond what the process had before; the parties' side and all messages are in it
    record_bytes_round: int
    accepted: float  # mean share
    update_bytes: int  # of one update as it travels


def measure(parties: int, strategy: str) -> Measured:
    """Run a training of parties that come, go and lag."""
    with TemporaryDirectory() as scratch:
        folder, random = Path(scratch), np.random.default_rng(0)
        key = make_key_files(folder / "maintainer.pem").private
        training = FederationFolder(folder / "training")
        values: dict[str, Any] = DEFAULTS | {
            "name": "scale",
            "version": "1",
            "rounds": ROUNDS,
            "image_size": 32,
            "privacy": None,
        }
        faulty = max(1, parties // 10) if strategy in COORDINATE_WISE else 0
        values |= {"strategy": strategy, "faulty_parties": faulty, "influence_cap": 1.0, "round_seconds": 2}
        values |= {"quorum": parties // 2}
        values |= {"parties": [{"name": f"p{i}", "node": str(i + 1), "max_examples": 900} for i in range(parties)]}
        preprocessing = preprocessing_of(values)
        shapes = primary_tensors(get_architecture(values["architecture"]), preprocessing.image_size)
        initial = {name: np.abs(random.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}
        plan = build_plan(values, preprocessing, initial)
        training.create(write_opening(plan, read_private_key(key)), initial)
        clients = _Parties(random, training.read().opening.digest)
        grid = InProcessGrid(
            {i + 1: InProcessNode(_context(i + 1), clients.answer, random.random() > ABSENT) for i in range(parties)}
        )
        before = _resident()
        began = time.process_time()
        app(grid, server_context(**{messages.FOLDER: training.path, messages.KEY: key}))
        taken = time.process_time() - began - clients.seconds
        record, size = training.read(), training.record.stat().st_size
        return Measured(
            parties=parties,
            strategy=strategy,
            seconds_round=round(taken / (ROUNDS + 1), 3),
            peak_mib=round(_resident() - before),
            record_bytes_round=size // (ROUNDS + 2),
            accepted=round(float(np.mean([_accepted(entry) for entry in record.rounds])), 3),
            update_bytes=clients.update_bytes,
        )


class _Parties:
    """All parties' side of the process, and the time it takes."""

    def __init__(self, random: np.random.Generator, opening: Digest) -> None:
        self._random, self._opening = random, opening
        self.seconds, self.update_bytes = 0.0, 0

    def answer(self, message: Message, context: Context) -> Message | None:  # noqa: ARG002
        began = time.process_time()
        try:
            return self._answer(message)
        finally:
            self.seconds += time.process_time() - began

    def _answer(self, message: Message) -> Message | None:
        training = message.metadata.message_type == messages.TRAIN
        if training and self._random.random() < SILENT:
            return None
        arrays = {
            n: a.numpy() for n, a in message.content.array_records[messages.WEIGHTS].items() if is_statistic(n) != training
        }
        noisy = {
            n: Array((a + self._random.normal(scale=1e-3, size=a.shape) ** 2).astype(np.float32)) for n, a in arrays.items()
        }
        self.update_bytes = max(self.update_bytes, sum(len(array.data) for array in noisy.values()))
        sent, empty = (messages.WEIGHTS, messages.STATISTICS) if training else (messages.STATISTICS, messages.WEIGHTS)
        number = message.content.config_records[messages.TRAINING][messages.ROUND]
        return Message(
            RecordDict(
                {
                    messages.TRAINING: ConfigRecord({messages.OPENING: self._opening, messages.ROUND: number}),
                    messages.FIGURES: MetricRecord({messages.EXAMPLES: 500, messages.LOSS: 0.5}),
                    sent: ArrayRecord(noisy),
                    empty: ArrayRecord(),
                }
            ),
            reply_to=message,
        )


def _context(node: int) -> Context:
    return Context(1, node, {}, RecordDict(), {})


def _resident() -> float:
    """The process's peak of memory so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _accepted(entry: Round) -> float:
    return sum(party.state == "accepted" for party in entry.parties) / len(entry.parties)


def main() -> None:
    """Measure every size and strategy, each in a process of its own: its peak of memory is then its own."""
    rows = []
    for strategy in STRATEGIES:
        for parties in (100,) if strategy == "bulyan" else SIZES:  # of 10 too few are left; of 1,000 it takes minutes
            command = [sys.executable, "-m", "benchmarks.federation.scale", str(parties), strategy]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(rows[-1], flush=True)
    value = {
        "date": clock.now()[:10],
        "hardware": hardware(),
        "rounds": ROUNDS,
        "absent": ABSENT,
        "silent": SILENT,
        "rows": rows,
    }
    write_atomic(RESULTS / "federation-scale.json", (json.dumps(value, indent=1) + "\n").encode())
    write_atomic(RESULTS / "federation-scale.md", render(value).encode())


def render(value: dict[str, Any]) -> str:
    """The results as a page of Markdown."""
    columns = (
        "parties",
        "strategy",
        "coordinator, processor seconds a round",
        "memory at most, MiB",
        "record, bytes a round",
        "accepted",
    )
    rows = [
        (
            r["parties"],
            r["strategy"],
            r["seconds_round"],
            r["peak_mib"],
            r["record_bytes_round"],
            f"{100 * r['accepted']:.0f} %",
        )
        for r in value["rows"]
    ]
    return "\n".join(
        [
            "# A coordinator of many parties",
            "",
            "`python -m benchmarks.federation.scale`",
            "",
            f"{value['date']}; {value['hardware']}. {value['rounds']} rounds and the measurement, in one process through",
            f"Flower's messages; {100 * value['absent']:.0f} % of the parties are not there, {100 * value['silent']:.0f} % of",
            f"the others answer too late in each round. An update is {value['rows'][0]['update_bytes']} bytes. Neither what",
            "parties do nor waiting for them is counted; memory is beyond what the process had before, all messages in it.",
            "",
            *markdown_table(columns, rows),
            "",
        ]
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(asdict(measure(int(sys.argv[1]), sys.argv[2]))))
    else:
        main()
