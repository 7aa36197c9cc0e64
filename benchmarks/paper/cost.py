"""Figure 5: the loss of every network on its training and validation images, against epochs, seconds, multiply-accumulates."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.paper.cells import DETECTION, HEADS, Cell
from benchmarks.paper.config import Config
from benchmarks.paper.records import Record

COLOURS = {"reference": "#1f6f8b", "gandct-conv": "#d1495b", "ganfp-postpool": "#edae49"}
_TEXT, _GRID = "#333333", "#e6e6e6"
_INCHES, _DPI = (11.0, 6.4), 100

Training = Mapping[str, Any]


def figure_cells(cells: Sequence[Cell], config: Config) -> tuple[Cell, ...]:
    """Detection and the near-twin's attribution on clean images, pixels, faces64: the cells that the figure shows."""
    twin, trunk = config.images["faces64"].twin, config.families["as-run"].multi
    return tuple(
        cell
        for cell in cells
        if (cell.images, cell.representation) == ("faces64", "pixel")
        and cell.profile == config.clean
        and (cell.question in (DETECTION, twin) or (cell.question == HEADS and cell.trunk == trunk))
    )


def draw_cost(cells: Sequence[Cell], config: Config, records: Mapping[Cell, Record]) -> bytes:
    """Draw one row of three panels for detection and one for attribution; PNG. One line a seed."""
    twin = config.images["faces64"].twin
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(2, 3, sharey="row")
    for row, (title, questions) in enumerate((("detection", (DETECTION,)), (f"attribution to {twin}", (twin, HEADS)))):
        shown = [cell for cell in figure_cells(cells, config) if cell.question in questions and cell in records]
        for cell in shown:
            trainings = records[cell]["trainings"]
            training = trainings[twin if cell.question == HEADS else cell.question]
            for axes, xs in zip(panels[row], _scales(training), strict=True):
                colour, label = COLOURS[cell.network], cell.network if cell.seed == config.seeds[0] else None
                axes.plot(xs, training["val_loss"], color=colour, label=label, linewidth=1.4)
                axes.plot(xs, training["train_loss"], color=colour, linewidth=1.0, linestyle=":")
        for axes, name in zip(panels[row], ("epochs", "seconds", "multiply-accumulates, 10¹²"), strict=True):
            axes.set_xlabel(name, fontsize=9, color=_TEXT)
            axes.grid(color=_GRID, linewidth=0.8)
            axes.tick_params(labelsize=8, colors=_TEXT, length=0)
            axes.spines[:].set_visible(False)
            axes.set_xlim(left=0)
            axes.set_ylim(0, 0.75)
        panels[row][0].set_ylabel("binary cross-entropy", fontsize=9, color=_TEXT)
        panels[row][0].set_title(title, fontsize=11, color=_TEXT, loc="left")
        panels[row][0].legend(fontsize=8, frameon=False, labelcolor=_TEXT)
    figure.suptitle(
        "validation loss (solid) and training loss (dotted); faces64, pixels, clean images", fontsize=10, color=_TEXT
    )
    picture = io.BytesIO()
    canvas.print_png(picture)  # type: ignore[no-untyped-call]
    return picture.getvalue()


def _scales(training: Training) -> tuple[list[float], list[float], list[float]]:
    """Epochs, seconds and multiply-accumulates behind every epoch."""
    count = len(training["val_loss"])
    steps = [float(epoch) for epoch in range(1, count + 1)]
    return (
        steps,
        [training["seconds"] * epoch / count for epoch in steps],
        [training["macs"] * epoch / count / 1e12 for epoch in steps],
    )
