"""The history of a run as CSV and as a picture."""

import csv
import io
from dataclasses import asdict, fields
from pathlib import Path

from manyheads_contributor.checkpoint import Epoch, History, best_epoch
from manyheads_shared.files import write_atomic

_TRAIN, _VAL, _BEST, _TEXT, _GRID = "#1f6f8b", "#d1495b", "#8a8a8a", "#333333", "#e6e6e6"
_INCHES, _DPI = (9.0, 3.4), 130


def write_history(path: Path, history: History) -> None:
    """Write one line an epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in history)
    write_atomic(path, text.getvalue().encode())


def write_curve(path: Path, history: History, title: str) -> None:
    """Draw losses on the left, validation F1 and AUROC on the right, the best epoch marked in both; PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - takes half a second
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    epochs = [row.epoch for row in history]
    best = best_epoch(history)
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [row.train_loss for row in history], color=_TRAIN, label="training")
    left.plot(epochs, [row.val_loss for row in history], color=_VAL, label="validation")
    left.set_title("binary cross-entropy", fontsize=10, color=_TEXT, loc="left")
    left.set_ylim(bottom=0)
    right.plot(epochs, [_or_nan(row.val_f1) for row in history], color=_VAL, label="F1")
    right.plot(epochs, [_or_nan(row.val_auroc) for row in history], color=_VAL, linestyle="--", label="AUROC")
    right.set_title("validation", fontsize=10, color=_TEXT, loc="left")
    right.set_ylim(0, 1.02)
    for axes in (left, right):
        axes.axvline(best, color=_BEST, linestyle=":", linewidth=1.2, label=f"best epoch: {best}")
        axes.margins(x=0.02)
        axes.set_xlabel("epoch", fontsize=9, color=_TEXT)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(color=_GRID, linewidth=0.8)
        axes.tick_params(labelsize=8, colors=_TEXT, length=0)
        axes.spines[:].set_visible(False)
        axes.legend(fontsize=8, frameon=False, labelcolor=_TEXT)
        for line in axes.lines:
            line.set_marker("o" if len(history) == 1 else "")
    figure.suptitle(title, fontsize=11, color=_TEXT, x=0.01, ha="left")
    picture = io.BytesIO()
    canvas.print_png(picture)  # type: ignore[no-untyped-call]
    write_atomic(path, picture.getvalue())


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
