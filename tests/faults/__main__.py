"""`python -m tests.faults`: the fault test of a whole hub, for as many minutes as one likes.

Exit code 0 when every invariant holds, 1 when one does not. Nothing is written outside a temporary folder, but for --write.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from manyheads_shared.files import write_atomic
from tests.faults.report import to_json, to_markdown, to_text
from tests.faults.run import LONG, SHORT, run_faults
from tests.support import grounds

SHORT_BELOW = 2.0  # minutes: a shorter run does not wait for leases to run out by themselves


def main() -> int:
    """Run, tell, and say whether everything holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="under load and kills [10]; below 2, pauses are cut short")
    parser.add_argument("--seed", type=int, default=None, help="of a run to be done again [the time]")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", type=Path, help="also write FILE.json and FILE.md")
    parser.add_argument("--keep", type=Path, help="run in this folder and leave it: logs, journals, stores")
    parser.epilog = "Example: python -m tests.faults --minutes 0.5 --seed 7 --keep runs/faults"
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends every server in order
    seed = time.time_ns() % 1_000_000 if given.seed is None else given.seed
    with tempfile.TemporaryDirectory(prefix="manyheads-faults-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        pace = SHORT if given.minutes < SHORT_BELOW else LONG
        with grounds.servers:
            outcome = run_faults(folder, seed=seed, minutes=given.minutes, pace=pace, tell=_tell)
    told = to_json(outcome)
    if given.write:
        write_atomic(given.write.with_suffix(".json"), (json.dumps(told, indent=2) + "\n").encode())
        write_atomic(given.write.with_suffix(".md"), to_markdown(outcome).encode())
    sys.stdout.write((json.dumps(told, indent=2) if given.json else to_text(outcome)) + "\n")
    return 0 if outcome.holds else 1


def _tell(words: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {words}\n")


if __name__ == "__main__":
    sys.exit(main())
