"""`manyheads recall`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads_client.commands.options import JsonOption, StoreOption
from manyheads_shared import terminal
from manyheads_shared.terminal import print_json, stdout

if TYPE_CHECKING:
    from manyheads_client.recalling import Recalled, Rest

SHOWN = 50  # images of one file and head, on a terminal; --json has all


def recall(
    records: Annotated[list[Path], typer.Argument(help="Record files, and folders of them.", show_default=False)],
    *,
    store: StoreOption = None,
    document: Annotated[
        list[Path] | None,
        typer.Option("--recall", metavar="FILE", help="A recall, as a hub tells it. Repeatable.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Which of my records rest on a head that was taken back since: yanked, or quarantined.

    What was taken back is told by the store's newest bundle (pull first), by recalls of a hub (--recall), or both; with
    --recall alone no store is asked. Records that such a head claimed are listed, those where it was merely asked are
    counted. Exit code 0: no claim is touched; 1: some are.

    Example: manyheads recall reports/

    Example: manyheads recall scan.jsonl --recall dcgan.json
    """
    from manyheads_client.recalling import find_record_files, find_touched, read_recalled
    from manyheads_client.store import Store, default_store

    asked = store or (None if document else default_store())
    recalled = read_recalled(Store(asked) if asked else None, document or [])
    found = [(file, find_touched(file, recalled)) for file in find_record_files(records)]
    if json:
        print_json(_as_json(recalled.values(), found))
    else:
        _print(list(recalled.values()), found)
    if any(rest.claimed for _, rests in found for rest in rests):
        raise typer.Exit(terminal.EXIT_NO)


def _print(recalled: "list[Recalled]", found: "list[tuple[Path, list[Rest]]]") -> None:
    from manyheads_client.words import printable

    for each in recalled:
        stdout.print(f"{each.title} {each.state}: {printable(each.reason)} ({each.told_by})", soft_wrap=True)
    if not recalled:
        stdout.print("No head was taken back.")
    for file, rests in found:
        for rest in rests:
            words = f"{len(rest.claimed)} images claimed by {rest.recalled.title}, {len(rest.asked)} where it was merely asked"
            stdout.print(f"{file}: {words}", style="bold red" if rest.claimed else "", soft_wrap=True)
            for touched in rest.claimed[:SHOWN]:
                stdout.print(f"    {printable(touched.name)}  {touched.state.value}  {touched.sha256}", soft_wrap=True)
            if len(rest.claimed) > SHOWN:
                stdout.print(f"    and {len(rest.claimed) - SHOWN} more; --json has all")
    clean = sum(not any(rest.claimed for rest in rests) for _, rests in found)
    stdout.print(f"{len(found)} record files, {clean} of them without a claim that is touched", soft_wrap=True)


def _as_json(recalled: Any, found: "list[tuple[Path, list[Rest]]]") -> dict[str, Any]:
    return {
        "recalled": [vars(each) for each in recalled],
        "files": [
            {
                "file": str(file),
                "heads": [
                    {
                        "head": rest.recalled.head,
                        "generator": rest.recalled.title,
                        "claimed": [vars(touched) for touched in rest.claimed],
                        "asked": [vars(touched) for touched in rest.asked],
                    }
                    for rest in rests
                ],
            }
            for file, rests in found
        ],
    }
