"""Old heads under a new primary, way by way: `python -m benchmarks.upgrades --data ../shared/data/faces64`.

An earlier primary learned photographs and two public generators, and four heads stand on it: two of these generators', two of
generators whose images only their owners have. A new primary learns two generators more. What becomes of the four heads, and
how much does the new primary gain? What is trained is kept below runs/upgrades, so a killed run goes on. The result is
`benchmarks/results/upgrades.{json,md}`.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import hardware
from benchmarks.upgrades.figures import Measure
from benchmarks.upgrades.page import render
from benchmarks.upgrades.roles import LIMITS, NEW, PRIVATE, PUBLIC, read_images
from benchmarks.upgrades.ways import ADAPTER_STEPS, HEAD_EPOCHS, PRIMARY_EPOCHS, World
from manyheads_shared import clock
from manyheads_shared.compute import choose_compute
from manyheads_shared.files import write_atomic
from manyheads_shared.networks import Primary

RESULTS = Path(__file__).resolve().parents[1] / "results"
ADAPTERS = ("1x1", "3x3")


def main(arguments: Sequence[str]) -> int:
    """Train and measure every way for each seed, and write what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upgrades", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder faces64")
    parser.add_argument("--work", type=Path, default=Path("runs/upgrades"), help="where networks are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    chosen = parser.parse_args(arguments)
    if not chosen.data.is_dir():
        print("skipped: the real images are not part of the project; name their folder with --data")
        return 0
    torch.set_num_threads(1)  # the same sums on every machine
    chosen.work.mkdir(parents=True, exist_ok=True)
    images, began = read_images(chosen.data, chosen.work), time.monotonic()
    seeds = {}
    for seed in chosen.seeds:
        folder = chosen.work / f"seed-{seed}"
        folder.mkdir(exist_ok=True)
        seeds[str(seed)] = measure_seed(World(images, seed, choose_compute("cpu", "float32"), folder))
        value = {
            "command": "python -m benchmarks.upgrades --data faces64",
            "date": clock.now()[:10],
            "hardware": hardware(),
            "seconds_this_time": round(time.monotonic() - began),
            "images": LIMITS,
            "roles": {"public": PUBLIC, "new": NEW, "private": PRIVATE},
            "epochs": {"primary": PRIMARY_EPOCHS, "head": HEAD_EPOCHS},
            "adapter_steps": ADAPTER_STEPS,
            "seeds": seeds,
        }
        write_atomic(RESULTS / "upgrades.json", (json.dumps(value, indent=1) + "\n").encode())
        write_atomic(RESULTS / "upgrades.md", render(value).encode())
    return 0


def measure_seed(world: World) -> dict[str, Any]:
    """Every way of one seed."""
    measure, found = Measure(world), {}
    primaries: dict[str, Callable[[], Primary]] = {
        "earlier": world.earlier,
        "same-trunk": world.same_trunk,
        "compatible-0.1-heads": lambda: world.compatible(0.1, with_heads=True),
        "unconstrained": world.unconstrained,
        "continued": world.continued,
        "compatible-1-heads": lambda: world.compatible(1.0, with_heads=True),
        "compatible-0.1": lambda: world.compatible(0.1, with_heads=False),
    }
    for name, train in primaries.items():
        primary = train()
        found[name] = {
            "detector": measure.detector(name, primary),
            "old_heads": measure.old_heads(name, primary),
            "new_heads": measure.new_heads(name, primary),
        }
        if name in ("unconstrained", "continued"):
            for kind in ADAPTERS:
                adapter = world.adapter(kind, name, primary, list(measure.heads.values()))
                found[f"{name}, adapter {kind}"] = found[name] | {"old_heads": measure.old_heads(name, primary, adapter)}
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
