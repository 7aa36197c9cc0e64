"""Images a second from decoded pixels to logits, by image size and number of heads: one trunk pass, whatever the heads.

Untrained weights: they cost what trained ones do. Writes `results/throughput.md`.
"""

import time
from pathlib import Path

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from manyheads_shared import clock
from manyheads_shared.compute import choose_compute
from manyheads_shared.files import write_atomic
from manyheads_shared.scoring import Scorer
from tests.support.makers import make_generator, make_head, make_images, make_primary

SIZES = (64, 128, 256)  # pixels a side
HEADS = (0, 1, 10, 100)
BATCH = 64  # images
SECONDS = 3.0  # measured for each cell, after one batch to warm up


def main() -> None:
    """Measure and write the table."""
    rows = []
    for size in SIZES:
        row = [f"{measure(size, heads):.0f}" for heads in HEADS]
        print(f"{size} px: {', '.join(f'{rate} with {heads}' for rate, heads in zip(row, HEADS, strict=True))} heads")
        rows.append((f"{size} px", *row))
    compute = choose_compute()
    lines = [
        "# Images a second, decoded pixels to logits",
        "",
        f"`python -m benchmarks throughput`, {clock.now()[:10]}; {hardware()}; {compute.precision}, batches of {BATCH}.",
        "",
        *markdown_table(("image size", *(f"{heads} heads" for heads in HEADS)), rows),
        "",
    ]
    write_atomic(Path(__file__).parent / "results" / "throughput.md", "\n".join(lines).encode())


def measure(size: int, heads: int) -> float:
    """Images a second with so many heads."""
    primary = make_primary(size=size)
    artifacts = [make_head(primary, make_generator(f"g{i}"), seed=i) for i in range(heads)]
    scorer, images = Scorer(primary, artifacts, choose_compute()), make_images(BATCH, size=size)
    scorer.score(images)
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        scorer.score(images)
        done += BATCH
    return done / (time.perf_counter() - started)
