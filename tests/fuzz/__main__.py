"""`python -m tests.fuzz`: mutate what comes from outside until a reader breaks its promise, for as many minutes as one likes.

Each target runs in a process of its own, at low priority, as many at once as there are cores. What was found to reach new code
stays in runs/fuzz/TARGET/corpus, and the next run begins there; an input that breaks a promise is kept beside it.

Exit code 0 when every promise held, 1 when one did not.
"""

import argparse
import os
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.runner import FOLDER, Outcome, fuzz
from tests.fuzz.targets import TARGETS, get_target


def main() -> int:
    """Fuzz, or repeat one input, and say whether the promises held."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for each target [10]")
    parser.add_argument("--target", action="append", choices=TARGETS, help="only this one; may be given several times [all]")
    parser.add_argument("--seed", type=int, default=None, help="of the mutations [the time]")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where corpus and findings are kept [runs/fuzz]")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="check one input again; its folder names the target")
    parser.epilog = "Example: python -m tests.fuzz --minutes 0.5 --target image"
    given = parser.parse_args()
    if given.repeat:
        return _repeat(given.repeat)
    seed = time.time_ns() % 1_000_000 if given.seed is None else given.seed
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [
            pool.submit(fuzz, name, given.folder, seed=seed, seconds=round(given.minutes * 60))
            for name in given.target or TARGETS
        ]
        outcomes = [each.result() for each in running]
    for outcome in outcomes:
        sys.stdout.write(_tell(outcome) + "\n")
    return 0 if all(outcome.holds for outcome in outcomes) else 1


def _repeat(path: Path) -> int:
    try:
        get_target(path.resolve().parent.name).check(path.read_bytes())
    except Exception:  # whatever broke the promise
        traceback.print_exc()
        return 1
    sys.stdout.write(f"{path}: the promise holds\n")
    return 0


def _tell(outcome: Outcome) -> str:
    told = f"{outcome.target}: {outcome.executions} inputs, {outcome.corpus} of them in the corpus"
    if outcome.holds:
        return f"{told}; every promise held"
    repeats = "".join(f"\n  repeat it with: python -m tests.fuzz --repeat {path}" for path in outcome.findings)
    return f"{told}; A PROMISE WAS BROKEN{repeats}\n{outcome.tail}"


if __name__ == "__main__":
    sys.exit(main())
