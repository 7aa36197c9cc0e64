"""A sheet of what each profile's operations do to one photograph, each with its difference and its PSNR.

The photograph is a crop of scikit-image's astronaut at the size of faces64. Writes `results/degradations.png`.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from manyheads_shared.degradations import PROFILES, degrade
from manyheads_shared.digest import digest_bytes
from manyheads_shared.files import write_atomic
from manyheads_shared.image import Pixels
from manyheads_shared.operations import Operation

ROWS = {  # profile -> what it is
    "paper-as-written": "Khoo 2022 as its text says",
    "paper-as-run": "Khoo 2022 as its code ran",
    "laundering": "shared, uploaded and saved again",
}
CUT, SIDE = (130, 30, 322, 222), 64  # the face in the photograph (left, top, right, bottom), and its size on the sheet; pixels
DRAWS = 101  # of each operation; the one in the middle by PSNR is shown
GAIN = 6  # of the differences: 21 grey levels are as light or as dark as can be
STEP = 8  # grey levels between those of the differences: they share a palette with the photograph
ENLARGED = 2  # times, every tile
DPI = 100
TEXT, PALE = "#333333", "#777777"

# pixels of the sheet
MARGIN, GAP = 24, 14
SHEET_TITLE, ROW_TITLE, LABEL = 60, 28, 18  # height of a line
WHAT = 156  # where the explanation of a row begins


def main() -> None:
    """Draw the sheet."""
    photograph = Image.fromarray(data.astronaut())  # type: ignore[no-untyped-call]
    face = photograph.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=CUT)
    picture = draw_sheet(np.array(face))
    path = Path(__file__).parent / "results" / "degradations.png"
    write_atomic(path, picture)
    print(f"{path.name}: {len(picture) / 1000:.0f} kB")


def draw_sheet(pixels: Pixels) -> bytes:
    """Return the sheet as PNG: a row a profile, with the image, each operation and the whole profile, differences below."""
    side = pixels.shape[0] * ENLARGED
    columns = 2 + max(len(PROFILES[profile].steps) for profile in ROWS)
    row_height = ROW_TITLE + LABEL + 2 * side + 3 * GAP
    width, height = 2 * MARGIN + columns * (side + GAP) - GAP, SHEET_TITLE + len(ROWS) * row_height
    sheet = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(sheet)

    def write(
        text: str, x: int, y: int, *, size: float, colour: str = TEXT, weight: str = "normal", align: str = "left"
    ) -> None:
        sheet.text(x / width, 1 - y / height, text, size=size, color=colour, weight=weight, ha=align, va="top")

    def place(tile: Pixels, x: int, y: int) -> None:
        sheet.figimage(np.kron(tile, np.ones((ENLARGED, ENLARGED, 1), np.uint8)), x, height - y - side)

    write("Degradations, by profile", MARGIN, 14, size=13, weight="bold")
    note = f"the middle one of {DRAWS} draws, with its PSNR; below, the difference, {GAIN} times"
    write(note, width - MARGIN, 19, size=9, colour=PALE, align="right")
    for row, (profile, what) in enumerate(ROWS.items()):
        top = SHEET_TITLE + row * row_height
        write(profile, MARGIN, top, size=11, weight="bold")
        write(what, MARGIN + WHAT, top + 2, size=9, colour=PALE)
        for column, (label, tile) in enumerate(_tiles(pixels, profile)):
            x, y = MARGIN + column * (side + GAP), top + ROW_TITLE
            write(label, x, y, size=8.5)
            if column:
                write(f"{_psnr(pixels, tile):.1f} dB", x + side, y, size=8.5, colour=PALE, align="right")
                place(_difference(pixels, tile), x, y + LABEL + side + GAP // 2)
            place(tile, x, y + LABEL)
    drawn, packed = io.BytesIO(), io.BytesIO()
    canvas.print_png(drawn)  # type: ignore[no-untyped-call]
    flat = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)  # a third of the bytes, and no eye sees it
    flat.save(packed, "PNG", optimize=True)
    return packed.getvalue()


def _tiles(pixels: Pixels, profile: str) -> list[tuple[str, Pixels]]:
    """Labels and pictures of one row."""
    operations = [step.operation for step in PROFILES[profile].steps]
    digests = [digest_bytes(str(number).encode()) for number in range(DRAWS)]
    whole = [degrade(pixels, profile, seed=0, digest=digest) for digest in digests]
    return [("image", pixels), *(_tile(pixels, operation) for operation in operations), ("the whole", _middle(pixels, whole))]


def _tile(pixels: Pixels, operation: Operation) -> tuple[str, Pixels]:
    name = getattr(operation, "__name__", "").removesuffix("_as_run").replace("_", " ")
    return name, _middle(pixels, [operation(pixels, np.random.default_rng(number)) for number in range(DRAWS)])


def _middle(pixels: Pixels, drawn: Sequence[Pixels]) -> Pixels:
    """The draw with the middle PSNR."""
    return sorted(drawn, key=lambda one: _psnr(pixels, one))[len(drawn) // 2]


def _psnr(before: Pixels, after: Pixels) -> float:
    """Peak signal to noise ratio in decibels; infinite if nothing changed."""
    error = float(np.mean((before.astype(float) - after) ** 2))
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def _difference(before: Pixels, after: Pixels) -> Pixels:
    """The change in brightness around middle grey, amplified; uint8 (H, W, 3)."""
    change: NDArray[np.float64] = (after.astype(float) - before).mean(axis=2, keepdims=True)
    grey = np.clip(128 + STEP * np.rint(GAIN * change / STEP), 0, 255)
    return np.repeat(grey, 3, axis=2).astype(np.uint8)
