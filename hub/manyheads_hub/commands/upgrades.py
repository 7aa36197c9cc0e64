"""`manyheads-hub candidate`, `retention`, `promote`, `rollback`: another primary, without breaking the heads.

Each writes what it changes with the job that follows from it, in one transaction, and then does that job. Killed in between,
the running hub's worker does it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_hub.commands.arguments import AsJson, Because, DryRun, Folder, split_head
from manyheads_hub.commands.publish import finish_publishing, read_file, say
from manyheads_shared import terminal

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from manyheads_hub.hub import Hub
    from manyheads_hub.upgrades.tables import CandidateRow
    from manyheads_shared.retention import Figures, RetentionReport

Candidate = Annotated[
    str | None, typer.Argument(metavar="[NAME@VERSION]", help="The candidate; otherwise the one offered last.")
]


def candidate(
    folder: Folder,
    primary: Annotated[Path, typer.Argument(help="The primary artifact.", show_default=False)],
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Offer a primary to follow the present one: measure it and every listed head on it. No client sees anything of it."""
    from manyheads_hub.audit.log import folder_actor
    from manyheads_hub.evaluations.worker import finish_job
    from manyheads_hub.hub import open_hub
    from manyheads_hub.upgrades import candidates
    from manyheads_shared.artifact import read_primary

    data = read_file(primary)
    artifact = read_primary(data)
    title = artifact.manifest.title
    with open_hub(folder) as hub:
        hub.suite_folder()
        if dry_run:
            with hub.database.read() as session:
                candidates.check_new(session, artifact)
            say(f"would measure candidate {title}", as_json=as_json)
            return
        hub.blobs.put(data)
        with hub.database.write() as session:
            job = candidates.offer(session, folder_actor(), artifact, len(data))
        with terminal.progress() as progress:
            task = progress.add_task("measuring on the suite", total=None)
            finish_job(hub, job, lambda images, total: progress.update(task, completed=images, total=total), kind="measure")
        _show_report(_read_report(hub, title), as_json=as_json)


def retention(folder: Folder, name: Candidate = None, *, as_json: AsJson = False) -> None:
    """Show what a candidate makes of every head, and whether it may be promoted. Exit code 1 when it may not."""
    from manyheads_hub.hub import open_hub

    with open_hub(folder) as hub:
        report = _read_report(hub, name)
    _show_report(report, as_json=as_json)
    if report.unmet:
        raise typer.Exit(terminal.EXIT_NO)


def promote(
    folder: Folder,
    name: Candidate = None,
    *,
    grace_days: Annotated[
        int | None, typer.Option(min=1, help="Days for heads that are not compatible; otherwise the policy's.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a measured candidate be the hub's primary, and publish the bundle. Refused where a floor of the policy is not met."""
    from manyheads_hub.audit.log import folder_actor
    from manyheads_hub.editions import prepare
    from manyheads_hub.hub import open_hub
    from manyheads_hub.upgrades import promotion
    from manyheads_shared.artifact import read_primary

    with open_hub(folder) as hub:
        report, edition = _read_report(hub, name), prepare(hub)
        with hub.database.read() as session:
            row = _find(session, report.title)
            promotion.check_promotable(row, report, edition)
        if dry_run:
            say(f"would promote {report.title}", as_json=as_json)
            return
        artifact, days = read_primary(hub.blobs.read(report.candidate)), grace_days or edition.policy.grace_days
        with hub.database.write() as session:
            row = _find(session, report.title)
            promotion.check_promotable(row, report, edition)
            job = promotion.promote(session, folder_actor(), row, artifact, report, grace_days=days)
        finish_publishing(hub, job, f"promoted {report.title}", as_json=as_json, primary=artifact.digest)


def rollback(folder: Folder, *, reason: Because, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Go back to the primary before the present one, with the heads it had, in a new bundle: clients only go forward."""
    from manyheads_hub.audit.log import folder_actor
    from manyheads_hub.hub import open_hub
    from manyheads_hub.upgrades import promotion

    with open_hub(folder) as hub:
        hub.suite_folder()
        hub.keyring.signers("targets")  # absent keys are told before anything changes
        if dry_run:
            with hub.database.read() as session:
                _, before = promotion.check_way_back(session)
                say(f"would go back to {before.name}@{before.version}", as_json=as_json)
            return
        with hub.database.write() as session:
            before, job = promotion.go_back(session, folder_actor(), reason)
            title, digest = f"{before.name}@{before.version}", before.digest
        finish_publishing(hub, job, f"went back to {title}", as_json=as_json, primary=digest)


def _find(session: "Session", name: str | None) -> "CandidateRow":
    from manyheads_hub.upgrades import candidates

    return candidates.newest(session) if name is None else candidates.get_row(session, *split_head(name))


def _read_report(hub: "Hub", name: str | None) -> "RetentionReport":
    """Return a candidate's report, its signature verified.

    Raises:
        NotFoundError: there is no such candidate.
        NotReadyError: it is not measured.
    """
    from manyheads_hub.errors import NotReadyError
    from manyheads_hub.upgrades.reports import read_report

    with hub.database.read() as session:
        row = _find(session, name)
        title, digest, state = f"{row.name}@{row.version}", row.report, row.state
        why = f": {row.error}" if row.error else ""
    if digest is None:
        raise NotReadyError(f"candidate {title} is {state}, and has no retention report{why}")
    return read_report(hub, digest)


def _show_report(report: "RetentionReport", *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(report.model_dump(mode="json"))
        return
    from rich.table import Table

    out = terminal.stdout
    out.print(f"candidate {report.title} {report.candidate}, measured {report.created}", soft_wrap=True, markup=False)
    sources = Table("detector on", "AUROC before", "after", "called generated before", "after")
    for change in report.detector:
        name = f"{change.source}{' (external)' if change.external else ''}"
        sources.add_row(
            name,
            f"{100 * change.auroc_before.value:.1f}",
            f"{100 * change.auroc.value:.1f} [{100 * change.auroc.lower:.1f}, {100 * change.auroc.upper:.1f}]",
            f"{100 * change.recall_before.share:.1f} %",
            f"{100 * change.recall.share:.1f} %",
        )
    out.print(sources)
    heads = Table("head", "standing", "way", "AUROC before", "straight", "points lost", "recall before", "straight")
    for row in report.heads:
        straight = next((each for each in row.ways if each.way == "straight"), None)
        figures = ("", "", "") if straight is None else _columns(straight.figures)
        lost = (
            ""
            if straight is None
            else (f"{100 * straight.loss.value:.1f} [{100 * straight.loss.lower:.1f}, {100 * straight.loss.upper:.1f}]")
        )
        before = _columns(row.before)
        heads.add_row(
            row.generator.title, row.compatibility, row.way or "left out", before[0], figures[0], lost, before[1], figures[1]
        )
    out.print(heads if report.heads else "no head is listed")
    for row in report.heads:
        for measured in row.ways:
            for reason in measured.reasons:
                out.print(f"- {row.generator.title} {measured.way}: {reason}", soft_wrap=True, markup=False)
    for floor in report.floors:
        out.print(f"{'met' if floor.met else 'NOT MET'}  {floor.code}: {floor.message}", soft_wrap=True, markup=False)
    verdict = "it may be promoted" if not report.unmet else f"it may not be promoted: {len(report.unmet)} floors are not met"
    out.print(verdict, soft_wrap=True, markup=False)


def _columns(figures: "Figures") -> tuple[str, str]:
    recall = figures.recall
    return f"{100 * figures.auroc.value:.1f}", f"{100 * recall.share:.1f} % of {recall.total}"
