"""`audit DATA`: what would let a network cheat."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_shared.terminal import EXIT_NO, print_json, progress, stdout

if TYPE_CHECKING:
    from rich.text import Text

    from manyheads_contributor.audit import AuditReport, Finding

_COLOURS = {"fine": "green", "notable": "yellow", "blatant": "bold red"}
_SHOWN = ("file format", "dimensions", "earlier JPEG", "value range")


def audit(
    data: Annotated[Path, typer.Argument(help="Folder with real/SOURCE and generated/GENERATOR below it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Show what would let a network cheat: cues that tell classes apart without learning who made an image.

    Each cue's figure is the balanced accuracy of the best rule on that cue alone: 50 % tells nothing, 100 % tells all.
    Exit code 1 when a cue is blatant: figures measured on such images mean nothing until it is mended.

    Example: manyheads-contributor audit DATA
    """
    from manyheads_contributor.audit import Level, audit_dataset
    from manyheads_shared.dataset import scan_dataset

    dataset = scan_dataset(data)
    with progress() as bar:
        task = bar.add_task("looking at images", total=len(dataset.items))
        report = audit_dataset(dataset, on_image=lambda: bar.advance(task))
    if as_json:
        print_json(report.document)
    else:
        _show(report)
    if report.level == Level.BLATANT:
        raise typer.Exit(EXIT_NO)


def _show(report: "AuditReport") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    sources = Table(title=f"{report.root}: what is there", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    sources.add_column("source", no_wrap=True)
    sources.add_column("images", justify="right")
    for name in _SHOWN:
        sources.add_column(name)
    for source in report.sources:
        sources.add_row(source.label, str(source.images), *(source.cues[name].brief for name in _SHOWN))
    stdout.print(sources)

    cues = Table(title="how well one cue alone tells them apart (50 % tells nothing)", title_justify="left", box=SIMPLE_HEAD)
    for column in ("cue", "real or generated", "one generator or the rest", "external or trained on", "judged"):
        cues.add_column(column)
    measured = [finding for finding in report.findings if finding.separation]
    for name in dict.fromkeys(finding.check for finding in measured):
        own = [finding for finding in measured if finding.check == name]
        level = max(finding.level for finding in own).word
        cues.add_row(
            name,
            _cell(finding for finding in own if finding.question == "real or generated"),
            _cell(finding for finding in own if finding.question.endswith("or the rest")),
            _cell(finding for finding in own if finding.question.startswith("external")),
            Text(level, _COLOURS[level]),
        )
    stdout.print(cues)

    for finding in report.findings:
        if finding.level:
            word = finding.level.word
            said = f"{finding.check}, {finding.question}: {finding.seen}"
            stdout.print(Text.assemble((word, _COLOURS[word]), f"  {said}"), soft_wrap=True)
            stdout.print(f"         {finding.advice}", style="dim", soft_wrap=True, markup=False)
    stdout.print(Text.assemble("verdict: ", (report.level.word, _COLOURS[report.level.word])))


def _cell(findings: "Iterable[Finding]") -> "str | Text":
    from rich.text import Text

    worst = max(findings, key=lambda finding: (finding.level, finding.figure or 0), default=None)
    if worst is None or worst.figure is None:
        return "-"
    name = worst.question.removesuffix(" or the rest") if worst.level and worst.question.endswith("or the rest") else ""
    return Text.assemble((f"{100 * worst.figure:.0f} %", _COLOURS[worst.level.word]), f" {name}" if name else "")
