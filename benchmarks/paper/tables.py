"""Records to the paper's tables, as Markdown: means over seeds, with 95 % intervals. Pure.

The interval is Student's t over the seeds: it holds what weights, order and luck do, on one split and one set of test images.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from scipy import special

from benchmarks.markdown import markdown_table
from benchmarks.paper.cells import DETECTION, HEADS, MULTICLASS, Cell, list_cells
from benchmarks.paper.config import REPRESENTATIONS, Config, Representation
from benchmarks.paper.figures import REAL, precision_recall_f1
from benchmarks.paper.records import Record

Records = Mapping[Cell, Record]
Test = Mapping[str, Any]  # one profile's figures


@dataclass(frozen=True)
class Table:
    """One table of the paper."""

    name: str
    title: str
    images: str
    kind: Literal["detection", "binary", "multiclass"]
    representations: tuple[Representation, ...] = REPRESENTATIONS


TABLES = (
    Table("1a", "Detection, pixels", "faces64", "detection", ("pixel",)),
    Table("1b", "Detection, dct", "faces64", "detection", ("dct",)),
    Table("1c", "Detection", "faces128", "detection"),
    Table("2", "Binary attribution", "faces64", "binary"),
    Table("3", "Binary attribution", "faces128", "binary"),
    Table("4", "Attribution among all generators", "faces64", "multiclass"),
)


def cells_of(table: Table, config: Config) -> tuple[Cell, ...]:
    """The cells a table is made of."""
    place = config.images[table.images]
    wanted = {
        "detection": (DETECTION,),
        "binary": (HEADS, place.easy, place.twin),
        "multiclass": (HEADS, MULTICLASS),
    }[table.kind]
    return tuple(
        cell
        for cell in list_cells(config)
        if cell.images == table.images and cell.representation in table.representations and cell.question in wanted
    )


def render_table(table: Table, config: Config, records: Records) -> list[str]:
    """A table as lines of Markdown, with what of it is still missing."""
    cells = cells_of(table, config)
    missing = sum(cell not in records for cell in cells)
    present = [cell for cell in cells if cell in records]
    lines = [f"## Table {table.name}. {table.title}, {table.images}", ""]
    lines += [f"{missing} of {len(cells)} trainings are not done yet.", ""] if missing else []
    if not present:
        return lines
    render = {"detection": _detection_table, "binary": _binary_table, "multiclass": _multiclass_table}[table.kind]
    return [*lines, *render(present, config, records), ""]


def _detection_table(cells: Sequence[Cell], _: Config, records: Records) -> list[str]:
    rows = []
    for cell, seeds in _by_seed(cells, records):
        for profile in _reported(cell, seeds):
            tests = [record["tests"][profile] for record in seeds]
            rows.append(
                (*_place(cell, seeds), profile, *_yes_no_columns(tests, lambda source: source.startswith("generated/")))
            )
    return markdown_table((*_PLACE, *_YES_NO, "unseen generators called fake", "unseen photographs called real"), rows)


def _binary_table(cells: Sequence[Cell], config: Config, records: Records) -> list[str]:
    rows = []
    place = config.images[cells[0].images]
    for generator in (place.easy, place.twin):
        for cell, seeds in _by_seed([cell for cell in cells if cell.question in (HEADS, generator)], records):
            for profile in _reported(cell, seeds):
                tests = [record["tests"][profile] for record in seeds]
                tests = [test[HEADS][generator] if cell.question == HEADS else test for test in tests]
                columns = _yes_no_columns(tests, partial(str.__eq__, f"generated/{generator}"))
                contradictions = [
                    _mean([100 * _share(test["contradictions"][i]) for test in tests]) if "contradictions" in tests[0] else ""
                    for i in range(2)
                ]
                rows.append((generator, *_place(cell, seeds), profile, *columns, *contradictions))
    columns = ("unseen generators refused", "unseen photographs refused", "contradictions of called real", "of claimed")
    return markdown_table(("generator", *_PLACE, *_YES_NO, *columns), rows)


def _multiclass_table(cells: Sequence[Cell], _: Config, records: Records) -> list[str]:
    rows = []
    for cell, seeds in _by_seed(cells, records):
        for profile in _reported(cell, seeds):
            tests = [record["tests"][profile] for record in seeds]
            tests = [test[MULTICLASS] if cell.question == HEADS else test for test in tests]
            accuracies = [100 * accuracy(test["confusion"]) for test in tests]
            rows.append((*_place(cell, seeds), profile, _mean(accuracies), _mean([100 * test["oscr"] for test in tests])))
    return markdown_table((*_PLACE, "accuracy", "OSCR"), rows)


_PLACE = ("network", "input", "phase", "trained on", "seeds", "tested on")
_YES_NO = ("precision", "recall", "F1", "AUROC")


def _place(cell: Cell, seeds: Sequence[Record]) -> tuple[str, ...]:
    trained = cell.profile if cell.trunk in (None, cell.profile) else f"{cell.profile}, trunk {cell.trunk}"
    return cell.network, cell.representation, cell.phase, trained, str(len(seeds))


def _by_seed(cells: Sequence[Cell], records: Records) -> Iterator[tuple[Cell, list[Record]]]:
    """Each cell once, with its records of all seeds."""
    groups: dict[tuple[str | None, ...], list[Cell]] = {}
    for cell in cells:
        key = (cell.network, cell.representation, cell.question, cell.phase, cell.profile, cell.trunk)
        groups.setdefault(key, []).append(cell)
    for group in groups.values():
        yield group[0], [records[cell] for cell in group]


def _reported(cell: Cell, seeds: Sequence[Record]) -> list[str]:
    """Phases I and III on everything; II and IV on the degraded images only."""
    tested = list(seeds[0]["tests"])
    return tested if cell.phase in ("I", "III") else tested[1:]


def _yes_no_columns(tests: Sequence[Test], is_positive: Callable[[str], bool]) -> tuple[str, ...]:
    shares = []
    for test in tests:
        yes = test["yes"]
        shares.append(precision_recall_f1(yes, [source for source in yes if is_positive(source)]))
    detects = any(is_positive(source.removeprefix("external/")) for source in tests[0]["yes"] if source.startswith("external/"))
    generated = [_pooled(test, "external/generated/", says_yes=detects) for test in tests]
    real = [_pooled(test, "external/real/", says_yes=False) for test in tests]
    areas = [test["auroc"] for test in tests]
    return (
        *(_mean([100 * value for value in column]) for column in zip(*shares, strict=True)),
        _mean([100 * area for area in areas]),
        _mean(generated),
        _mean(real),
    )


def _pooled(test: Test, prefix: str, *, says_yes: bool) -> float:
    """Percent answered rightly, over all images under a folder."""
    counts = [pair for source, pair in test["yes"].items() if source.startswith(prefix)]
    hits, total = sum(hit for hit, _ in counts), sum(count for _, count in counts)
    return 100 * float(hits if says_yes else total - hits) / float(total)


def accuracy(confusion: Mapping[str, Mapping[str, int]]) -> float:
    """Share of images put into their own class, as if every source had as many; external ones left out."""
    known = {source: row for source, row in confusion.items() if not source.startswith("external/")}
    own = {source: REAL if source.startswith("real/") else source.partition("/")[2] for source in known}
    return float(np.mean([row.get(own[source], 0) / sum(row.values()) for source, row in known.items()]))


def _share(pair: Sequence[int]) -> float:
    return pair[0] / pair[1] if pair[1] else 0.0


def _mean(values: Sequence[float]) -> str:
    """Mean and half the width of its 95 % interval over seeds; of fewer than three, whose interval says nothing, the mean."""
    mean = float(np.mean(values))
    if len(values) < 3:
        return f"{mean:.1f}"
    half = float(special.stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return f"{mean:.1f} ± {half:.1f}"
