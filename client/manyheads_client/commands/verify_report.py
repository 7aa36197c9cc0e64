"""`manyheads verify-report`."""

from pathlib import Path
from typing import Annotated

import typer

from manyheads_client.commands.options import ImagesOption, JsonOption, PublicKeyOption, RootOption, read_root_file
from manyheads_shared import terminal
from manyheads_shared.errors import UsageError
from manyheads_shared.terminal import print_json, progress, stdout


def verify_report(
    records: Annotated[Path, typer.Argument(help="A record file that somebody made.", show_default=False)],
    *,
    key: PublicKeyOption = None,
    store: Annotated[
        Path | None, typer.Option(help="A store that holds the bundle; none is looked for by itself.", show_default=False)
    ] = None,
    pack: Annotated[Path | None, typer.Option(help="A pack that holds the bundle.", show_default=False)] = None,
    root: RootOption = None,
    images: ImagesOption = None,
    json: JsonOption = False,
) -> None:
    """Verify a record file of another party: its seal, its lines, every verdict, the bundle, the images. No network, no hub.

    Verdicts, doubts and answers are computed again from the record; with a store or a pack also ratios, intervals and validity,
    from the bundle verified from the root down. What was not checked is said. Exit code 0: what was checked holds; 1: not all.

    Example: manyheads verify-report scan.jsonl --key lab.key.pub --pack bundle.pack --root root.json --images photos/
    """
    from manyheads_client.originals import Originals
    from manyheads_client.provenance import open_shelf
    from manyheads_client.report_verification import Means, verify_report
    from manyheads_client.steps import print_verification
    from manyheads_shared.keys import read_public_half
    from manyheads_shared.passphrase import read_passphrase

    if store is not None and pack is not None:
        raise UsageError("expected --store or --pack, not both")
    if images is not None and not images.is_dir():
        raise UsageError(f"--images {images}: no such folder")
    trusted = read_root_file(root)
    with open_shelf(store, pack, trusted) as shelf:
        means = Means(
            key=read_public_half(key, read_passphrase()) if key else None,
            shelf=shelf,
            root_given=pack is None or trusted is not None,
            originals=Originals(images) if images else None,
        )
        with progress(rate=True) as display:
            task = display.add_task("verifying", total=None)
            verification = verify_report(records, means, on_line=lambda: display.advance(task))
    if json:
        print_json({"file": str(records), **verification.as_json()})
    else:
        print_verification(stdout, verification)
    if not verification.holds:
        raise typer.Exit(terminal.EXIT_NO)
