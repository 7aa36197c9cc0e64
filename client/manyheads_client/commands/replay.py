"""`manyheads replay`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads_client.commands.options import DeviceOption, ImagesOption, JsonOption, StoreOption
from manyheads_shared import terminal
from manyheads_shared.errors import UsageError
from manyheads_shared.terminal import print_json, progress, stdout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manyheads_client.replaying import Replay
    from manyheads_shared.evidence import Examined


def replay(
    records: Annotated[Path, typer.Argument(help="A record file.", show_default=False)],
    *,
    store: StoreOption = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this image, as the record names it. Repeatable.")
    ] = None,
    images: ImagesOption = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Examine the images of a scan again, with the bundle and the precision of its records, and compare.

    On the same device with the same software every logit is expected to be equal to the last bit; elsewhere the same answers,
    and logits within 0.001. Exit code 0: every record was found again; 1: some differ, or their images are gone.

    Example: manyheads replay scan.jsonl --only photos/a.png
    """
    from manyheads_client.originals import Originals
    from manyheads_client.provenance import StoreShelf
    from manyheads_client.replaying import replay as run
    from manyheads_client.store import Store, default_store

    shelf, originals = StoreShelf(Store(store or default_store())), Originals(images)
    with progress(rate=True) as display:
        task = display.add_task("examining again", total=None)
        replays = list(run(_chosen(records, only), shelf, originals, device=device, on_record=lambda: display.advance(task)))
    if not replays:
        raise UsageError(f"{records}: it holds no record of an examined image" + (f" named {', '.join(only)}" if only else ""))
    if json:
        print_json([_as_json(each) for each in replays])
    else:
        _print(replays)
    if not all(each.holds for each in replays):
        raise typer.Exit(terminal.EXIT_NO)


def _chosen(records: Path, only: list[str] | None) -> "Iterator[Examined]":
    from manyheads_client.records import OldRecord, read_latest
    from manyheads_shared.evidence import Examined

    for record in read_latest(records):
        if isinstance(record, OldRecord):
            raise UsageError(f"{records}: records of an earlier version of manyheads hold too little to be replayed")
        if isinstance(record, Examined) and (not only or record.name in only):
            yield record


def _print(replays: "list[Replay]") -> None:
    from manyheads_client.words import printable

    for each in replays:
        if not each.holds:
            stdout.print(f"{each.outcome.value:8}  {printable(each.entry.name)}: {'; '.join(each.reasons)}", soft_wrap=True)
    counts = Counter(each.outcome for each in replays)
    words = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items())
    largest = max((each.largest for each in replays if each.largest is not None), default=None)
    told = "" if largest is None else f"; largest difference of a logit {largest:.2g}"
    stdout.print(f"{len(replays)} records: {words}{told}", soft_wrap=True)
    moved = dict.fromkeys(reason for each in replays if each.holds for reason in each.reasons)
    for reason in moved:
        stdout.print(f"not as it was: {reason}", soft_wrap=True)


def _as_json(each: "Replay") -> dict[str, Any]:
    item = each.entry.record.item
    return {
        "name": item.name,
        "sha256": item.sha256,
        "outcome": each.outcome.value,
        "largest_difference": each.largest,
        "reasons": list(each.reasons),
    }
