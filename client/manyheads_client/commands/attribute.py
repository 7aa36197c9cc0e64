"""`manyheads attribute`."""

import tempfile
from contextlib import ExitStack
from enum import StrEnum
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_client.commands.options import DeviceOption, JsonOption, PrecisionOption, StoreOption
from manyheads_shared.errors import DatasetError, UsageError
from manyheads_shared.passphrase import read_passphrase
from manyheads_shared.terminal import progress, stderr, stdout

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from manyheads_client.bundle import Bundle
    from manyheads_client.engines.port import Engine
    from manyheads_client.inputs import Inputs
    from manyheads_client.listing import Summary
    from manyheads_client.records import RecordFile
    from manyheads_client.saliency.folder import SaliencyFolder
    from manyheads_client.scan import Scanned
    from manyheads_client.sealing import Signatory


class EngineName(StrEnum):
    """Who examines."""

    LOCAL = "local"
    RAY = "ray"


def attribute(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Images, folders to walk, zip and tar archives, patterns; - is one image on stdin.", show_default=False
        ),
    ] = None,
    *,
    lists: Annotated[
        list[Path] | None,
        typer.Option("--list", metavar="FILE", help="Also what FILE lists, a path a line; - is stdin.", show_default=False),
    ] = None,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="Paths in lists end with a zero byte, as of find -print0.")
    ] = False,
    store: StoreOption = None,
    jsonl: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write evidence records here, one a line. An interrupted scan goes on.", show_default=False
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table here, CSV.", show_default=False)] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="The same as Parquet.", show_default=False)] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Write a report here, FILE.html or FILE.pdf. Repeatable.", show_default=False),
    ] = None,
    seal_with: Annotated[
        Path | None,
        typer.Option("--seal-with", metavar="KEY", help="Seal the records with the laboratory's key.", show_default=False),
    ] = None,
    saliency: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write there where in each image its scores come from, as numbers and pictures.",
            show_default=False,
        ),
    ] = None,
    saliency_scale: Annotated[
        float | None,
        typer.Option(
            metavar="LOGITS", help="The ends of the pictures' colours. Default: found over the scan.", show_default=False
        ),
    ] = None,
    stability: Annotated[
        bool, typer.Option("--stability", help="Also try each image after mild changes; takes four times as long.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Threads that decode. Default: one a core, at most 8.", show_default=False)
    ] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    engine: Annotated[
        EngineName, typer.Option(help="local: this process; ray: the actors of a Ray cluster of your own.")
    ] = EngineName.LOCAL,
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="auto: the cluster this machine is in; or HOST:PORT. Default: one on this machine, for the scan.",
            show_default=False,
        ),
    ] = None,
    ray_actors: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that examine. Default: as many as there is room for.", show_default=False),
    ] = None,
    gpus_per_actor: Annotated[
        float | None, typer.Option(min=0, help="GPUs, or a share of one. Default: 1 where there are any.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say of each image which covered generator, if any, claims it. Offline, with the current bundle.

    Scores are compared with tested thresholds; they are no probabilities. A file that cannot be examined is listed with its
    reason and does not stop the others. Exit code 0: done; 5: not one image could be examined.

    Example: manyheads attribute photos/ --jsonl scan.jsonl --report scan.html

    Example: manyheads attribute /shared/photos --engine ray --ray-address auto --store /shared/store --jsonl scan.jsonl

    Example: find /evidence -name '*.jpg' -print0 | manyheads attribute --list - -0 --jsonl scan.jsonl
    """
    from manyheads_client.bundle import Bundle
    from manyheads_client.engines.cluster import Cluster
    from manyheads_client.engines.opening import open_engine
    from manyheads_client.engines.port import Options
    from manyheads_client.inputs import Inputs
    from manyheads_client.instrument import warn_of
    from manyheads_client.records import RecordFile
    from manyheads_client.rendering import Renderings
    from manyheads_client.sealing import describe_source, seal_path, seal_records

    signatory = _read_signatory(seal_with, jsonl)
    cluster = Cluster(ray_address, ray_actors, gpus_per_actor) if engine is EngineName.RAY else None
    if cluster is None and (ray_address, ray_actors, gpus_per_actor) != (None, None, None):
        raise UsageError("--ray-address, --ray-actors and --gpus-per-actor need --engine ray")
    inputs = Inputs(paths or [], lists or [], null=null)
    inputs.verify()
    renderings = Renderings(csv, parquet, tuple(report or ()))
    renderings.verify()
    folder = _open_folder(saliency, saliency_scale, engine)
    options = Options(device, precision, stability, jobs)
    bundle = Bundle.open(store)
    for warning in warn_of(bundle):
        stderr.print(f"warning: {warning}", style="yellow", markup=False)
    with ExitStack() as stack:
        path = jsonl or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="manyheads-"))) / "records.jsonl"
        opened = open_engine(bundle, store, options, cluster=cluster, saliency=folder)
        with RecordFile(path, bundle.verified.digest) as file, opened as running:
            scanned = _scan(inputs, file, running, folder)
        overlays = _draw(folder, path) if folder else None
        if signatory:
            seal_records(path, signatory)
        source = describe_source(path) if jsonl else None
        drawing = "auto" if cluster else device  # pictures are made here, whoever examined
        renderings.write(path, bundle, device=drawing, precision=precision, source=source)
        summary = _print_json(path) if json else _print_result(path, bundle)
        if not json:
            sealed = seal_path(path) if signatory else None
            written = (file for file in (jsonl, sealed, *renderings.paths) if file)
            told = (overlays,) if overlays else ()
            for line in (_speed(scanned, running), *(f"Written: {path}" for path in written), *told):
                stdout.print(line, markup=False, soft_wrap=True)
    if inputs.passed_over:
        stderr.print(_passed_over(inputs), markup=False, soft_wrap=True)
    if not summary.examined:
        raise DatasetError(f"not one of {summary.failed} files could be examined; the reasons are listed above")


def _read_signatory(key: Path | None, jsonl: Path | None) -> "Signatory | None":
    """Read the key before hours of work."""
    from manyheads_client.sealing import Signatory
    from manyheads_shared.keys import read_private_key

    if key is None:
        return None
    if jsonl is None:
        raise UsageError("--seal-with seals a record file: name one with --jsonl")
    return Signatory(read_private_key(key, read_passphrase()))


def _open_folder(saliency: Path | None, scale: float | None, engine: EngineName) -> "SaliencyFolder | None":
    """Find out before hours of work whether maps can be written."""
    from manyheads_client.saliency.folder import SaliencyFolder

    if saliency is None:
        if scale is not None:
            raise UsageError("--saliency-scale is for the pictures that --saliency FOLDER writes; name a folder too")
        return None
    if engine is not EngineName.LOCAL:
        raise UsageError("--saliency writes where images are examined, and that is this machine with --engine local alone")
    folder = SaliencyFolder(saliency, scale)
    folder.verify()
    return folder


def _scan(inputs: "Inputs", file: "RecordFile", engine: "Engine", folder: "SaliencyFolder | None") -> "Scanned":
    from manyheads_client.scan import scan

    items = inputs.items()
    first = next(items, None)
    if first is None:
        where = ", ".join(map(str, (*inputs.paths, *inputs.lists))) or "nothing: name images or folders"
        raise DatasetError(f"no png, jpeg or webp file under {where}. {_passed_over(inputs)}".rstrip())
    with progress(rate=True) as display:
        task = display.add_task("examining", total=None)
        if not display.disable:
            Thread(target=_count, args=(inputs, display, task), daemon=True).start()
        return scan(chain([first], items), file, engine, saliency=folder, on_item=lambda: display.advance(task))


def _draw(folder: "SaliencyFolder", records: Path) -> str:
    """Draw the overlays; say on which scale."""
    from manyheads_client.records import read_latest

    with progress(rate=True) as display:
        task = display.add_task("drawing", total=None)
        said = folder.draw(lambda: read_latest(records), on_image=lambda: display.advance(task))
    scale = (
        "no overlays: nothing to show" if said.scale is None else f"overlays of {said.images}, colours to {said.scale:g} logits"
    )
    return f"Written: {folder.path} ({scale})"


def _count(inputs: "Inputs", display: "Progress", task: "TaskID") -> None:
    """Find out how many images there are while the first are examined."""
    display.update(task, total=inputs.count())


def _print_json(path: Path) -> "Summary":
    """Print records and instruments as one JSON value, never holding it whole."""
    from manyheads_client.listing import build_line, print_records, summarise
    from manyheads_client.records import read_latest

    print_records(path)
    return summarise(map(build_line, read_latest(path)))


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


def _speed(scanned: "Scanned", engine: "Engine") -> str:
    before = f" {scanned.passed} were recorded before." if scanned.passed else ""
    if not scanned.examined:
        return f"Nothing was left to examine.{before}"
    rate = scanned.examined / scanned.seconds
    return f"{scanned.examined} images in {scanned.seconds:.1f} s ({rate:.0f} a second) on {engine.where}.{before}"


def _passed_over(inputs: "Inputs") -> str:
    if not inputs.passed_over:
        return ""
    kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in inputs.passed_over.most_common(5))
    total = inputs.passed_over.total()
    return f"{total} other file{'' if total == 1 else 's'} passed over ({kinds}); name a file outright to examine it anyway."
