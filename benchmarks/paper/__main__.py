"""`benchmarks/paper/run [NAME]…`: the paper's tables and figures, by name, or all of them. What is done is not done again."""

import os
from collections.abc import Sequence
from typing import Annotated

import torch
import typer

from benchmarks.machine import hardware
from benchmarks.paper import cost, sheets, speed
from benchmarks.paper.cells import Cell, list_cells
from benchmarks.paper.config import DATA, WORK, Config, read_config
from benchmarks.paper.images import ImageSet
from benchmarks.paper.records import RESULTS, read_records
from benchmarks.paper.tables import TABLES, cells_of, render_table
from benchmarks.paper.training import Trainer
from benchmarks.paper.work import work_off
from manyheads_shared.compute import choose_compute
from manyheads_shared.errors import UsageError
from manyheads_shared.files import write_atomic
from manyheads_shared.terminal import run

NAMES = (*(table.name for table in TABLES), "cost", "sheets", "speed")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: benchmarks/paper/run 1a 4 --seeds 2021 --workers 2")
def paper(
    names: Annotated[list[str] | None, typer.Argument(help=f"{', '.join(NAMES)}; all of them if none is named.")] = None,
    *,
    seeds: Annotated[list[int] | None, typer.Option(help="Only these seeds of the list. Repeatable.")] = None,
    workers: Annotated[int, typer.Option(help="Processes of one thread each.")] = os.cpu_count() or 1,
    render_only: Annotated[bool, typer.Option("--render", help="Train nothing; write the tables of what is there.")] = False,
) -> None:
    """Train what the named tables still lack, and write them to `benchmarks/results/paper`.

    A killed run loses nothing: run it again. Figures are those of `benchmarks/paper/config.toml`.
    """
    chosen = names or NAMES
    unknown = [name for name in chosen if name not in NAMES]
    if unknown:
        raise UsageError(f"expected {', '.join(NAMES)}, got {', '.join(unknown)}")
    config = read_config()
    if not render_only:
        if not DATA.is_dir():
            print(f"skipped: the real images are not part of the project; expected them in {os.path.relpath(DATA)}")
            return
        wanted = _cells(chosen, config)
        done = read_records(config)
        missing = [cell for cell in wanted if cell not in done and (not seeds or cell.seed in seeds)]
        print(f"{len(missing)} of {len(wanted)} trainings to do; logs in {os.path.relpath(WORK)}/logs", flush=True)
        work_off(missing, config, workers=workers)
        torch.set_num_threads(1)
        trainer = Trainer(config, ImageSet(speed.IMAGES, config), choose_compute("cpu"))
        place = config.images[speed.IMAGES]
        if "sheets" in chosen:
            _write_sheets(trainer, place.easy)
        if "speed" in chosen:
            speed.run(trainer, (place.easy, place.twin), seeds or config.seeds)
    _write_tables(config)


def _cells(names: Sequence[str], config: Config) -> list[Cell]:
    """The cells of the tables and figures named, each once, in the experiment's order."""
    wanted = {cell for table in TABLES if table.name in names for cell in cells_of(table, config)}
    if "cost" in names:
        wanted.update(cost.figure_cells(list_cells(config), config))
    return [cell for cell in list_cells(config) if cell in wanted]


def _write_tables(config: Config) -> None:
    records = read_records(config)
    devices = sorted({record["device"] + ", " + record["precision"] for record in records.values()})
    configs = ", ".join(f"{images} {config.digest_of(images)[:19]}" for images in config.images)
    trained_on = "; ".join(devices) or "nothing yet"
    lines = [
        "# The paper's tables, on the images at hand",
        "",
        f"`benchmarks/paper/run`; {configs}; {hardware()}; trained on: {trained_on}.",
        "",
        "Percent. Means over seeds, with half the width of the 95 % interval over seeds (Student's t) where there are three.",
        "Networks, phases and profiles: docs/results.md.",
        "",
        *(line for table in TABLES for line in render_table(table, config, records)),
    ]
    write_atomic(RESULTS / "tables.md", "\n".join(lines).encode())
    cells = cost.figure_cells(list_cells(config), config)
    if any(cell in records for cell in cells):
        write_atomic(RESULTS / "cost.png", cost.draw_cost(cells, config, records))
    races = speed.read_races(config)
    if races:
        write_atomic(RESULTS / "speed.md", "\n".join(speed.render(races)).encode())
    print(f"tables in {os.path.relpath(RESULTS)}/tables.md: {len(records)} of {len(list_cells(config))} trainings are in them")


def _write_sheets(trainer: Trainer, generator: str) -> None:
    for cell in sheets.sheet_cells(trainer):
        over, alone = sheets.draw_sheets(cell, trainer, generator)
        path = trainer.config.folder_of(cell.images) / f"sheet-{cell.representation}.png"
        write_atomic(path, over)
        write_atomic(RESULTS / f"maps-{cell.representation}.png", alone)
        print(f"over the images: {os.path.relpath(path)}", flush=True)


if __name__ == "__main__":
    run(app)
