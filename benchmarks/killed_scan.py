"""A scan of 20,000 images under random kills: it must end complete, with no record twice and none by half.

The real command in processes of its own, ended by SIGKILL at random moments and started again. Writes
`results/killed_scan.json` and `results/killed_scan.md`. `--quick` kills a small scan three times and keeps no results.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from manyheads_client.records import name_of, read_records
from manyheads_shared import clock
from manyheads_shared.files import write_atomic
from tests.support.six_states import make_six_states, pull_into, varied_images, write_images

RESULTS = Path(__file__).parent / "results"
IMAGES, KILLS = 20_000, 10
ARCHIVED = 0.1  # of the images, in zip files
RECORD_BYTES = 2000  # about
DISTINCT = 200  # pictures; every file differs by bytes behind its end


def main(arguments: Sequence[str] = ()) -> None:
    """Kill, scan again, check."""
    images, kills = (400, 3) if "--quick" in arguments else (IMAGES, KILLS)
    with tempfile.TemporaryDirectory(prefix="manyheads-") as name:
        folder = Path(name)
        pictures = varied_images(DISTINCT)
        pull_into(folder / "store", make_six_states(pictures))
        names = write_scene(folder, images)
        found = run(folder, names, kills, seed=time.time_ns())
    found = {"date": clock.now()[:10], "hardware": hardware(), "command": "python -m benchmarks.killed_scan", **found}
    text = render(found)
    print(text)
    if "--quick" not in arguments:
        write_atomic(RESULTS / "killed_scan.json", (json.dumps(found, indent=1) + "\n").encode())
        write_atomic(RESULTS / "killed_scan.md", text.encode())


def write_scene(folder: Path, count: int) -> set[str]:
    """Write images into folders of a thousand and into archives, one in fifty of them broken; return their names in records."""
    sources = [path.read_bytes() for path in write_images(folder / "sources", varied_images(DISTINCT))]
    names: set[str] = set()
    archived = int(count * ARCHIVED)
    for i in range(count - archived):
        path = folder / "scene" / f"{i // 1000:03d}" / f"{i:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_content(sources, i))
        names.add(str(path))
    archive = folder / "scene" / "more.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        for i in range(count - archived, count):
            stream.writestr(f"{i:06d}.png", _content(sources, i))
            names.add(f"{archive}!/{i:06d}.png")
    return names


def _content(sources: Sequence[bytes], i: int) -> bytes:
    return b"broken %d" % i if i % 50 == 0 else sources[i % len(sources)] + b"%d" % i


def run(folder: Path, names: set[str], kills: int, *, seed: int) -> dict[str, Any]:
    """Scan under kills at random moments, to the end."""
    draw, began = random.Random(seed), time.monotonic()  # noqa: S311 - moments, no secrets
    recorded: list[int] = []
    jsonl = folder / "scan.jsonl"
    command = [sys.executable, "-m", "benchmarks.killed_scan", "--scan", str(folder)]
    while len(recorded) < kills:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        share = draw.uniform(0, 1.5) / (kills + 1)  # of the scan; on the average kills come evenly
        _wait(process, jsonl, grown_by=1 + int(share * len(names) * RECORD_BYTES))
        time.sleep(draw.uniform(0, 0.05))
        process.kill()
        process.communicate()
        recorded.append(sum(1 for _ in read_records(jsonl)))
        if recorded[-1] >= len(names):
            raise RuntimeError("the scan was done before it was killed often enough")
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    counts = Counter(name_of(record) for record in read_records(jsonl))
    return {
        "seed": seed,
        "images": len(names),
        "kills": len(recorded),
        "records_after_kills": recorded,
        "records": counts.total(),
        "twice": sum(count > 1 for count in counts.values()),
        "missing": len(names - counts.keys()),
        "foreign": len(counts.keys() - names),
        "seconds": round(time.monotonic() - began),
        "peak_mb": int(finished.stdout.split()[-1]) // 1024,
    }


def _wait(process: "subprocess.Popen[bytes]", jsonl: Path, *, grown_by: int) -> None:
    """Wait until a scan has written so many bytes."""
    wanted = (jsonl.stat().st_size if jsonl.exists() else 0) + grown_by
    while not jsonl.exists() or jsonl.stat().st_size < wanted:
        if process.poll() is not None:
            raise RuntimeError(f"the scan ended by itself: {(process.stderr.read() if process.stderr else b'').decode()}")
        time.sleep(0.005)


def scan(folder: Path) -> None:
    """The command under test, in a process of its own; prints its peak memory in KiB last."""
    from manyheads_client.cli import app  # noqa: PLC0415 - the measuring process needs none of it

    arguments = ["attribute", str(folder / "scene"), "--store", str(folder / "store"), "--jsonl", str(folder / "scan.jsonl")]
    app([*arguments, "--device", "cpu"], standalone_mode=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def render(found: dict[str, Any]) -> str:
    """The table."""
    rows = [
        (key.replace("_", " "), json.dumps(value)) for key, value in found.items() if key not in ("date", "hardware", "command")
    ]
    head = f"# A scan under kills\n\n`{found['command']}`, {found['date']}, {found['hardware']}.\n\n"
    return head + "\n".join(markdown_table(("what", "figure"), rows)) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--scan"]:
        scan(Path(sys.argv[2]))
    else:
        main(sys.argv[1:])
