"""The report: one self-contained HTML page rendered from evidence records alone; only its pictures come from elsewhere.

It needs no script, no network and no font; names from files are data and are escaped. Some images are shown in full, the rest
as table rows, so that a scan of any size makes a page that opens.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import Any

import jinja2

from manyheads_client.instrument import warn_of_age
from manyheads_client.listing import ANSWERS, Line, Summary, build_line, summarise
from manyheads_client.pictures import ItemPictures, Pictures
from manyheads_client.records import OldRecord, Record
from manyheads_client.sealing import Source
from manyheads_client.words import (
    MEANINGS,
    SCALE,
    condition_in_words,
    printable,
    ratio_in_words,
    signed,
    support_in_words,
)
from manyheads_shared.clock import read_time
from manyheads_shared.decision import Answer, State
from manyheads_shared.errors import UsageError
from manyheads_shared.evidence import Examined, Instrument, Result, Standing

FULL_CARDS = 200  # about 5 MB of pictures
MAX_ROWS = 5000  # further records are in the record file
MAX_BARS = 24  # on one card; the other heads go into a table below it
_LEAST_AXIS = 2.0  # log10: a ratio of 100 either way


@dataclass(frozen=True)
class Axis:
    """The log10 likelihood ratios that bars run over: one axis for the whole report, with 0 in its middle."""

    end: float

    def percent(self, log10_ratio: float) -> float:
        """Where a ratio lies, in percent of the axis, held within it."""
        share = 0.5 + log10_ratio / (2 * self.end)
        return round(100 * min(max(share, 0.0), 1.0), 2)


@dataclass(frozen=True)
class Bar:
    """One network's answer: its ratio with the interval, and its score against its thresholds in words."""

    title: str
    result: Result
    band: str
    low: float | None  # percent of the axis
    mark: float | None
    high: float | None


@dataclass(frozen=True)
class Card:
    """One image in full."""

    entry: Examined
    name: str
    condition: str
    pictures: ItemPictures | None
    bars: tuple[Bar, ...]
    more: tuple[Bar, ...]
    claims: tuple[tuple[str, str, str], ...]  # of the heads that say yes: title, ratio, what it supports


@dataclass(frozen=True)
class Selection:
    """What a report shows of a scan."""

    summary: Summary
    cards: tuple[Examined, ...]  # in full
    rows: tuple[Line, ...]  # of those that are not shown in full, the first
    instruments: tuple[Instrument, ...]  # a scan taken up on another machine has two
    last: str | None  # moment of the last record
    source: Source | None = None  # the record file; None: it is kept nowhere


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
    """Render a report; the same records and pictures give the same page.

    Args:
        selection: of the records of one scan, all made with one bundle.
        pictures: of `selection.cards`.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("manyheads_client"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"logit": _logit, "percent": _percent, "printable": printable, "odds": _cap}
    return environment.get_template("report.html").render(describe(selection, pictures))


def describe(selection: Selection, pictures: Pictures) -> Mapping[str, Any]:
    """Everything a rendering needs, by the names that templates use."""
    summary, instruments = selection.summary, selection.instruments
    axis = _axis(instruments)
    return {
        "instruments": instruments,
        "instrument": instruments[0] if instruments else None,
        "warnings": _warnings(selection),
        "summary": summary,
        "states": [(state, summary.states[state]) for state in State],  # those that did not occur are an answer too
        "meanings": MEANINGS,
        "answers": ANSWERS,
        "cards": [_card(entry, pictures, axis) for entry in selection.cards],
        "rows": selection.rows,
        "row_count": summary.examined - len(selection.cards),
        "scale": pictures.scale,
        "axis": axis,
        "verbal": SCALE,
        "last": selection.last,
        "source": selection.source,
    }


def _card(entry: Examined, pictures: Pictures, axis: Axis) -> Card:
    record = entry.record
    heads = sorted(entry.heads, key=lambda pair: pair[0].standing.band.high - pair[1].logit)
    bars = [_bar("detector", record.detector, entry.instrument.detector, axis)]
    bars += [_bar(used.generator.title, result, used.standing, axis) for used, result in heads]
    claims = tuple(
        (used.generator.title, ratio_in_words(result), support_in_words(result))
        for used, result in heads
        if result.answer is Answer.YES
    )
    return Card(
        entry,
        printable(entry.name),
        condition_in_words(record.strata),
        pictures.find(entry),
        tuple(bars[:MAX_BARS]),
        tuple(bars[MAX_BARS:]),
        claims,
    )


def _bar(title: str, result: Result, standing: Standing, axis: Axis) -> Bar:
    band = f"no below {_logit(standing.band.low)}, yes from {_logit(standing.band.high)}"
    if result.log10_ratio is None:
        return Bar(title, result, band, None, None, None)
    low = -axis.end if result.lower is None else result.lower
    high = axis.end if result.upper is None else result.upper
    return Bar(title, result, band, axis.percent(low), axis.percent(result.log10_ratio), axis.percent(high))


def _axis(instruments: Iterable[Instrument]) -> Axis:
    standings = (s for instrument in instruments for s in (instrument.detector, *(head.standing for head in instrument.heads)))
    return Axis(math.ceil(max([_LEAST_AXIS, *(standing.cap for standing in standings if standing.cap is not None)])))


def _warnings(selection: Selection) -> list[str]:
    """What weakens the instruments, the age of their metadata at the last record included; each once."""
    moment = read_time(selection.last) if selection.last else None
    found = (
        warning
        for instrument in selection.instruments
        for warning in (*warn_of_age(instrument.metadata, moment), *instrument.warnings)
    )
    return list(dict.fromkeys(found))


def _logit(value: float) -> str:
    return signed(value).replace("-", "\N{MINUS SIGN}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _cap(log10_ratio: float) -> str:
    return f"{10**log10_ratio:.0f} to 1"
