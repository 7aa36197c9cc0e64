"""`manyheads attribute`."""

import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_client.commands.options import JsonOption, StoreOption
from manyheads_shared.errors import DatasetError, UsageError
from manyheads_shared.files import write_atomic
from manyheads_shared.terminal import print_json, progress, stderr, stdout

if TYPE_CHECKING:
    from manyheads_client.bundle import Bundle
    from manyheads_client.inputs import Inputs
    from manyheads_client.listing import Summary
    from manyheads_client.records import Record, RecordFile

WRITE_IMAGES = 64  # records synced at once …
WRITE_SECONDS = 2.0  # … or after this long: what a kill can cost


def attribute(
    paths: Annotated[list[Path], typer.Argument(help="Images, and folders to walk.", show_default=False)],
    *,
    store: StoreOption = None,
    jsonl: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write evidence records here, one a line. An interrupted scan goes on.", show_default=False
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write an HTML report here.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto (float32, as the thresholds), float32 or bfloat16.")] = "auto",
    json: JsonOption = False,
) -> None:
    """Say of each image which covered generator, if any, claims it. Offline, with the current bundle.

    Scores are compared with tested thresholds; they are no probabilities. A file that cannot be examined is listed with its
    reason and does not stop the others. Exit code 0: done; 5: not one image could be examined.

    Example: manyheads attribute photos/ --jsonl scan.jsonl --report scan.html
    """
    from manyheads_client.bundle import Bundle
    from manyheads_client.inputs import collect_inputs
    from manyheads_client.listing import build_line, summarise
    from manyheads_client.records import RecordFile, read_latest

    inputs = collect_inputs(paths)
    if not inputs.images:
        raise DatasetError(f"no png, jpeg or webp file under {', '.join(map(str, paths))}. {_passed_over(inputs)}")
    if report:
        _check_writable(report)
    bundle = Bundle.open(store)
    for warning in bundle.warnings():
        stderr.print(f"warning: {warning}", style="yellow", markup=False)
    with ExitStack() as stack:
        path = jsonl or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="manyheads-"))) / "records.jsonl"
        file = stack.enter_context(RecordFile(path, bundle.verified.digest))
        before = f" {len(file.done)} were recorded before." if file.done else ""
        speed = _examine([image for image in inputs.images if not file.has(image)], file, bundle, device, precision)
        if report:
            _write_report(report, path, bundle, device, precision)
        if json:
            print_json([record.model_dump(mode="json") for record in read_latest(path)])
            summary = summarise(map(build_line, read_latest(path)))
        else:
            summary = _print_result(path, bundle)
            for line in (speed + before, *(f"Written: {written}" for written in (jsonl, report) if written)):
                stdout.print(line, markup=False, soft_wrap=True)
    if inputs.passed_over:
        stderr.print(_passed_over(inputs), markup=False, soft_wrap=True)
    if not summary.examined:
        raise DatasetError(f"not one of {summary.failed} files could be examined; the reasons are listed above")


def _print_result(path: Path, bundle: "Bundle") -> "Summary":
    from manyheads_client.listing import print_summary, print_table
    from manyheads_client.records import read_latest

    summary = print_table(stdout, lambda: read_latest(path))
    stdout.print()
    print_summary(stdout, summary)
    manifest = bundle.verified.manifest
    covered = ", ".join(bundle.generators) or "no generator"
    stdout.print(f"Bundle {manifest.sequence} of hub {manifest.hub} covers: {covered}.", markup=False, soft_wrap=True)
    if left_out := [entry.generator.title for entry in manifest.left_out]:
        stdout.print(f"Left out of it: {', '.join(left_out)} (see `manyheads show`).", markup=False, soft_wrap=True)
    return summary


def _examine(images: Sequence[Path], file: "RecordFile", bundle: "Bundle", device: str, precision: str) -> str:
    """Attribute what is not recorded yet, writing as it goes; return the speed in words."""
    if not images:
        return "Nothing was left to examine."
    from manyheads_client.analysis import attribute as attribute_images
    from manyheads_shared.compute import choose_compute

    compute = choose_compute(device, precision)
    bundle.scorer(compute)  # loading it is not the images' time
    started = written = time.monotonic()
    pending: list[Record] = []
    results = attribute_images(images, bundle, device=device, precision=precision)
    try:
        with progress() as display:
            for result in display.track(results, total=len(images), description="examining"):
                pending.append(result.record)
                if len(pending) >= WRITE_IMAGES or time.monotonic() - written > WRITE_SECONDS:
                    file.write(pending)
                    pending, written = [], time.monotonic()
    finally:
        file.write(pending)
    seconds = time.monotonic() - started
    return (
        f"{len(images)} images in {seconds:.1f} s ({len(images) / seconds:.0f} a second) on {compute.device_name}, "
        f"{compute.precision}."
    )


def _check_writable(path: Path) -> None:
    """Find out before hours of work that there is nowhere to write to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--report {path}: its folder cannot be made ({error.strerror})") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(f"--report {path}: expected a file in a folder that can be written to")


def _write_report(path: Path, records: Path, bundle: "Bundle", device: str, precision: str) -> None:
    from manyheads_client.pictures import draw_pictures
    from manyheads_client.records import read_latest
    from manyheads_client.report import build_report, select

    selection = select(read_latest(records))
    with progress() as display:
        task = display.add_task("drawing", total=len(selection.cards))
        pictures = draw_pictures(
            selection.cards, bundle, device=device, precision=precision, on_image=lambda: display.advance(task)
        )
    write_atomic(path, build_report(selection, bundle, pictures).encode())


def _passed_over(inputs: "Inputs") -> str:
    if not inputs.passed_over:
        return ""
    kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in inputs.passed_over.most_common(5))
    total = inputs.passed_over.total()
    return f"{total} other file{'' if total == 1 else 's'} passed over ({kinds}); name a file outright to examine it anyway."
