"""Cells to records, several at a time: one single-threaded process for each chain of cells that share weights.

On small networks two processes of one thread do more than one process of two, and they bear a busy machine better.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from benchmarks.paper.cells import Cell, Chain, list_cells
from benchmarks.paper.config import HERE, WORK, Config, read_config
from benchmarks.paper.images import ImageSet
from benchmarks.paper.records import add_record, read_records
from benchmarks.paper.testing import build_record
from benchmarks.paper.training import Trainer
from manyheads_shared.compute import choose_compute


def work_off(cells: Sequence[Cell], config: Config, *, workers: int) -> None:
    """Train and test cells; what is done is recorded at once.

    Raises:
        subprocess.CalledProcessError: a process failed; its log says why.
    """
    chains = list(dict.fromkeys(cell.chain for cell in cells))
    wanted = {chain: [cell.name for cell in cells if cell.chain == chain] for chain in chains}
    logs = WORK / "logs"
    logs.mkdir(parents=True, exist_ok=True)

    def run(chain: Chain) -> None:
        began = time.monotonic()
        with (logs / f"{chain.name}.log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.paper.work", *wanted[chain]],
                check=True, cwd=HERE.parents[1], stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        print(f"{chain.name}: {len(wanted[chain])} cells, {time.monotonic() - began:.0f} s", flush=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, chains))


def main(names: Sequence[str]) -> None:
    """Work off the cells named, all of one chain, in this process."""
    torch.set_num_threads(1)
    config = read_config()
    trainers: dict[str, Trainer] = {}
    done = read_records(config)
    for cell in list_cells(config):
        if cell.name in names and cell not in done:
            trainer = trainers.setdefault(
                cell.images, Trainer(config, ImageSet(cell.images, config), choose_compute("cpu", "auto"))
            )
            began = time.monotonic()
            add_record(build_record(cell, trainer))
            print(f"{cell.name}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
