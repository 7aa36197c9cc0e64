"""The results of a load test as a page of Markdown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.markdown import markdown_table

Figures = Sequence[Mapping[str, Any]]

INTRODUCTION = """# A hub under load

`make bench-hub` on loopback: hubs, clients and wrk share the machine. One `serve` process each; PostgreSQL without fsync and
one Swift for S3, both in memory; the SQLite hub on disk. The rate limits are lifted. What this means for a hub in production:
[operations](../../docs/operations.md#how-large).
"""


def render(results: Mapping[str, Any]) -> str:
    """Return the page."""
    lines = [INTRODUCTION]
    for part, (title, note, tabulate) in _PARTS.items():
        if part in results:
            measured = results[part]
            beside = f"load average before: {measured['load_before']}"
            about = f"{measured['date']}; {measured['hardware']}; {beside}; `{measured['command']}`."
            lines += [f"## {title}", "", f"{note} {about}", ""]
            lines += [*tabulate(measured["figures"]), ""]
    return "\n".join(lines)


def _reads(figures: Figures) -> list[str]:
    rows = []
    for cell in figures:
        base = cell["servers"].get("nginx")
        for title, server in cell["servers"].items():
            rate = server["a_second"]
            ratio = "" if base is None or title == "nginx" else f"1 / {base['a_second']['median'] / rate['median']:.0f}"
            rows.append(
                (
                    cell["name"],
                    f"{cell['bytes']:,}",
                    title,
                    f"{rate['median']:.0f} ({rate['least']:.0f} to {rate['most']:.0f})",
                    f"{server['p50_ms']['median']:.1f}",
                    f"{server['p99_ms']['median']:.1f}",
                    ratio,
                    f"{server['errors']} of {server['requests']}",
                )
            )
    return markdown_table(("what", "bytes", "from", "a second", "p50 ms", "p99 ms", "of nginx", "errors"), rows)


def _pulls(figures: Figures) -> list[str]:
    rows = [
        (
            row["from"],
            kind,
            row[kind]["clients"],
            _seconds(row[kind]["seconds"], "p50"),
            _seconds(row[kind]["seconds"], "p99"),
            row[kind].get("objects_each", 0),
            f"{row[kind]['bytes_each']:,}",
            _errors(row[kind]),
        )
        for row in figures
        for kind in ("cold", "warm")
    ]
    return markdown_table(("from", "pull", "clients", "p50 s", "p99 s", "objects each", "bytes each", "errors"), rows)


def _submissions(figures: Figures) -> list[str]:
    rows = [
        (
            row["to"],
            "at work" if row["worker"] else "none",
            row["clients"],
            *(_seconds(row["seconds"], name) for name in ("p50", "p99")),
            *(_seconds(row["offer_seconds"], name) for name in ("p50", "p99")),
            _errors(row),
            f"{row['recorded']['rows_as_answered']} of {row['recorded']['rows']} rows, {row['recorded']['jobs']} jobs",
            f"{row['database_bytes_each']:,}",
        )
        for row in figures
    ]
    columns = ("to", "worker", "owners", "p50 s", "p99 s", "offer p50 s", "offer p99 s", "errors", "recorded", "database bytes")
    return markdown_table(columns, rows)


def _evaluations(figures: Figures) -> list[str]:
    rows = [(row["heads"], row["evaluation_seconds"], row["publication_seconds"], row["decision"]) for row in figures]
    return markdown_table(("heads in the catalogue", "evaluation s", "publication s", "decision"), rows)


def _growth(figures: Figures) -> list[str]:
    sizes = [f"{row['heads']:,} heads" for row in figures]
    rows: list[Sequence[Any]] = []
    for name in figures[0]["reads"]:
        waits = (row["reads"][name] for row in figures)
        rows += [(f"{name}, p50 / p99 ms", *(f"{wait['p50_ms']:.1f} / {wait['p99_ms']:.1f}" for wait in waits))]
    rows += [("accept a head, ms", *(row["admission_ms"] for row in figures))]
    rows += [("build and sign a bundle, s", *(row["publication_seconds"] for row in figures))]
    rows += [("the next, with one head more, s", *(row["next_publication_seconds"] for row in figures))]
    for kind in ("cold", "incremental", "warm"):
        rows += [(f"{kind} pull, s", *(row[f"{kind}_pull"]["error"] or row[f"{kind}_pull"]["seconds"] for row in figures))]
        rows += [(f"{kind} pull, objects", *(f"{row[f'{kind}_pull']['objects']:,}" for row in figures))]
        rows += [(f"{kind} pull, bytes of objects", *(f"{row[f'{kind}_pull']['bytes']:,}" for row in figures))]
    for key in ("targets_metadata", "manifest", "calibration", "head", "database", "blob", "target", "metadata"):
        rows += [(_SIZES[key], *(f"{row[f'{key}_bytes']:,}" for row in figures))]
    errors = sum(read["errors"] for row in figures for read in row["reads"].values())
    return [*markdown_table(("", *sizes), rows), "", f"Requests that failed: {errors}."]


_SIZES = {
    "targets_metadata": "TUF targets metadata, bytes",
    "manifest": "bundle manifest, bytes",
    "calibration": "calibration, bytes",
    "head": "a head, bytes",
    "database": "database, bytes",
    "blob": "all blobs, bytes",
    "target": "all TUF targets, bytes",
    "metadata": "all TUF metadata, bytes",
}
_PARTS: Mapping[str, tuple[str, str, Callable[[Figures], list[str]]]] = {
    "reads": (
        "Reads",
        "wrk, 8 connections; each cell three times in turn: the median, and what the three lie between.",
        _reads,
    ),
    "pulls": ("Pulls at once", "Real clients in four processes, each into a store of its own, all verified.", _pulls),
    "submissions": (
        "Submissions at once",
        "The contributor kit in four processes: 20 proof images, then the offer.",
        _submissions,
    ),
    "evaluations": (
        "The worker",
        "Heads and images of 32 pixels; every head in the catalogue brings 48 proof images.",
        _evaluations,
    ),
    "growth": (
        "A growing catalogue",
        "One reader alone; SQLite and a folder in memory. Figures are drawn: 20 sources and 144 scores for each head.",
        _growth,
    ),
}


def _seconds(seconds: Mapping[str, float], name: str) -> str:
    return f"{seconds[name]:.2f}" if seconds else "none"


def _errors(row: Mapping[str, Any]) -> str:
    return f"{row['errors']} of {row['clients']}" + (f": {'; '.join(row['error_texts'])}" if row["errors"] else "")
