"""Run the benchmark, or what is left of it: `python -m benchmarks.federation --data ../shared/data/faces64`.

Every training's figures are kept in `runs/federation`; a run that was stopped goes on with the next training. After each one
the results are written again, with what was not reached. `--part 1/2` and `--part 2/2` share the work between two processes.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.federation.data import OWNERS, PUBLIC, read_world
from benchmarks.federation.report import render
from benchmarks.federation.trial import SETTINGS, Trial, run_trial
from benchmarks.machine import hardware
from manyheads_shared import clock
from manyheads_shared.files import write_atomic

RESULTS = Path(__file__).resolve().parents[1] / "results"
WORK = Path("runs/federation")
STRATEGIES = ("fedavg", "trimmed-mean", "median", "multi-krum", "fedprox", "fedadam", "krum", "bulyan")
RECOMMENDED = "trimmed-mean"
WEIGHTED = ("label flip", "sign flip", "scaling", "NaN", "backdoor", "free rider")
COUNTS = ("lying count", "absurd count")  # label flips that count for more: of no use where shares are equal
LONG = 400  # rounds: what it takes to come near central training


def trials() -> Iterator[Trial]:
    """Every training, the most telling first."""
    yield from (Trial("central"), Trial("central-large-batch"))
    yield from (Trial(strategy) for strategy in STRATEGIES[:4])
    yield from (Trial("trust", attack, 3, public=True) for attack in ("sign flip", "backdoor", "label flip"))
    yield from (Trial(strategy, public=True) for strategy in ("trust", "fedavg"))
    yield Trial("public-alone")
    yield Trial("trust", "sign flip", 3, public=True, rounds=LONG)
    yield from (Trial(strategy, rounds=LONG) for strategy in ("central", "fedavg"))
    yield from (Trial(RECOMMENDED, attack, 3) for attack in WEIGHTED)
    yield from (Trial(RECOMMENDED, attack, 1) for attack in ("label flip", "sign flip", "NaN", "backdoor"))
    yield from (Trial(RECOMMENDED, attack, 3, mixed=True) for attack in ("label flip", "sign flip"))
    yield Trial(RECOMMENDED, mixed=True)
    yield from (Trial("fedavg", attack, 3) for attack in WEIGHTED)
    yield from (Trial("fedavg", attack, 3, weighting="examples") for attack in COUNTS)
    yield from (Trial(RECOMMENDED, attack, 2) for attack in WEIGHTED)
    yield from (Trial(strategy) for strategy in STRATEGIES[4:])
    yield Trial(RECOMMENDED, rounds=LONG)
    yield from (Trial(RECOMMENDED, attack, 3, rounds=LONG) for attack in WEIGHTED)
    yield from (Trial(strategy, attack, 2) for strategy in ("median", "multi-krum", "krum") for attack in WEIGHTED)
    yield from (Trial("bulyan", attack, 1) for attack in WEIGHTED)
    for seed in (1, 2):
        yield from (Trial(strategy, seed=seed) for strategy in ("central", "central-large-batch", "fedavg", RECOMMENDED))


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--part", default="1/1", help="I/N: this process trains every N-th, beginning with the I-th")
    parser.add_argument("--images", type=int, default=400, help="of each owner, half of them real")
    chosen = parser.parse_args()
    if not chosen.data.is_dir():
        print(f"skipped: the real images are not part of the project; expected them in {chosen.data}")
        return
    torch.set_num_threads(1)
    index, count = (int(number) for number in chosen.part.split("/"))
    worlds = {mixed: read_world(chosen.data, chosen.work, chosen.images, mixed=mixed) for mixed in (False, True)}
    wanted = list(trials())
    for trial in wanted[index - 1 :: count]:
        kept = chosen.work / "results" / f"{trial.title}.json"
        if not kept.exists():
            shutil.rmtree(chosen.work / trial.title, ignore_errors=True)
            value = run_trial(trial, worlds[trial.mixed], chosen.work)
            write_atomic(kept, (json.dumps(value, indent=1) + "\n").encode())
            shutil.rmtree(chosen.work / trial.title, ignore_errors=True)
            print(trial.title, value.get("auroc"), value.get("auroc_backdoored"), value["seconds"], flush=True)
        write_results(chosen.work, wanted, chosen.images, worlds[False].generators)


def write_results(work: Path, wanted: list[Trial], images: int, generators: tuple[str, ...]) -> None:
    """Write what there is."""
    kept = {trial.title: work / "results" / f"{trial.title}.json" for trial in wanted}
    value: dict[str, Any] = {
        "date": clock.now()[:10],
        "hardware": hardware(),
        "owners": OWNERS,
        "images_of_an_owner": images,
        "public": PUBLIC,
        "generators": generators,
        "settings": SETTINGS,
        "recommended": RECOMMENDED,
        "missing": [title for title, path in kept.items() if not path.exists()],
        "trials": [json.loads(path.read_bytes()) for path in kept.values() if path.exists()],
    }
    write_atomic(RESULTS / "federation.json", (json.dumps(value, indent=1) + "\n").encode())
    write_atomic(RESULTS / "federation.md", render(value).encode())


if __name__ == "__main__":
    main()
