"""Images a second on one core, by degradation profile and image size. Writes `results/degradation-speed.md`."""

import time
from pathlib import Path

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from manyheads_shared import clock
from manyheads_shared.degradations import PROFILES, degrade
from manyheads_shared.digest import digest_bytes
from manyheads_shared.files import write_atomic
from tests.support.pictures import draw_pictures

SIZES = (64, 128)  # pixels a side, of faces64 and faces128
SECONDS = 1.0  # measured for each cell
PICTURES = 64


def main() -> None:
    """Measure and write the table."""
    rows = []
    for profile in PROFILES:
        row = [f"{measure(profile, size):.0f}" for size in SIZES]
        print(f"{profile:24} {', '.join(f'{rate} at {size} px' for rate, size in zip(row, SIZES, strict=True))}")
        rows.append((f"`{profile}`", *row))
    lines = [
        "# Images a second through each degradation profile",
        "",
        f"`python -m benchmarks degradation-speed`, {clock.now()[:10]}; {hardware()}; one thread.",
        "",
        *markdown_table(("profile", *(f"{size} px" for size in SIZES)), rows),
        "",
    ]
    write_atomic(Path(__file__).parent / "results" / "degradation-speed.md", "\n".join(lines).encode())


def measure(profile: str, size: int) -> float:
    """Images a second; the draws differ from image to image."""
    pictures = draw_pictures(PICTURES, size=size)
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        degrade(pictures[done % PICTURES], profile, seed=0, digest=digest_bytes(str(done).encode()))
        done += 1
    return done / (time.perf_counter() - started)
