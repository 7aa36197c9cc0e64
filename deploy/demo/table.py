"""The loop's results as tables for people."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from deploy.demo.results import OUTCOMES, BinaryFigures, Results
from manyheads_shared.metrics import Share
from manyheads_shared.terminal import stdout


def print_results(results: Results) -> None:
    """Print the detector, the heads and the verdicts."""
    stdout.print(_networks(results))
    for head in results.heads:
        for reason in head.reasons:
            stdout.print(f"{head.generator}: {head.decision}: {reason}", markup=False, soft_wrap=True)
    stdout.print(_verdicts(results))


def _networks(results: Results) -> Table:
    table = _table("test images nobody trained on, threshold 0.5; intervals at 95 %")
    for name in ("network", "F1", "AUROC", "hub's gate", "recall at the hub"):
        table.add_column(name, no_wrap=True)
    table.add_row("detector", *_cells(results.detector), "", "")
    for head in results.heads:
        colour = "green" if head.decision == "accepted" else "red"
        table.add_row(f"head {head.generator}", *_cells(head.own), Text(head.decision, colour), percent(head.hub_recall))
    return table


def _verdicts(results: Results) -> Table:
    used = [name for name in OUTCOMES if any(name in row for row in results.verdicts.values())]
    table = _table("verdicts of the client on images nobody trained or calibrated on")
    table.add_column("source", no_wrap=True)
    for name in ("images", *used):
        table.add_column(name, justify="right", min_width=max(map(len, name.split())))
    for label, row in results.verdicts.items():
        table.add_row(label, str(sum(row.values())), *(str(row.get(name, "")) for name in used))
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))


def _cells(figures: BinaryFigures) -> tuple[str, str]:
    return percent(figures.f1), "" if figures.auroc is None else f"{figures.auroc:.4f}"


def percent(share: Share | None) -> str:
    """`97.1 [94.2, 98.9]`, in percent; empty where there was nothing to measure on."""
    return "" if share is None else f"{100 * share.value:.1f} [{100 * share.lower:.1f}, {100 * share.upper:.1f}]"
