"""`evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from manyheads_shared import terminal

if TYPE_CHECKING:
    from manyheads_contributor.evaluate import Evaluation
    from manyheads_shared.metrics import Share


def evaluate(
    subject: Annotated[Path, typer.Argument(metavar="RUN_OR_ARTIFACT", help="Run folder, or a primary's or head's file.")],
    data: Annotated[Path, typer.Argument(help="The run's own DATA, or with --all any folder in that layout.")],
    *,
    primary: Annotated[Path | None, typer.Option("--primary", help="Head: the primary it was trained on.")] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="All images of foreign DATA, not the test side of the run's own; seen images are left out."),
    ] = False,
    degradation: Annotated[
        str,
        typer.Option(
            "--degradation", help="Profile that degrades every image first: paper-as-run, laundering, …; docs/degradations.md."
        ),
    ] = "clean",
    seed: Annotated[int, typer.Option("--seed", help="Of the degradations.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on stdout.")] = False,
) -> None:
    """Measure a detector or a head on images it has not learned from: precision, recall, F1, AUROC, external accuracy,
    contradictions, and every source by itself, with 95 % Wilson intervals.

    Example: manyheads-contributor evaluate runs/dcgan DATA --primary primary.safetensors --degradation paper-as-written
    """
    from manyheads_contributor import evaluate as figures
    from manyheads_contributor.artifacts import load_subject
    from manyheads_shared.compute import choose_compute
    from manyheads_shared.dataset import scan_dataset
    from manyheads_shared.scoring import Scorer

    measured = load_subject(subject, primary)
    compute = choose_compute(device)
    scorer = Scorer(measured.primary, measured.heads, compute)
    items = figures.choose_items(scan_dataset(data), measured.trained, everything=everything)
    with terminal.progress() as display:
        bar = display.add_task("scoring", total=len(items))
        scored = figures.score_items(scorer, items, profile=degradation, seed=seed, on_image=lambda: display.advance(bar))
    group_pattern = None
    if measured.trained:
        folder, _ = measured.trained
        scored, group_pattern = figures.leave_out_seen(scored, folder.read_seen()), folder.read_recipe().group_pattern
    evaluation = figures.evaluate(scored, measured.generator, group_pattern=group_pattern)
    if as_json:
        about = {"subject": measured.title, "digest": measured.digest, "degradation": degradation, "seed": seed}
        where = {"precision_mode": compute.precision, "device": compute.device_name}
        terminal.print_json(about | where | evaluation.to_json())
    else:
        terminal.stdout.print(f"{measured.title}, {evaluation.count} {degradation} images", style="bold", markup=False)
        _print(evaluation)


def _print(evaluation: "Evaluation") -> None:
    """Print the figures as two tables."""
    if evaluation.copies:
        terminal.stdout.print(f"{evaluation.copies} more are left out: near-duplicates of images it has learned from")
    if evaluation.groups < evaluation.count:
        terminal.stdout.print(
            f"they show {evaluation.groups} pictures; the intervals count every image, and are too narrow where pictures recur"
        )
    found = evaluation.metrics
    summary = Table(box=None, show_header=False, pad_edge=False)
    rows: list[tuple[str, str]] = [
        ("precision", _words(found.precision)),
        ("recall", _words(found.recall)),
        ("false positives", _words(found.false_positive_rate)),
        ("F1", "none to measure on" if found.f1 is None else str(found.f1)),
        ("AUROC", _number(found.auroc)),
        ("right on external generated", _words(evaluation.external_generated)),
        ("right on external real", _words(evaluation.external_real)),
    ]
    if evaluation.contradictions:
        of_real, of_claimed = evaluation.contradictions
        rows += [("claimed, of those called real", _words(of_real)), ("called real, of those claimed", _words(of_claimed))]
    for row in rows:
        summary.add_row(*row)
    sources = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("source", "images", "pictures", "yes", "should be", "median logit"):
        justify: Literal["left", "right"] = "right" if name in ("images", "pictures", "median logit") else "left"
        sources.add_column(name, justify=justify, no_wrap=True)
    for figures in evaluation.sources:
        place = f"{'external/' if figures.external else ''}{figures.kind}/{figures.source}"
        wanted = "yes" if figures.positive else "no"
        sources.add_row(
            place, str(figures.yes.total), str(figures.groups), str(figures.yes), wanted, f"{figures.median_logit:.2f}"
        )
    terminal.stdout.print(summary)
    terminal.stdout.print()
    terminal.stdout.print(sources)
    for failure in evaluation.failures:
        terminal.stderr.print(f"left out: {failure}", soft_wrap=True, markup=False)


def _words(share: "Share | None") -> str:
    return "none to measure on" if share is None else f"{share}  {share.hits}/{share.total}"


def _number(value: float | None) -> str:
    return "none to measure on" if value is None else f"{value:.4f}"
