"""A scan of large JPEGs on one machine, whole and stage by stage: `python -m benchmarks.scan [--data FOLDER] [--quick]`.

200 JPEGs of 1024 pixels at quality 90, cut from scikit-image's photographs and tiled from faces128 where it lies beside the
project; 128 untrained heads at 128 pixels, which cost what trained ones do. Every stage alone and the scan, all in turn, so
ratios hold on a busy machine too. Writes `results/scan.{json,md}`; `--quick` tries everything out and keeps no results.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import data

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from manyheads_client.bundle import Bundle
from manyheads_client.credentials import CredentialsReader
from manyheads_client.engines.local import LocalEngine
from manyheads_client.engines.port import Options
from manyheads_client.inputs import file_item
from manyheads_client.instrument import describe_instrument
from manyheads_client.item import describe_file
from manyheads_client.judgement import Judge
from manyheads_client.records import RecordFile
from manyheads_client.scan import scan
from manyheads_shared import clock
from manyheads_shared.bundle import verify_bundle
from manyheads_shared.compute import choose_compute
from manyheads_shared.dataset import scan_dataset
from manyheads_shared.estimates import estimate_condition
from manyheads_shared.files import write_atomic
from manyheads_shared.image import Pixels, decode_image, read_image, read_image_file
from manyheads_shared.preprocess import fit_image
from tests.support.makers import make_bundle, make_primary_bytes

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "faces128"
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "immunohistochemistry", "retina", "rocket")
SIDE = 1024  # pixels
QUALITY = 90
TILE = 128  # pixels a side of a face
SIZE = 128  # pixels a side that the networks see
BATCH = 64  # images
ROUNDS = 3  # of everything in turn; medians count

Work = Callable[[], object]
SCAN = "the scan"
DECODE, DECODE_TWICE = "decode, 1 thread", "decode, 2 threads"
DIGEST, FIT, CONDITION = "digests and metadata", "fit to the network's size", "condition"
SCORE, JUDGE = "score, batches of 64", "judge and spell the record"
SERIAL = (DECODE, DIGEST, FIT, CONDITION, SCORE, JUDGE)  # what a scan consists of, once each


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and write the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.scan", description=__doc__)
    options.add_argument("--data", type=Path, default=DATA, help="faces128, for tiles")
    options.add_argument("--quick", action="store_true", help="a few images and heads, once; keeps no results")
    given = options.parse_args(arguments)
    images, heads, rounds = (8, 4, 1) if given.quick else (200, 128, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        paths = write_photographs(Path(folder), images, given.data)
        found = {
            "date": clock.now()[:10],
            "hardware": hardware(),
            "threads": torch.get_num_threads(),
            "load": round(os.getloadavg()[0], 1),
            "command": "python -m benchmarks.scan",
            "images": images,
            "bytes": sum(path.stat().st_size for path in paths),
            "heads": heads,
            **measure(paths, heads, rounds),
        }
    text = render(found)
    print(text)
    if not given.quick:
        write_atomic(RESULTS / "scan.json", (json.dumps(found, indent=1) + "\n").encode())
        write_atomic(RESULTS / "scan.md", text.encode())


def write_photographs(folder: Path, count: int, faces: Path) -> list[Path]:
    """Write so many JPEGs, every other one a mosaic of faces where there are any."""
    draw = np.random.default_rng(0)
    photographs = [np.asarray(getattr(data, name)()) for name in PHOTOGRAPHS]
    tiles = [item.path for item in scan_dataset(faces).items] if faces.is_dir() else []
    paths = []
    for i in range(count):
        pixels = _mosaic(tiles, draw) if tiles and i % 2 else _crop(photographs[i // 2 % len(photographs)], draw)
        paths.append(path := folder / f"{i:03d}.jpg")
        Image.fromarray(pixels).save(path, quality=QUALITY)
    return paths


def _crop(photograph: Pixels, draw: np.random.Generator) -> Pixels:
    """A square part, at least two thirds of the shorter side, brought to size."""
    height, width = photograph.shape[:2]
    side = int(min(height, width) * draw.uniform(0.67, 1))
    top, left = draw.integers(0, height - side + 1), draw.integers(0, width - side + 1)
    part = Image.fromarray(photograph[top : top + side, left : left + side])
    return np.asarray(part.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _mosaic(tiles: Sequence[Path], draw: np.random.Generator) -> Pixels:
    each = SIDE // TILE
    chosen = [read_image(tiles[i]).pixels[:TILE, :TILE] for i in draw.choice(len(tiles), each * each)]
    return np.concatenate([np.concatenate(chosen[row * each : (row + 1) * each], axis=1) for row in range(each)])


def measure(paths: Sequence[Path], heads: int, rounds: int) -> dict[str, Any]:
    """Seconds of every stage and of the scan, and how busy the scan's threads were."""
    made = make_bundle([f"g{i}" for i in range(heads)], primary_bytes=make_primary_bytes(size=SIZE))
    bundle = Bundle(verify_bundle(made.data, made.read_object))
    ways = _stages(paths, bundle)
    busy: list[dict[str, float]] = []
    ways[SCAN] = lambda: busy.append(_scan(paths, bundle))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    return {
        "seconds": {name: median(times) for name, times in seconds.items()},
        "busy": {name: median(each[name] for each in busy) for name in busy[0]},
    }


def _stages(paths: Sequence[Path], bundle: Bundle) -> dict[str, Work]:
    """Each stage alone, on what the one before it makes."""
    compute = choose_compute("auto", "float32")
    scorer = bundle.scorer(compute)
    spec, reader = scorer.preprocess.spec, CredentialsReader()
    judge = Judge(bundle, describe_instrument(bundle, compute).digest)
    contents = [read_image_file(path) for path in paths]
    decoded = [decode_image(content) for content in contents]
    described = [describe_file(str(p), c, d, spec, reader) for p, c, d in zip(paths, contents, decoded, strict=True)]
    fitted = [fit_image(each.pixels, spec) for each in decoded]
    seen = [type(each)(pixels, each.file_format, each.mode, ()) for each, pixels in zip(decoded, fitted, strict=True)]
    conditions = [estimate_condition(each) for each in seen]
    batches = [fitted[i : i + BATCH] for i in range(0, len(fitted), BATCH)]
    logits = np.concatenate([scorer.score_as_is(batch) for batch in batches])

    def decode(path: Path) -> int:
        return decode_image(read_image_file(path)).pixels.size

    def decode_in_threads() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(decode, paths))

    return {
        DECODE: lambda: [decode(path) for path in paths],
        DECODE_TWICE: decode_in_threads,
        DIGEST: lambda: [describe_file(str(p), c, d, spec, reader) for p, c, d in zip(paths, contents, decoded, strict=True)],
        FIT: lambda: [fit_image(each.pixels, spec) for each in decoded],
        CONDITION: lambda: [estimate_condition(each) for each in seen],
        SCORE: lambda: [scorer.score_as_is(batch) for batch in batches],
        JUDGE: lambda: [judge.judge(*each, None).to_bytes() for each in zip(described, conditions, logits, strict=True)],
    }


def _scan(paths: Sequence[Path], bundle: Bundle) -> dict[str, float]:
    """Scan as `manyheads attribute` does; return the processor's seconds by thread, as shares of the time it took."""
    engine = LocalEngine(bundle, Options(precision="float32"))
    threads: dict[int, float] = {}

    def look() -> None:  # at the threads that decode, before they end
        for thread in threading.enumerate():
            if thread.name.startswith("decode") and thread.ident:
                threads[thread.ident] = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))

    began, own, all_of_us = time.perf_counter(), time.thread_time(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, RecordFile(Path(folder) / "scan.jsonl", bundle.verified.digest) as file:
        scan(map(file_item, paths), file, engine, on_item=look)
    took, own, all_of_us = time.perf_counter() - began, time.thread_time() - own, time.process_time() - all_of_us
    decoding = sum(threads.values())
    return {
        "main thread: score, judge, write": own / took,
        f"threads that decode and describe, {len(threads)} together": decoding / took,
        "torch's own threads": max(0.0, all_of_us - own - decoding) / took,
    }


def render(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    seconds, images, threads = found["seconds"], found["images"], found["threads"]
    whole, work = seconds[SCAN], sum(seconds[name] for name in SERIAL)
    rows = [
        (name, f"{images / took:.1f}", f"{1e3 * took / images:.1f}", f"{took / whole:.2f}") for name, took in seconds.items()
    ]
    lines = [
        "# A scan of large JPEGs",
        "",
        f"`{found['command']}`, {found['date']}; {found['hardware']}, {threads} threads of it; load {found['load']} before.",
        f"{images} JPEGs of {SIDE} pixels at quality {QUALITY}, {found['bytes'] / images / 1e3:.0f} kB each;",
        f"{found['heads']} heads at {SIZE} pixels, float32. Each stage alone and the scan, all in turn; medians.",
        "",
        *markdown_table(("stage", "images a second", "ms an image", "of the scan's time"), rows),
        "",
        f"All stages one after another would take {work / whole:.2f} times as long as the scan. Processor time during it, as a",
        "share of its duration:",
        "",
        *markdown_table(("threads", "busy"), [(name, f"{100 * share:.0f} %") for name, share in found["busy"].items()]),
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main(sys.argv[1:])
