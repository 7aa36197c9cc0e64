"""`python -m benchmarks [NAME]…`: run the benchmarks that need no data beside the project; `--list` names them all.

Those on real images are apart: `python -m benchmarks.loop`, `python -m benchmarks.conditions`, `python -m benchmarks.upgrades`,
`benchmarks/paper/run`.
"""

import sys
from collections.abc import Callable, Sequence

from benchmarks import degradation_sheet, degradation_speed, engine, killed, scan, throughput

BENCHMARKS: dict[str, tuple[Callable[[], None], str]] = {
    "degradation-sheet": (degradation_sheet.main, "what each degradation profile does to a photograph"),
    "degradation-speed": (degradation_speed.main, "images a second, by degradation profile"),
    "engine": (engine.main, "many heads on one batch, by executor"),
    "killed": (killed.main, "the whole loop under random kills"),
    "scan": (scan.main, "a scan of large JPEGs, whole and stage by stage"),
    "throughput": (throughput.main, "images a second, by number of heads"),
}


def main(arguments: Sequence[str]) -> int:
    """Run what is named, or all."""
    if "--list" in arguments:
        for name, (_, what) in BENCHMARKS.items():
            print(f"{name:18} {what}")
        return 0
    unknown = [name for name in arguments if name not in BENCHMARKS]
    if unknown:
        print(f"expected {', '.join(BENCHMARKS)}, got {', '.join(unknown)}", file=sys.stderr)
        return 2
    for name in arguments or BENCHMARKS:
        BENCHMARKS[name][0]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
