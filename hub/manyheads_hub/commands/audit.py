"""`manyheads-hub audit`: the log of every change, exported and verified."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_hub.commands.arguments import AsJson, Folder
from manyheads_shared import terminal
from manyheads_shared.errors import UsageError

if TYPE_CHECKING:
    from manyheads_hub.audit.chain import Head

app = typer.Typer(help="The audit log: every change, chained by digest.", no_args_is_help=True)

Anchors = Annotated[
    list[str] | None,
    typer.Option("--anchor", help="SEQUENCE:DIGEST noted earlier, which must still be in the log; repeat for more."),
]


@app.command(epilog="Example: manyheads-hub audit export ./hub > audit.jsonl")
def export(
    folder: Folder,
    *,
    after: Annotated[int, typer.Option(help="Only lines after this number.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of stdout.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the log, oldest line first, one canonical JSON document a line. --json changes nothing: it is JSON."""
    from manyheads_hub.audit import log
    from manyheads_hub.hub import open_hub
    from manyheads_shared.files import write_atomic

    with open_hub(folder) as hub, hub.database.read() as session:
        lines = (entry.to_bytes() + b"\n" for entry in log.entries(session, after=after))
        if out is not None:
            write_atomic(out, b"".join(lines))
            return
        for line in lines:
            typer.echo(line, nl=False)


@app.command(epilog="Example: manyheads-hub audit verify ./hub --anchor 120:sha256:9ea7…")
def verify(
    folder: Annotated[Path | None, typer.Argument(help="The hub's folder; not with --file.", show_default=False)] = None,
    *,
    file: Annotated[Path | None, typer.Option(help="An exported log, from its first line on; no hub is needed.")] = None,
    anchor: Anchors = None,
    as_json: AsJson = False,
) -> None:
    """Verify that no line was changed, removed, added or moved, and print the newest one's number and digest.

    Exit code 1 when the log is not what it was. Note what this prints somewhere the hub cannot reach, and give it as --anchor
    the next time: whoever rewrites a whole log cannot rewrite that.
    """
    from manyheads_hub.audit import chain, log
    from manyheads_hub.commands.changing import read

    anchors = tuple(_read_anchor(text) for text in anchor or [])
    if (folder is None) == (file is None):
        raise UsageError("expected either the hub's folder or --file, and not both")
    try:
        if folder is not None:
            head = read(folder, lambda session: log.verify(session, anchors=anchors))
        else:
            assert file is not None
            with file.open("rb") as lines:
                head = chain.verify_chain(chain.read_lines(lines), anchors=anchors)
    except chain.AuditError as error:
        _tell_broken(str(error), as_json=as_json)
        raise typer.Exit(terminal.EXIT_NO) from error
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    if as_json:
        terminal.print_json({"intact": True, "sequence": head.sequence, "digest": head.digest, "problem": None})
    else:
        terminal.stdout.print(f"intact, {head.sequence} lines; anchor {head.sequence}:{head.digest}", soft_wrap=True)


def _tell_broken(problem: str, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json({"intact": False, "sequence": None, "digest": None, "problem": problem})
    else:
        terminal.stdout.print(problem, soft_wrap=True)


def _read_anchor(text: str) -> "Head":
    from manyheads_hub.audit.chain import Head
    from manyheads_shared.digest import parse_digest
    from manyheads_shared.errors import ManifestError

    sequence, _, digest = text.partition(":")
    try:
        return Head(int(sequence), parse_digest(digest))
    except (ValueError, ManifestError) as error:
        raise UsageError(f"--anchor: expected SEQUENCE:sha256:HEX, as `audit verify` prints it, got {text!r}") from error
