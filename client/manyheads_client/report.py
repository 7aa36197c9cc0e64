"""The report: one self-contained HTML page rendered from evidence records. Only its pictures come from elsewhere.

It needs no script, no network and no font; names from files are data and are escaped. Some images are shown in full, the rest
as table rows, so that a scan of any size makes a page that opens.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

import jinja2

from manyheads_client.bundle import Bundle
from manyheads_client.listing import ANSWERS, Line, Summary, build_line, summarise
from manyheads_client.pictures import ItemPictures, Pictures
from manyheads_client.records import Record
from manyheads_client.words import LIMITS, MEANINGS, decision_rule, printable, signed
from manyheads_shared.bundle import LeftOut, VerifiedHead
from manyheads_shared.calibration import Band
from manyheads_shared.clock import now
from manyheads_shared.decision import State
from manyheads_shared.evidence import EvidenceRecord, Instrument, Measurement

FULL_CARDS = 200  # about 5 MB of pictures
MAX_ROWS = 5000  # further records are in the record file
MAX_SCORES = 24  # bars on one card; the other heads go into a table below it
_PADDING = 0.06  # of the axis, on both sides
_LEFT, _RIGHT = "\N{BLACK LEFT-POINTING SMALL TRIANGLE}", "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}"


@dataclass(frozen=True)
class Axis:
    """The logits that score bars run over: one axis for the whole report."""

    low: float
    high: float

    def percent(self, logit: float) -> float:
        """Where a logit lies, in percent of the axis, held within it."""
        share = (logit - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def beyond(self, logit: float) -> str:
        """An arrow towards a logit that the axis does not reach, otherwise nothing."""
        if self.low <= logit <= self.high:
            return ""
        return _RIGHT if logit > self.high else _LEFT


@dataclass(frozen=True)
class Bar:
    """One score drawn against its band."""

    title: str
    measurement: Measurement
    low: float  # percent of the axis
    high: float
    mark: float
    beyond: str  # an arrow where the score lies outside the axis


@dataclass(frozen=True)
class Card:
    """One image in full."""

    record: EvidenceRecord
    name: str
    pictures: ItemPictures | None
    bars: tuple[Bar, ...]
    more: tuple[Bar, ...]


@dataclass(frozen=True)
class Covered:
    """A generator the bundle covers, with what the hub measured of its head."""

    head: VerifiedHead
    band: Band
    worst_source: str
    worst_upper: float | None


@dataclass(frozen=True)
class Selection:
    """What a report shows of a scan."""

    summary: Summary
    cards: tuple[EvidenceRecord, ...]  # in full
    rows: tuple[Line, ...]  # of those that are not shown in full, the first
    instruments: tuple[Instrument, ...]  # a scan taken up on another machine has two


def select(records: Iterable[Record]) -> Selection:
    """Choose what a report shows, reading the records once.

    Up to `FULL_CARDS` images are shown in full. Where there are more, every verdict gets its share, so that a few unusual
    images do not drown among thousands of usual ones.
    """
    first: dict[State, list[tuple[int, EvidenceRecord]]] = {state: [] for state in State}
    lines: list[tuple[int, Line]] = []
    instruments: dict[Instrument, None] = {}

    def sorted_out() -> Iterator[Line]:
        for i, record in enumerate(records):
            line = build_line(record)
            if isinstance(record, EvidenceRecord):
                instruments[record.instrument] = None
                if len(first[record.state]) < FULL_CARDS:
                    first[record.state].append((i, record))
                if len(lines) < FULL_CARDS + MAX_ROWS:
                    lines.append((i, line))
            yield line

    summary = summarise(sorted_out())
    in_turn = chain.from_iterable(zip_longest(*first.values()))
    chosen = dict(sorted(islice((entry for entry in in_turn if entry is not None), FULL_CARDS), key=lambda entry: entry[0]))
    rows = islice((line for i, line in lines if i not in chosen), MAX_ROWS)
    return Selection(summary, tuple(chosen.values()), tuple(rows), tuple(instruments))


def build_report(selection: Selection, bundle: Bundle, pictures: Pictures) -> str:
    """Render a report.

    Args:
        selection: of the records of one scan, all made with `bundle`.
        pictures: of `selection.cards`.
    """
    summary, axis = selection.summary, _axis(selection.cards, bundle)
    manifest, calibration = bundle.verified.manifest, bundle.verified.calibration
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("manyheads_client"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"logit": _logit, "percent": _percent, "printable": printable}
    return environment.get_template("report.html").render(
        created=now(),
        manifest=manifest,
        primary=bundle.verified.primary,
        calibration=calibration,
        instruments=selection.instruments,
        summary=summary,
        states=_states(summary),
        meanings=MEANINGS,
        detector=bundle.detector_band,
        answers=ANSWERS,
        covered=[_covered(head, band) for head, band in zip(bundle.verified.heads, bundle.head_bands, strict=True)],
        left_out=_left_out(manifest.left_out),
        cards=[_card(record, pictures, axis) for record in selection.cards],
        rows=selection.rows,
        row_count=summary.examined - len(selection.cards),
        scale=pictures.scale,
        axis=axis,
        rule=decision_rule(calibration),
        limits=LIMITS,
    )


def _card(record: EvidenceRecord, pictures: Pictures, axis: Axis) -> Card:
    heads = sorted(record.heads, key=lambda head: head.measurement.high - head.measurement.logit)
    bars = [_bar("detector", record.detector, axis)]
    bars += [_bar(head.generator.title, head.measurement, axis) for head in heads]
    return Card(record, printable(record.item.name), pictures.find(record), tuple(bars[:MAX_SCORES]), tuple(bars[MAX_SCORES:]))


def _bar(title: str, measurement: Measurement, axis: Axis) -> Bar:
    return Bar(
        title,
        measurement,
        low=axis.percent(measurement.low),
        high=axis.percent(measurement.high),
        mark=axis.percent(measurement.logit),
        beyond=axis.beyond(measurement.logit),
    )


def _axis(shown: Sequence[EvidenceRecord], bundle: Bundle) -> Axis:
    """All thresholds, and all but the most extreme twentieth of the scores on either side, fit on the axis."""
    logits = sorted(
        score.logit for record in shown for score in (record.detector, *(head.measurement for head in record.heads))
    )
    cut = len(logits) // 20
    edges = [edge for band in (bundle.detector_band, *bundle.head_bands) for edge in (band.low, band.high)]
    values = [*edges, *logits[cut : len(logits) - cut]]
    low, high = min(values), max(values)
    padding = _PADDING * (high - low) or 1.0
    return Axis(low - padding, high + padding)


def _covered(head: VerifiedHead, band: Band) -> Covered:
    worst = max(head.hub.predicate.false_positives, key=lambda source: source.yes.upper, default=None)
    if worst is None:
        return Covered(head, band, "", None)
    name = f"{worst.kind}/{worst.source}" + (" (external)" if worst.external else "")
    return Covered(head, band, name, worst.yes.upper)


def _states(summary: Summary) -> list[tuple[State, int]]:
    """Every state with its count, in the fixed order; those that did not occur are an answer too."""
    return [(state, summary.states[state]) for state in State]


def _left_out(entries: Sequence[LeftOut]) -> list[LeftOut]:
    return sorted(entries, key=lambda entry: entry.generator.title)


def _logit(value: float) -> str:
    return signed(value).replace("-", "\N{MINUS SIGN}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
