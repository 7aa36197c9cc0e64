"""The report: what it says of a scan, from evidence records alone, and its form as one self-contained HTML page.

The page needs no script, no network and no font; names from files are data and are escaped. Some images are shown in full, the
rest as table rows, so that a scan of any size makes a page that opens. The same on paper: `manyheads_client.pdf`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

from manyheads_client import sentences
from manyheads_client.bars import build_axis
from manyheads_client.cards import Card, build_card
from manyheads_client.instrument import warn_of_age
from manyheads_client.listing import Line, Summary, build_line, summarise
from manyheads_client.pages import build_environment
from manyheads_client.pictures import Pictures
from manyheads_client.records import OldRecord, Record
from manyheads_client.sealing import Source
from manyheads_shared.clock import read_time
from manyheads_shared.decision import State
from manyheads_shared.errors import UsageError
from manyheads_shared.evidence import Examined, Instrument

FULL_CARDS = 200  # about 5 MB of pictures
MAX_ROWS = 5000  # further records are in the record file


@dataclass(frozen=True)
class Selection:
    """What a report shows of a scan."""

    summary: Summary
    cards: tuple[Examined, ...]  # in full
    rows: tuple[Line, ...]  # of those that are not shown in full, the first
    instruments: tuple[Instrument, ...]  # a scan taken up on another machine has two
    last: str | None  # moment of the last record
    source: Source | None = None  # the record file; None: it is kept nowhere


@dataclass(frozen=True)
class Content:
    """A report before it is laid out: the same for every rendering."""

    heading: str
    origin: tuple[str, ...]
    warnings: tuple[str, ...]
    instrument: Instrument | None  # the first
    instruments: tuple[Instrument, ...]
    summary: Summary
    states: tuple[tuple[State, int], ...]
    how_to_read: tuple[str, ...]
    cards: Iterable[Card]  # made one by one as they are taken, once
    shown: str  # which of the images are in full; empty: all
    rows: tuple[Line, ...]
    row_count: int
    scale: float | None  # logits at the ends of the saliency pictures' colours


def select(records: Iterable[Record | OldRecord]) -> Selection:
    """Choose what a report shows, reading the records once.

    Up to `FULL_CARDS` images are shown in full. Where there are more, every verdict gets its share, so that a few unusual
    images do not drown among thousands of usual ones.

    Raises:
        UsageError: records of version 1, which do not hold what a report needs.
    """
    first: dict[State, list[tuple[int, Examined]]] = {state: [] for state in State}
    lines: list[tuple[int, Line]] = []
    instruments: dict[str, Instrument] = {}
    last: list[str] = []

    def sorted_out() -> Iterator[Line]:
        for i, record in enumerate(records):
            line = build_line(record)
            if isinstance(record, OldRecord):
                raise UsageError("these records are of an earlier version, which hold too little for a report; examine again")
            if isinstance(record, Examined):
                instruments.setdefault(record.record.instrument, record.instrument)
                last[:] = [max([*last, record.record.created])]
                if len(first[record.state]) < FULL_CARDS:
                    first[record.state].append((i, record))
                if len(lines) < FULL_CARDS + MAX_ROWS:
                    lines.append((i, line))
            yield line

    summary = summarise(sorted_out())
    in_turn = chain.from_iterable(zip_longest(*first.values()))
    chosen = dict(sorted(islice((entry for entry in in_turn if entry is not None), FULL_CARDS), key=lambda entry: entry[0]))
    rows = islice((line for i, line in lines if i not in chosen), MAX_ROWS)
    return Selection(summary, tuple(chosen.values()), tuple(rows), tuple(instruments.values()), next(iter(last), None))


def build_report(selection: Selection, pictures: Pictures) -> str:
    """Render a report as a page; the same records and pictures give the same page.

    Args:
        selection: of the records of one scan, all made with one bundle.
        pictures: of `selection.cards`.
    """
    return build_environment().get_template("report.html").render(vars(describe(selection, pictures)))


def describe(selection: Selection, pictures: Pictures) -> Content:
    """Say everything a rendering needs."""
    summary, instruments = selection.summary, selection.instruments
    instrument = instruments[0] if instruments else None
    axis = build_axis(instruments)
    return Content(
        heading=sentences.heading(summary.examined, instrument),
        origin=tuple(sentences.origin(selection.last, summary.failed, selection.source)),
        warnings=_warnings(selection),
        instrument=instrument,
        instruments=instruments,
        summary=summary,
        states=tuple((state, summary.states[state]) for state in State),  # those that did not occur are an answer too
        how_to_read=sentences.how_to_read(axis.end),
        cards=(build_card(entry, pictures, axis) for entry in selection.cards),
        shown=_shown(selection),
        rows=selection.rows,
        row_count=summary.examined - len(selection.cards),
        scale=pictures.scale,
    )


def _shown(selection: Selection) -> str:
    """Which images are shown in full, where that is not all of them."""
    full, examined = len(selection.cards), selection.summary.examined
    return f"{full} of {examined} in full, the first of every verdict; the others are listed below" if full < examined else ""


def _warnings(selection: Selection) -> tuple[str, ...]:
    """What weakens the seal and the instruments, the age of their metadata at the last record included; each once."""
    moment = read_time(selection.last) if selection.last else None
    found = (
        warning
        for instrument in selection.instruments
        for warning in (*warn_of_age(instrument.metadata, moment), *instrument.warnings)
    )
    problem = selection.source and selection.source.problem
    return (*([sentences.broken_seal(problem)] if problem else []), *dict.fromkeys(found))
