"""What a record file is rendered to: tables and reports, by what the user asked for. Each is written whole or not at all."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from manyheads_client.bundle import Bundle
from manyheads_client.pictures import NO_PICTURES, Find, Pictures, draw_pictures, find_by_name
from manyheads_client.records import read_instruments, read_latest
from manyheads_client.report import Selection, build_report, select
from manyheads_client.sealing import Source
from manyheads_client.tables import load_pyarrow, write_csv, write_parquet
from manyheads_shared.errors import UsageError
from manyheads_shared.files import write_atomic
from manyheads_shared.terminal import progress


@dataclass(frozen=True)
class Renderings:
    """The files to write."""

    csv: Path | None = None
    parquet: Path | None = None
    reports: tuple[Path, ...] = ()  # .html, .pdf

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them."""
        return tuple(path for path in (self.csv, self.parquet, *self.reports) if path)

    def verify(self) -> None:
        """Find out before hours of work what could not be written after them.

        Raises:
            UsageError: a folder that cannot be written to, a report of an unknown kind, a library that is not installed.
        """
        for path in self.reports:
            if path.suffix.lower() not in _WRITERS:
                raise UsageError(f"--report {path}: expected a name that ends in {' or '.join(_WRITERS)}")
        if self.parquet:
            load_pyarrow()
        if any(path.suffix.lower() == ".pdf" for path in self.reports):
            _load_pdf()
        for path in self.paths:
            _verify_writable(path)

    def write(
        self,
        records: Path,
        bundle: Bundle | None,
        *,
        device: str = "auto",
        precision: str = "auto",
        source: Source | None = None,
        find: Find = find_by_name,
    ) -> None:
        """Render a record file.

        Args:
            bundle: that made the records, for the pictures of reports; None: reports without pictures.
            source: what the report says of the file it is rendered from.
            find: where the images lie.
        """
        instrument = next(read_instruments(records), None)
        if self.csv:
            write_csv(self.csv, read_latest(records), instrument)
        if self.parquet:
            write_parquet(self.parquet, read_latest(records), instrument)
        if self.reports:
            selection = replace(select(read_latest(records)), source=source)
            pictures = _draw(selection, bundle, device, precision, find) if bundle else NO_PICTURES
            for path in self.reports:
                _WRITERS[path.suffix.lower()](path, selection, pictures)


def _draw(selection: Selection, bundle: Bundle, device: str, precision: str, find: Find) -> Pictures:
    with progress() as display:
        task = display.add_task("drawing", total=len(selection.cards))
        return draw_pictures(
            selection.cards, bundle, device=device, precision=precision, find=find, on_image=lambda: display.advance(task)
        )


def _write_html(path: Path, selection: Selection, pictures: Pictures) -> None:
    write_atomic(path, build_report(selection, pictures).encode())


def _write_pdf(path: Path, selection: Selection, pictures: Pictures) -> None:
    _load_pdf()(path, selection, pictures)


def _load_pdf() -> Callable[[Path, Selection, Pictures], None]:
    try:
        from manyheads_client.pdf.document import write_pdf  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError("--report FILE.pdf needs reportlab: pip install 'manyheads[pdf]'") from error
    return write_pdf


_WRITERS: dict[str, Callable[[Path, Selection, Pictures], None]] = {".html": _write_html, ".pdf": _write_pdf}


def _verify_writable(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: its folder cannot be made ({error.strerror})") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(f"{path}: expected a file in a folder that can be written to")
