"""`manyheads-hub review`: submissions, their states, reasons and figures."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads_hub.commands.arguments import AsJson, Folder
from manyheads_shared import terminal
from manyheads_shared.api import ShareInfo, SubmissionInfo

if TYPE_CHECKING:
    from manyheads_hub.evaluations.findings import Findings
    from manyheads_shared.statements import Bound

LIKENESSES = 3  # shown of a head's likenesses with others, the greatest


def review(
    folder: Folder,
    submission: Annotated[str | None, typer.Argument(help="Show this submission whole.", show_default=False)] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List submissions, or show one with its evaluation and what else its examination found."""
    from manyheads_hub.evaluations import budget, jobs
    from manyheads_hub.evaluations.findings import Findings
    from manyheads_hub.hub import open_hub
    from manyheads_hub.submissions import service

    with open_hub(folder) as hub, hub.database.read() as session:
        if submission is None:
            infos = service.list_all(session)
            if as_json:
                terminal.print_json([info.model_dump(mode="json") for info in infos])
            else:
                _show_table(infos)
            return
        info, error = service.get(session, submission), jobs.last_error(session, submission)
        digest = budget.last_findings(session, submission)
        findings = None if digest is None else Findings.from_bytes(hub.blobs.read(digest))
    if as_json:
        terminal.print_json(
            info.model_dump(mode="json") | {"last_error": error, "findings": findings and findings.model_dump(mode="json")}
        )
    else:
        _show_whole(info, error)
        if findings is not None:
            _show_findings(findings)


def _show_table(infos: list[SubmissionInfo]) -> None:
    from rich.table import Table

    table = Table("submission", "head", "owner", "state", "received", "bundle", "reasons")
    for info in infos:
        bundle = "" if info.bundle_sequence is None else str(info.bundle_sequence)
        reasons = ", ".join(reason.code for reason in info.reasons)
        table.add_row(info.id, info.generator.title, info.generator.owner, _state(info), info.created, bundle, reasons)
    terminal.stdout.print(table if infos else "no submissions yet")


def _show_whole(info: SubmissionInfo, error: str | None) -> None:
    from rich.table import Table

    facts = Table.grid(padding=(0, 2))
    rows: list[tuple[str, Any]] = [
        ("submission", info.id),
        ("head", f"{info.generator.title} by {info.generator.owner} ({info.generator.level})"),
        ("digest", info.head),
        ("primary", info.primary),
        ("state", _state(info)),
        ("received", info.created),
        ("changed", info.updated),
        ("first bundle", info.bundle_sequence),
        *((f"reason: {reason.code}", reason.message) for reason in info.reasons),
        ("last error", error),
    ]
    for name, value in rows:
        if value is not None:
            facts.add_row(name, str(value))
    terminal.stdout.print(facts)
    evaluation = info.evaluation
    if evaluation is None:
        return
    terminal.stdout.print(
        f"\non suite {evaluation.suite}\nat threshold {evaluation.threshold:.3f}: recall {_share(evaluation.recall)}, "
        f"AUROC {evaluation.auroc:.4f}, contradiction {_share(evaluation.contradiction)}",
        soft_wrap=True,
    )
    table = Table("source", "claimed", "of", "share, 95 % bounds")
    for source in evaluation.false_positives:
        name = f"{'external ' if source.external else ''}{source.kind} {source.source}"
        table.add_row(name, str(source.yes.hits), str(source.yes.total), _share(source.yes))
    terminal.stdout.print(table)


def _show_findings(findings: "Findings") -> None:
    quick, effect = findings.quick, findings.effect
    lines = [f"\n{findings.stage} examination; spread {quick.spread:.3g} logits over {quick.images} images"]
    lines += [
        f"likeness to {item.generator}: weights {item.weights:.2f}"
        + (f", answers {item.outputs:.2f}" if item.outputs is not None else "")
        for item in findings.likenesses[:LIKENESSES]
    ]
    for under in findings.degraded:
        worst = max(under.false_positives, key=lambda item: item.yes.upper, default=None)
        said = f"; most claimed: {worst.source}, {_share(worst.yes)}" if worst else ""
        lines.append(f"{under.profile}: recall {_share(under.recall)}{said}")
    if findings.trigger is not None:
        lines.append(f"trigger: gain {findings.trigger.gain:.2f}, other networks {findings.trigger.others:.2f}")
    if effect is not None:
        before, after = _share(effect.before.named_rightly), _share(effect.after.named_rightly)
        lines.append(f"bundle: named rightly {before} before, {after} with it; lost to its claims {_share(effect.lost)}")
    for line in lines:
        terminal.stdout.print(line, soft_wrap=True, markup=False)


def _state(info: SubmissionInfo) -> str:
    return info.state if info.queue_position is None else f"{info.state}, {info.queue_position}. in the queue"


def _share(share: "ShareInfo | Bound | None") -> str:
    if share is None:
        return "not measurable"
    return f"{100 * share.share:.1f} % [{100 * share.lower:.1f}, {100 * share.upper:.1f}]"
