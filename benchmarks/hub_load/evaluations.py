"""What the worker takes: one evaluation and one publication, by the heads in the catalogue. In one process, loaded."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.hub_load.hubs import growing
from benchmarks.hub_load.planting import Orchard
from manyheads_hub.evaluations.worker import Worker
from manyheads_hub.hub import Hub
from tests.support.live_hub import enrol, find, package, submit
from tests.support.makers import SIZE, make_generator


def measure_evaluations(folder: Path, sizes: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Measure at each size of the catalogue, in a hub whose heads have proof images that are there."""
    with growing(folder) as (hub, orchard):
        ada = enrol(hub, "ada", ["alpha"])
        for version, heads in enumerate(sizes, 1):
            yield _measure(hub, orchard, heads, submit(hub, ada, package(ada, make_generator(version=str(version)))))


def _measure(hub: Hub, orchard: Orchard, heads: int, submission: str) -> dict[str, Any]:
    orchard.grow(heads, with_proofs=True)
    worker, began = Worker(hub), time.perf_counter()
    assert worker.run_once("evaluate")
    evaluated = time.perf_counter()
    assert worker.run_once("publish")
    published = time.perf_counter()
    info = find(hub, submission)
    return {
        "heads": heads,
        "image_size": SIZE,
        "decision": info.state,
        "reasons": [reason.code for reason in info.reasons],
        "evaluation_seconds": round(evaluated - began, 2),
        "publication_seconds": round(published - evaluated, 2),
        "bundle": info.bundle_sequence,
    }
