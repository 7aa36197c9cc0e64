"""`manyheads case`: evidence, scans and a custody log in one folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads_client.commands.options import (
    DeviceOption,
    JsonOption,
    LaboratoryKeyOption,
    PrecisionOption,
    PublicKeyOption,
    RootOption,
    StoreOption,
    read_root_file,
)
from manyheads_shared import terminal
from manyheads_shared.passphrase import read_passphrase
from manyheads_shared.terminal import print_json, progress, stdout

if TYPE_CHECKING:
    from manyheads_client.case import Case
    from manyheads_client.custody import CustodyEntry

app = typer.Typer(help="Case folders: evidence, scans and a custody log of every act.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The case's folder.", show_default=False)]
WhoOption = Annotated[
    str | None,
    typer.Option("--examiner", metavar="NAME", help="Who does this. Default: who opened the case.", show_default=False),
]


@app.command("new")
def new(
    folder: Folder,
    *,
    case_id: Annotated[str, typer.Option("--id", help="What the laboratory calls the case.", show_default=False)],
    examiner: Annotated[str, typer.Option(metavar="NAME", help="Who opens it.", show_default=False)],
    laboratory: Annotated[str, typer.Option(metavar="NAME", help="Whose case it is.", show_default=False)],
    key: LaboratoryKeyOption,
    json: JsonOption = False,
) -> None:
    """Open a case in a new folder. Its first line names the key that is to seal its scans; only the public half is kept.

    Example: manyheads case new case-117 --id 2026-117 --examiner "A. Lovelace" --laboratory "Lab 4" --key lab.key
    """
    from manyheads_client.case import new_case
    from manyheads_shared.keys import read_public_half

    public = read_public_half(key, read_passphrase())
    case = new_case(folder, case_id=case_id, examiner=examiner, laboratory=laboratory, key=public)
    if json:
        print_json({"folder": str(folder), "id": case.id, "key_id": public.keyid})
        return
    stdout.print(f"{folder}: case {case.id} of {case.laboratory}, sealed by key {public.keyid[:12]}", soft_wrap=True)


@app.command("add")
def add(
    folder: Folder,
    paths: Annotated[list[Path], typer.Argument(help="Files, and folders with all they hold.", show_default=False)],
    *,
    who: WhoOption = None,
    json: JsonOption = False,
) -> None:
    """Copy evidence into a case, read-only and named by its digest; the names it came with are in the log.

    Example: manyheads case add case-117 /media/stick/photos
    """
    from manyheads_client.intake import add_evidence
    from manyheads_client.words import printable

    with progress() as display:
        task = display.add_task("copying", total=None)
        added = add_evidence(folder, paths, who=who, on_file=lambda: display.advance(task))
    if json:
        print_json([vars(evidence) for evidence in added])
        return
    for evidence in added:
        stdout.print(f"{evidence.digest}  {printable(evidence.name)}", soft_wrap=True)
    stdout.print(f"{len(added)} files added", soft_wrap=True)


@app.command("examine")
def examine(
    folder: Folder,
    *,
    key: LaboratoryKeyOption,
    store: StoreOption = None,
    who: WhoOption = None,
    stability: Annotated[bool, typer.Option("--stability", help="Also try each image after mild changes.")] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Attribute every image in a case's evidence with the store's current bundle, and seal the records.

    A scan that was interrupted goes on. Every finished one stays, so that examining again with a later bundle adds another.

    Example: manyheads case examine case-117 --key lab.key
    """
    from manyheads_client.bundle import Bundle
    from manyheads_client.case_scan import examine_case
    from manyheads_client.engines.port import Options
    from manyheads_shared.keys import read_private_key

    signer = read_private_key(key, read_passphrase())
    bundle = Bundle.open(store)

    with progress(rate=True) as display:
        task = display.add_task("examining", total=None)
        done = examine_case(
            folder,
            bundle,
            signer,
            Options(device, precision, stability),
            who=who,
            on_item=lambda: display.advance(task),
        )
    seal = done.sealed.seal
    if json:
        print_json({"records": str(done.file), "key_id": done.sealed.key_id, "seal": seal.model_dump(mode="json")})
        return
    stdout.print(
        f"{done.file}: {seal.examined} images examined and {seal.failed} failed, sealed by key {done.sealed.key_id[:12]}; "
        f"`manyheads show {done.file}`",
        soft_wrap=True,
    )


@app.command("note")
def note(
    folder: Folder,
    text: Annotated[str, typer.Argument(help="What is to be kept.", show_default=False)],
    *,
    who: WhoOption = None,
    json: JsonOption = False,
) -> None:
    """Write something down in a case's log, where it stays.

    Example: manyheads case note case-117 "stick received from officer 12, sealed bag 4711"
    """
    from manyheads_client.case import add_note

    entry = add_note(folder, text, who=who)
    if json:
        print_json(entry.model_dump(mode="json"))
        return
    stdout.print(f"line {entry.sequence}, {entry.time}", soft_wrap=True)


@app.command("show")
def show(folder: Folder, *, json: JsonOption = False) -> None:
    """Show a case: every act in its log, and what there is.

    Example: manyheads case show case-117
    """
    from manyheads_client.case import read_case
    from manyheads_client.listing import print_columns
    from manyheads_client.words import printable

    case = read_case(folder)
    if json:
        print_json(_as_json(case))
        return
    stdout.print(f"Case {case.id} of {case.laboratory}, opened by {case.examiner} on {case.opened.time}", soft_wrap=True)
    stdout.print(f"sealed by key {case.key.keyid}", soft_wrap=True)
    stdout.print()
    rows = [("line", "time", "who", "action", "what")]
    rows += [(str(e.sequence), e.time, printable(e.who), e.action, printable(_words(e))) for e in case.entries]
    print_columns(stdout, rows)


@app.command("verify")
def verify(
    folder: Folder,
    *,
    key: PublicKeyOption = None,
    store: Annotated[
        Path | None, typer.Option(help="A store that holds the bundles; none is looked for by itself.", show_default=False)
    ] = None,
    pack: Annotated[Path | None, typer.Option(help="A pack that holds the bundle.", show_default=False)] = None,
    root: RootOption = None,
    json: JsonOption = False,
) -> None:
    """Verify a case: its log, its evidence, its seals, every record. No network, no hub.

    Exit code 0: what was checked holds; 1: not all. What was not checked is said.

    Example: manyheads case verify case-117 --key lab.key.pub --store store/
    """
    from manyheads_client.case_verification import verify_case
    from manyheads_client.provenance import open_shelf
    from manyheads_client.steps import print_verification
    from manyheads_shared.keys import read_public_half

    with open_shelf(store, pack, read_root_file(root)) as shelf:
        public = read_public_half(key, read_passphrase()) if key else None
        with progress() as display:
            task = display.add_task("verifying", total=None)
            verification = verify_case(folder, public, shelf, on_line=lambda: display.advance(task))
    if json:
        print_json({"folder": str(folder), **verification.as_json()})
    else:
        print_verification(stdout, verification)
    if not verification.holds:
        raise typer.Exit(terminal.EXIT_NO)


def _words(entry: "CustodyEntry") -> str:
    details = entry.details
    match entry.action:
        case "evidence.added":
            return f"{details['name']}, {details['size_bytes']} bytes, {entry.subject}"
        case "scan.started":
            return f"{entry.subject}, bundle {details['bundle_sequence']} of hub {details['hub']}"
        case "scan.sealed":
            return f"{entry.subject}, {details['examined']} examined, {details['failed']} failed, {details['records']}"
        case "note.added":
            return str(details["text"])
        case _:
            return f"{entry.subject}, {details['laboratory']}"


def _as_json(case: "Case") -> dict[str, Any]:
    return {
        "folder": str(case.folder),
        "id": case.id,
        "laboratory": case.laboratory,
        "examiner": case.examiner,
        "key_id": case.key.keyid,
        "evidence": [vars(evidence) for evidence in case.evidence],
        "scans": [{"file": scan.file, "bundle": scan.bundle, "sealed": scan.sealed is not None} for scan in case.scans],
        "log": [entry.model_dump(mode="json") for entry in case.entries],
    }
