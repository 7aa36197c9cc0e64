"""The many-head engine against what it replaces: separate networks, one loop over the heads, and what the arithmetic allows.

Everything is timed in turn, so ratios hold on a busy machine too. Untrained weights: they cost what trained ones do. Writes
`results/engine.json` and `results/engine.md`. `--quick` tries everything out on a few heads and keeps no results.
"""

import json
import multiprocessing
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from manyheads_shared import clock
from manyheads_shared.architectures import ARCHITECTURES
from manyheads_shared.compute import Compute, choose_compute, multiplies_bfloat16
from manyheads_shared.engine.executors import Executor, Folded, Separate
from manyheads_shared.engine.tuning import Tuning
from manyheads_shared.files import write_atomic
from manyheads_shared.networks import build_head, build_primary
from manyheads_shared.scoring import Scorer
from tests.support.makers import make_generator, make_head, make_primary

RESULTS = Path(__file__).parent / "results"
ARCHITECTURE = ARCHITECTURES["khoo2022-pixel"]
SIZE = 128  # pixels a side
MAPS = (ARCHITECTURE.maps_size(SIZE),) * 2
ROUNDS = 7  # of everything in turn; medians count

Work = Callable[[], object]


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and write the tables."""
    quick = "--quick" in arguments
    heads, slopes, most = (4, (1, 4), 8) if quick else (128, (1, 16, 128, 512), 1000)
    found: dict[str, Any] = {"date": clock.now()[:10], "hardware": hardware(), "command": "python -m benchmarks.engine"}
    found["batch"] = measure_ways(32, heads)
    found["single"] = measure_ways(1, heads)
    found["slope"] = [measure_slope(count) for count in slopes]
    found["memory"] = measure_memory(most)
    text = render(found)
    print(text)
    if not quick:
        write_atomic(RESULTS / "engine.json", (json.dumps(found, indent=1) + "\n").encode())
        write_atomic(RESULTS / "engine.md", text.encode())


def measure_ways(images: int, heads: int) -> dict[str, Any]:
    """Seconds for images and heads in every way there is."""
    float32 = choose_compute("auto", "float32")
    primary = build_primary(ARCHITECTURE, SIZE, seed=0).eval().to(float32.device)
    networks = [build_head(ARCHITECTURE, SIZE, seed=i).eval().to(float32.device) for i in range(heads)]
    for network in (primary, *networks):
        network.to(memory_format=torch.channels_last)
    batch = torch.rand(images, 3, SIZE, SIZE, device=float32.device).contiguous(memory_format=torch.channels_last)
    macs = images * (ARCHITECTURE.trunk_macs(SIZE) + heads * ARCHITECTURE.head_macs(SIZE))

    def separately() -> Tensor:  # a trunk of its own for every head: what a scan with separate networks would run
        return torch.stack([head(primary.trunk(batch)) for head in networks], dim=1)

    def on_one_trunk(executor: Executor) -> Work:
        return lambda: executor.logits(executor.features(batch))

    ways: dict[str, Work] = {
        "separate networks, float32": separately,
        "a loop over the heads, float32": on_one_trunk(Separate(primary.trunk, networks, float32)),
        "folded, float32": on_one_trunk(Folded(primary.trunk, networks, float32, MAPS, Tuning())),
    }
    if multiplies_bfloat16(float32.device):
        bfloat16 = Compute(float32.device, "bfloat16")
        ways["a loop over the heads, bfloat16"] = on_one_trunk(Separate(primary.trunk, networks, bfloat16))
        ways["folded, bfloat16"] = on_one_trunk(Folded(primary.trunk, networks, bfloat16, MAPS, Tuning()))
    seconds = time_in_turn({**ways, "bound": _large_convolution(float32.device)})
    bound = LARGE_MACS / seconds.pop("bound")  # multiply-accumulates a second
    return {"images": images, "heads": heads, "macs": macs, "bound_macs_a_second": bound, "seconds": seconds}


LARGE_MACS = 32 * 32 * 32 * 64 * 64 * 9


def _large_convolution(device: torch.device) -> Work:
    """A convolution of a shape that libraries are tuned for, float32: what arithmetic this machine does at its best."""
    maps = torch.rand(32, 64, 32, 32, device=device).contiguous(memory_format=torch.channels_last)
    weight = torch.rand(64, 64, 3, 3, device=device).contiguous(memory_format=torch.channels_last)
    return lambda: functional.conv2d(maps, weight, None, 1, 1)


@torch.inference_mode()
def time_in_turn(ways: dict[str, Work]) -> dict[str, float]:
    """Median seconds of each, all in turn, after once to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for timed in range(ROUNDS + 1):
        for name, work in ways.items():
            began = time.perf_counter()
            work()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if timed:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(times) for name, times in seconds.items()}


def measure_slope(heads: int) -> dict[str, Any]:
    """Seconds of the heads alone, beside those of as many multiply-accumulates at this machine's best."""
    compute = choose_compute("auto", "float32")
    networks = [build_head(ARCHITECTURE, SIZE, seed=i).eval().to(compute.device) for i in range(heads)]
    size = ARCHITECTURE.feature_size(SIZE)
    features = torch.rand(32, ARCHITECTURE.feature_channels, size, size, device=compute.device)
    features = features.contiguous(memory_format=torch.channels_last)
    folded = Folded(build_primary(ARCHITECTURE, SIZE, seed=0).eval().trunk, networks, compute, MAPS, Tuning())
    seconds = time_in_turn({"heads": lambda: folded.logits(features), "bound": _large_convolution(compute.device)})
    ideal = 32 * heads * ARCHITECTURE.head_macs(SIZE) * seconds["bound"] / LARGE_MACS
    return {"heads": heads, "seconds": seconds["heads"], "ideal_seconds": ideal}


def measure_memory(heads: int) -> dict[str, Any]:
    """What a process of its own holds at most, to score a batch of 32 with so many heads read from artifacts."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return {"heads": heads, "peak_bytes": pool.apply(_peak, (heads,))}


def _peak(heads: int) -> int:
    primary = make_primary(size=SIZE)
    artifacts = [make_head(primary, make_generator(f"g{i}"), seed=i) for i in range(heads)]
    scorer = Scorer(primary, artifacts, choose_compute("auto", "float32"), executor="folded")
    scorer.score([np.zeros((SIZE, SIZE, 3), np.uint8)] * 32)
    status = Path("/proc/self/status").read_text()  # getrusage also tells of the process that this one was forked from
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]  # Linux always has it


def render(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    memory = found["memory"]
    lines = [
        "# The many-head engine",
        "",
        f"`{found['command']}`, {found['date']}; {found['hardware']}. {ARCHITECTURE.name}, {SIZE} pixels. Everything in turn,",
        f"medians of {ROUNDS}; the bound is the arithmetic at the rate of a convolution of 64 to 64 channels, float32.",
        "",
    ]
    for title, part in (("A batch of images", found["batch"]), ("One image", found["single"])):
        slowest = max(part["seconds"].values())
        bound = part["macs"] / part["bound_macs_a_second"]
        rows = [
            (name, f"{part['images'] / took:.1f}", f"{slowest / took:.2f}", f"{100 * bound / took:.0f} %")
            for name, took in part["seconds"].items()
        ]
        lines += [
            f"## {title}: {part['images']} x {part['heads']} heads",
            "",
            *markdown_table(("way", "images a second", "times the slowest", "of the bound"), rows),
            "",
        ]
    rows = [
        (
            one["heads"],
            f"{one['seconds']:.3f}",
            f"{1e3 * one['seconds'] / one['heads']:.2f}",
            f"{one['seconds'] / one['ideal_seconds']:.2f}",
        )
        for one in found["slope"]
    ]
    return "\n".join(
        [
            *lines,
            "## Number of heads",
            "",
            "32 images on ready features, folded, float32.",
            "",
            *markdown_table(("heads", "seconds", "ms a head", "times the ideal"), rows),
            "",
            f"A process of {memory['heads']:,} heads that scores 32 images holds {memory['peak_bytes'] / 1e9:.2f} GB at most.",
            "",
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1:])
