"""Write golden files, once: `python -m tests.golden.write trust`. It never overwrites.

The tests beside read the files for ever; they never write them. A new version of a format gets a writer in `writers`, named
here, which puts it into the folder of that version.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from tests.golden.writers.bundle import write_bundle
from tests.golden.writers.calibrations import write_bounds, write_worth
from tests.golden.writers.evidence import write_case, write_evidence
from tests.golden.writers.federation import write_federation, write_trust
from tests.golden.writers.ledger import write_ledger
from tests.golden.writers.pack import write_golden_pack
from tests.golden.writers.upgrade import write_upgrade

FOLDER = Path(__file__).parent
WRITERS: dict[str, Callable[[Path], None]] = {  # in this order: later ones read what earlier ones wrote
    "bundle": write_bundle,
    "ledger": write_ledger,
    "pack": write_golden_pack,
    "evidence": write_evidence,
    "case": write_case,
    "worth": write_worth,
    "bounds": write_bounds,
    "federation": write_federation,
    "trust": write_trust,
    "upgrade": write_upgrade,
}

if __name__ == "__main__":
    WRITERS[sys.argv[1]](FOLDER)
