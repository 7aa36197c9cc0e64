"""How well the condition of an image is estimated, on real images: `python -m benchmarks.conditions [--data FOLDER]`.

Images of faces64 and faces128 and scikit-image's photographs in their own size, unchanged, on every rung, and after what is not
one rung; time beside decoding. Writes `results/conditions.{json,md}`. The face sets are not part of the project: without them
this says so and stops.
"""

import argparse
import dataclasses
import io
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from manyheads_shared import clock, operations
from manyheads_shared.condition import READINGS, Condition, strata
from manyheads_shared.dataset import Item, Kind, scan_dataset
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.estimates import estimate_condition
from manyheads_shared.files import write_atomic
from manyheads_shared.image import DecodedImage, Pixels, decode_image, read_image
from manyheads_shared.rungs import RUNGS, Rung, climb

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
SETS = ("faces64", "faces128")
IMAGES = 100  # of every source
NARROWER: dict[str, float] = {"scale": 0.55, "blur": 0.9}  # dead zones that find one rung more, at a price
PHOTOGRAPHS = (  # colour photographs inside scikit-image's wheel, 300 to 1411 pixels a side
    "astronaut",
    "chelsea",
    "coffee",
    "hubble_deep_field",
    "immunohistochemistry",
    "retina",
    "rocket",
)
TIMED = (64, 128, 1024)  # pixels a side
ROUNDS = 101  # of everything in turn; the quickest counts, because the machine may be shared

Change = Callable[["Picture"], Pixels]


@dataclass(frozen=True)
class Picture:
    """One image and where it comes from."""

    kind: Kind
    source: str
    decoded: DecodedImage
    digest: Digest


def _shifted(picture: Picture) -> Pixels:
    return operations.jpeg_at(np.pad(picture.decoded.pixels, ((3, 0), (5, 0), (0, 0)), mode="edge"), 50)[3:, 5:]


def _webp(picture: Picture) -> Pixels:
    return operations.webp(picture.decoded.pixels, np.random.default_rng(0))


def _noisy_jpeg(picture: Picture) -> Pixels:
    return operations.jpeg_at(climb(picture.decoded.pixels, Rung("noise", 5), digest=picture.digest), 75)


def _noisy_blur(picture: Picture) -> Pixels:
    return climb(operations.blur_at(picture.decoded.pixels, 2.0), Rung("noise", 5), digest=picture.digest)


def _darker_jpeg(picture: Picture) -> Pixels:
    darker: Pixels = np.rint(operations.jpeg_at(picture.decoded.pixels, 50) * 0.95).astype(np.uint8)
    return darker


def _twice(picture: Picture) -> Pixels:
    return operations.jpeg_at(operations.jpeg_at(picture.decoded.pixels, 50), 90)


def _grey(picture: Picture) -> Pixels:
    return np.asarray(Image.fromarray(picture.decoded.pixels).convert("L").convert("RGB"))


TOGETHER: dict[str, Change] = {  # what is not one rung
    "made grey": _grey,
    "WebP, quality 50 to 90": _webp,
    "JPEG 50, then JPEG 90": _twice,
    "JPEG 50, cut to another grid": _shifted,
    "JPEG 50, then 5 % darker": _darker_jpeg,
    "noise 5, then JPEG 75": _noisy_jpeg,
    "blur 2, then noise 5": _noisy_blur,
}


def main(arguments: Sequence[str]) -> int:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of faces64 and faces128")
    parser.add_argument("--images", type=int, default=IMAGES, help="of every source")
    given = parser.parse_args(arguments)
    if not all((given.data / name).is_dir() for name in SETS):
        print(f"skipped: the real images are not part of the project; expected them in {os.path.relpath(given.data)}")
        return 0
    sets = {name: read_set(given.data / name, given.images) for name in SETS} | {"photographs": read_photographs()}
    value: dict[str, Any] = {
        "command": "python -m benchmarks.conditions",
        "date": clock.now()[:10],
        "hardware": hardware(),
        "images_of_every_source": given.images,
        "readings": {ladder: dataclasses.asdict(reading) for ladder, reading in READINGS.items()},
        "sets": {name: measure_set(name, pictures) for name, pictures in sets.items()},
        "times": [measure_time(side) for side in TIMED],
    }
    write_atomic(HERE / "results" / "conditions.json", (json.dumps(value, indent=1) + "\n").encode())
    write_atomic(HERE / "results" / "conditions.md", render(value).encode())
    return 0


def read_set(root: Path, count: int) -> list[Picture]:
    """Read at most `count` images of every source, evenly spread over its files.

    Dead zones were chosen on files 0, n/count, 2n/count …; these are the files after them: others, where there are enough.
    """
    by_source: dict[tuple[Kind, str], list[Item]] = {}
    for item in scan_dataset(root).items:
        by_source.setdefault((item.kind, item.source), []).append(item)
    chosen = [
        items[i]
        for items in by_source.values()
        for i in sorted({min(len(items) * k // count + 1, len(items) - 1) for k in range(count)})
    ]
    return [Picture(item.kind, item.source, read_image(item.path), item.digest) for item in chosen]


def read_photographs() -> list[Picture]:
    """Load scikit-image's photographs as they are."""
    found = []
    for name in PHOTOGRAPHS:
        pixels: Pixels = np.ascontiguousarray(getattr(data, name)())
        decoded = DecodedImage(pixels, "PNG", "RGB", ())
        found.append(Picture("real", name.replace("_", "-"), decoded, digest_bytes(pixels.tobytes())))
    return found


def measure_set(name: str, pictures: Sequence[Picture]) -> dict[str, Any]:
    """Estimate every picture unchanged, on every rung, and after what is not one rung."""
    unchanged = [estimate_condition(picture.decoded) for picture in pictures]
    by_source: dict[str, list[Condition]] = {}
    for picture, condition in zip(pictures, unchanged, strict=True):
        by_source.setdefault(f"{picture.kind} {picture.source}", []).append(condition)
        by_source.setdefault(f"all {picture.kind}", []).append(condition)
    value: dict[str, Any] = {
        "unchanged": {source: _signs(conditions) for source, conditions in sorted(by_source.items())},
        "rungs": [],
        "together": {},
    }
    for rung in RUNGS:
        changed = [climb(picture.decoded.pixels, rung, digest=picture.digest) for picture in pictures]
        value["rungs"].append(_placed(rung, _estimate(pictures, changed)))
        print(f"{name}: {rung}", file=sys.stderr)
    for what, change in TOGETHER.items():
        value["together"][what] = _signs(_estimate(pictures, [change(picture) for picture in pictures]))
    return value


def _estimate(pictures: Sequence[Picture], changed: Sequence[Pixels]) -> list[Condition]:
    pairs = zip(pictures, changed, strict=True)
    return [estimate_condition(dataclasses.replace(picture.decoded, pixels=pixels)) for picture, pixels in pairs]


def _signs(conditions: Sequence[Condition]) -> dict[str, Any]:
    """How many are placed on each ladder, and the estimates' median and 5 to 95 % range."""
    placed = [{stratum.ladder for stratum in strata(condition)} for condition in conditions]
    return {
        "images": len(conditions),
        "any": sum(bool(ladders) for ladders in placed),
        "ladders": {ladder: sum(ladder in ladders for ladders in placed) for ladder in READINGS},
        "estimates": {ladder: _spread(ladder, conditions) for ladder in READINGS},
        "narrower": sum(c.scale < NARROWER["scale"] or c.blur > NARROWER["blur"] for c in conditions),
        "soft": sum(c.scale < READINGS["scale"].dead_zone or c.blur > READINGS["blur"].dead_zone for c in conditions),
    }


def _placed(rung: Rung, conditions: Sequence[Condition]) -> dict[str, Any]:
    found = [next((s for s in strata(condition) if s.ladder == rung.ladder), None) for condition in conditions]
    strengths = [r.strength for r in RUNGS if r.ladder == rung.ladder]
    places = [None if s is None else strengths.index(s.rung.strength) if s.rung else len(strengths) for s in found]
    own = strengths.index(rung.strength)
    return {
        "ladder": rung.ladder,
        "strength": rung.strength,
        "right": sum(place == own for place in places),
        "milder": sum(place is not None and place < own for place in places),
        "stronger": sum(place is not None and place > own for place in places),
        "unseen": sum(place is None for place in places),
        **_signs(conditions),
    }


def _spread(ladder: str, conditions: Sequence[Condition]) -> list[float] | None:
    field = "jpeg_quality" if ladder == "jpeg" else ladder
    values = [value for condition in conditions if (value := getattr(condition, field)) is not None]
    return [round(float(q), 3) for q in np.quantile(values, (0.05, 0.5, 0.95))] if values else None


def measure_time(side: int) -> dict[str, Any]:
    """Milliseconds to decode and to estimate one picture of so many pixels a side, in turn."""
    corner = 150 if side <= 512 else 200
    picture = data.astronaut() if side <= 256 else data.retina()  # type: ignore[no-untyped-call]
    pixels = np.ascontiguousarray(picture[corner : corner + side, corner : corner + side])
    files = {kind: _save(pixels, kind) for kind in ("PNG", "JPEG")}
    work: dict[str, Callable[[], object]] = {
        "decode PNG": lambda: decode_image(files["PNG"]),
        "decode JPEG": lambda: decode_image(files["JPEG"]),
    }
    decoded = {kind: decode_image(files[kind]) for kind in files}
    work["estimate PNG"] = lambda: estimate_condition(decoded["PNG"])
    work["estimate JPEG"] = lambda: estimate_condition(decoded["JPEG"])
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, function in work.items():
            started = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - started)
    return {"pixels": side, **{name: round(1000 * min(times), 3) for name, times in seconds.items()}}


def _save(pixels: Pixels, file_format: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, file_format, quality=90)
    return stream.getvalue()


def render(value: Mapping[str, Any]) -> str:
    """The results as a page of Markdown."""
    lines = [
        "# The condition of an image, estimated",
        "",
        f"`{value['command']}`, {value['date']}; {value['hardware']};",
        f"at most {value['images_of_every_source']} images of every source. Dead zones were chosen on other images of these",
        "sources (of the smallest, with 64 images, on the same).",
        "",
        "Shares in percent. *Called degraded*: beyond the dead zone of a ladder. All JPEG qualities here are from traces in",
        "the pixels; from a file's standard tables they are exact. scikit-image's photographs are or were JPEG files, and a",
        "camera's pictures in full size are soft: what is found on them may be true.",
        "",
        *markdown_table(
            ("ladder", "dead zone up to", "tolerance"),
            [(ladder, reading["dead_zone"], reading["tolerance"]) for ladder, reading in value["readings"].items()],
        ),
    ]
    for name, found in value["sets"].items():
        lines += ["", f"## {name}: unchanged images called degraded", "", *_unchanged_table(found["unchanged"])]
        lines += ["", f"## {name}: every rung", "", *_rung_table(found["rungs"])]
        lines += ["", f"## {name}: what is not one rung", "", *_unchanged_table(found["together"])]
    lines += [
        "",
        "## Softness: scale or blur called, with these dead zones and with narrower ones",
        "",
        *_softness_table(value["sets"]),
    ]
    lines += ["", "## Milliseconds for one image, one thread: the quickest of many", "", *_time_table(value["times"]), ""]
    return "\n".join(lines)


def _unchanged_table(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    shown = [ladder for ladder in READINGS if any(row["estimates"][ladder] for row in rows.values())]
    columns = ("images of", "images", "any", *READINGS, *(f"{ladder}: median [5 %, 95 %]" for ladder in shown))
    return markdown_table(
        columns,
        [
            (
                source,
                row["images"],
                _share(row["any"], row),
                *(_share(row["ladders"][ladder], row) for ladder in READINGS),
                *(_range(row["estimates"][ladder]) for ladder in shown),
            )
            for source, row in rows.items()
        ],
    )


def _rung_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = (
        "rung",
        "estimate: median [5 %, 95 %]",
        "right rung",
        "a milder one",
        "a stronger one",
        "not seen",
        "also called",
    )
    return markdown_table(
        columns,
        [
            (
                f"{row['ladder']} {row['strength']:g}",
                _range(row["estimates"].get(row["ladder"])),
                *(_share(row[place], row) for place in ("right", "milder", "stronger", "unseen")),
                ", ".join(
                    f"{ladder} {_share(count, row)}"
                    for ladder, count in row["ladders"].items()
                    if ladder != row["ladder"] and 20 * count > row["images"]  # more than 5 %
                ),
            )
            for row in rows
        ],
    )


def _softness_table(sets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What a dead zone costs either way, set by set."""
    narrower = f"scale {NARROWER['scale']:g}, blur {NARROWER['blur']:g}"
    these = f"scale {READINGS['scale'].dead_zone:g}, blur {READINGS['blur'].dead_zone:g}"
    rows = []
    for name, found in sets.items():
        cases = {f"unchanged, {source}": row for source, row in found["unchanged"].items() if source.startswith("all ")}
        cases |= {f"{row['ladder']} {row['strength']:g}": row for row in found["rungs"] if row["ladder"] in NARROWER}
        rows += [(name, case, _share(row["soft"], row), _share(row["narrower"], row)) for case, row in cases.items()]
    return markdown_table(("set", "images", f"dead zones {these}", f"dead zones {narrower}"), rows)


def _time_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = (
        "pixels a side",
        *(f"{what} {kind}" for kind in ("PNG", "JPEG") for what in ("decode", "estimate")),
        "PNG",
        "JPEG",
    )
    times = [[row[name] for name in columns[1:5]] for row in rows]
    return markdown_table(
        (*columns[:5], "estimate / decode PNG", "estimate / decode JPEG"),
        [
            (row["pixels"], *four, f"{four[1] / four[0]:.1f}", f"{four[3] / four[2]:.1f}")
            for row, four in zip(rows, times, strict=True)
        ],
    )


def _range(spread: Sequence[float] | None) -> str:
    return "" if spread is None else f"{spread[1]:g} [{spread[0]:g}, {spread[2]:g}]"


def _share(count: int, row: Mapping[str, Any]) -> str:
    return f"{100 * count / row['images']:.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
