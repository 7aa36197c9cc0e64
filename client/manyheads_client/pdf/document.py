"""The document: what a report says, in the order of the page, as paragraphs, tables and drawings.

A card stays on one sheet where it fits; headings stand with what they head, and tables repeat theirs.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, Flowable, HRFlowable, Image, KeepTogether, LongTable, Paragraph, Spacer, Table

from manyheads_client import sentences
from manyheads_client.bars import logit_in_words
from manyheads_client.cards import Card
from manyheads_client.pdf.drawing import INK, LINE, QUIET, BarRow, ColourScale, ExampleTrack, Sign
from manyheads_client.pdf.fonts import BOLD, PLAIN, markup
from manyheads_client.pdf.pages import WIDTH, Bookmark, write_pages
from manyheads_client.pictures import ItemPictures, Pictures
from manyheads_client.report import Content, Selection, describe
from manyheads_client.words import MEANINGS
from manyheads_shared.decision import State
from manyheads_shared.evidence import Instrument, Standing
from manyheads_shared.files import open_atomic

_TEXT = ParagraphStyle("text", fontName=PLAIN, fontSize=8.5, leading=11.5, spaceAfter=3, splitLongWords=1)
_SMALL = ParagraphStyle("small", parent=_TEXT, fontSize=7, leading=9, spaceAfter=1.5, textColor=QUIET)
_CELL = ParagraphStyle("cell", parent=_TEXT, fontSize=7, leading=9, spaceAfter=0)
_HEAD = ParagraphStyle("head", parent=_CELL, fontName=BOLD, textColor=QUIET)
_NAME = ParagraphStyle("name", parent=_TEXT, fontName=BOLD)
_TITLE = ParagraphStyle("title", parent=_TEXT, fontName=BOLD, fontSize=15, leading=19, spaceAfter=4)
_SECTION = ParagraphStyle("section", parent=_TEXT, fontName=BOLD, fontSize=11.5, leading=15, spaceBefore=12, spaceAfter=4)
_WARNING = ParagraphStyle(
    "warning", parent=_TEXT, borderColor=INK, borderWidth=0.8, borderPadding=4, leftIndent=6, spaceBefore=6
)
_CLAIM = ParagraphStyle("claim", parent=_TEXT, leftIndent=8)

_SIGN = 8.0  # points
_PICTURE = 20 * mm  # a side
_LEAST_BELOW_HEADING = 30 * mm  # else the heading goes over to the next page
_HEADING_AND_CARD = 5  # flowables of a heading with a line and the card below it
_PLAIN = (
    ("FONTNAME", (0, 0), (-1, -1), PLAIN),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 1),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
)
_RULED = (
    *_PLAIN[:3],
    ("TOPPADDING", (0, 0), (-1, -1), 2.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ("LINEBELOW", (0, 0), (-1, -1), 0.3, LINE),
)


def write_pdf(path: Path, selection: Selection, pictures: Pictures) -> None:
    """Write a report as PDF, whole or not at all; the same records and pictures give the same bytes.

    Args:
        selection: of the records of one scan, all made with one bundle.
        pictures: of `selection.cards`.
    """
    content = describe(selection, pictures)
    with open_atomic(path) as stream:
        write_pages(stream, _story(content), title=f"Attribution report: {content.heading}", header=_header(content, selection))


def _header(content: Content, selection: Selection) -> Sequence[str]:
    used = content.instrument
    bundle = f", hub {used.hub}, bundle {used.bundle_sequence}, {used.bundle}" if used else ""
    file = (f"record file {selection.source.records}",) if selection.source else ()
    return (f"Attribution report{bundle}", *file)


def _story(content: Content) -> Iterator[Flowable]:
    yield Paragraph(markup(content.heading), _TITLE)
    yield from (Paragraph(markup(said), _SMALL) for said in content.origin)
    yield from (Paragraph(markup(warning), _WARNING) for warning in content.warnings)
    if content.instrument:
        yield from _section("Coverage", _coverage(content.instrument))
    yield from _section("Outcomes", [_outcomes(content)])
    yield from _section("How to read an answer", _key(content))
    if content.summary.examined:
        images = _section("Images", _images(content))
        yield KeepTogether(list(islice(images, _HEADING_AND_CARD)))
        yield from images
    if content.row_count > 0:
        yield from _section("Further images", _further(content))
    if content.summary.failed:
        yield from _section("Could not be examined", _failures(content))
    yield from _section("The six verdicts and the rule behind them", _verdicts(content))
    if content.instrument:
        yield from _section("Instrument", chain.from_iterable(map(_instrument, content.instruments)))
        yield from _section("Limits", [Paragraph(f"• {markup(limit)}", _TEXT) for limit in content.instrument.limits])
    yield Spacer(0, 8)
    yield Paragraph(markup(sentences.END), _SMALL)


def _section(title: str, body: Iterable[Flowable]) -> Iterator[Flowable]:
    yield CondPageBreak(_LEAST_BELOW_HEADING)
    yield Bookmark(title, title)
    yield Paragraph(title, _SECTION)
    yield from body


def _coverage(used: Instrument) -> Iterator[Flowable]:
    yield Paragraph(markup(sentences.coverage(used)), _TEXT)
    yield Paragraph(markup(sentences.conditions(used)), _TEXT)
    if used.heads:
        yield Paragraph(markup(f"{sentences.MEASURED}:"), _SMALL)
        rows = [["detector", "", "", "", *_standing(used.detector)]]
        rows += [
            [
                f"{head.generator.title}, {head.generator.level}, owner {head.generator.owner}",
                sentences.recall(head),
                sentences.worst(head),
                f"{head.auroc:.3f}",
                *_standing(head.standing),
            ]
            for head in used.heads
        ]
        measured = ("generator", "recall, 95 % interval", "most claimed other, upper bound", "AUROC")
        headings = (*measured, "ratios up to", "validated for", "thresholds", "set on other + own")
        yield _table(headings, rows, (31, 25, 26, 13, 18, 27, 17, 17))
    left_out = sentences.why_left_out(used)
    if left_out:
        yield Spacer(0, 4)
        yield Paragraph("Catalogued heads that are left out:", _SMALL)
        yield from (Paragraph(f"• {markup(reason)}", _SMALL) for reason in left_out)


def _standing(standing: Standing) -> list[str]:
    band = standing.band
    return [
        sentences.cap(standing),
        sentences.rungs(standing.validated),
        f"{logit_in_words(band.low)}, {logit_in_words(band.high)}",
        f"{band.negatives} + {band.positives}",
    ]


def _outcomes(content: Content) -> Flowable:
    rows = [
        [Sign(state, _SIGN), _bold(state.value), _bold(str(count)), Paragraph(MEANINGS[state].label, _CELL)]
        for state, count in content.states
    ]
    return Table(rows, colWidths=(6 * mm, 32 * mm, 16 * mm, WIDTH - 54 * mm), style=_RULED)


def _key(content: Content) -> Iterator[Flowable]:
    yield ExampleTrack()
    yield from (Paragraph(markup(sentence), _SMALL) for sentence in content.how_to_read)
    if content.scale:
        yield Spacer(0, 5)
        yield ColourScale(content.scale)
        yield Paragraph(markup(sentences.how_to_see(content.scale)), _SMALL)


def _images(content: Content) -> Iterator[Flowable]:
    yield Paragraph(markup(content.shown), _SMALL)
    for card in content.cards:
        yield KeepTogether(list(_card(card)))


def _card(card: Card) -> Iterator[Flowable]:
    record = card.entry.record
    yield HRFlowable(width="100%", thickness=1.2, color=INK, spaceBefore=6, spaceAfter=3)
    verdict = f"<b>{record.state.value}</b>: {MEANINGS[record.state].label}"
    yield Table([[Sign(record.state, _SIGN), Paragraph(verdict, _TEXT)]], colWidths=(5 * mm, WIDTH - 5 * mm), style=_PLAIN)
    yield Paragraph(markup(card.name), _NAME)
    yield _pictures(card.pictures) if card.pictures else Paragraph(sentences.NO_PICTURE, _SMALL)
    yield Paragraph(markup(record.explanation), _TEXT)
    yield from (Paragraph(markup(claim), _CLAIM) for claim in card.claims)
    yield from (BarRow(bar, bold=i == 0) for i, bar in enumerate(card.bars))
    if card.more:
        yield Paragraph(markup(f"{sentences.further(len(card.more))}; they are in the record."), _SMALL)
    if record.item.resampled:
        yield Paragraph(f"<b>{sentences.RESAMPLED}</b>", _SMALL)
    yield from (Paragraph(markup(fact), _SMALL) for fact in card.facts)
    if card.exif:
        yield Paragraph(f"EXIF data: {markup(card.exif)}", _SMALL)
    yield Paragraph(record.item.sha256, _SMALL)


def _pictures(pictures: ItemPictures) -> Flowable:
    titled = [("as scored", pictures.thumbnail), *((overlay.title, overlay.jpeg) for overlay in pictures.overlays)]
    images = [Image(io.BytesIO(jpeg), _PICTURE, _PICTURE, kind="proportional") for _, jpeg in titled]
    captions = [Paragraph(markup(title), _SMALL) for title, _ in titled]
    return Table([images, captions], colWidths=_PICTURE + 3 * mm, hAlign="LEFT", style=_PLAIN)


def _further(content: Content) -> Iterator[Flowable]:
    headings = ("image", "", "verdict", "claimed by", "detector", "nearest head")
    rows = (
        [row.name, Sign(row.state, 6), row.state.value, row.claimed_by, row.detector, row.nearest]
        for row in content.rows
        if row.state
    )
    yield _table(headings, rows, (63, 4, 23, 30, 22, 32))
    if len(content.rows) < content.row_count:
        yield Paragraph(sentences.more(content.row_count - len(content.rows)), _SMALL)


def _failures(content: Content) -> Iterator[Flowable]:
    summary = content.summary
    yield _table(("file", "reason"), ([line.name, line.nearest] for line in summary.failures), (80, 94))
    if len(summary.failures) < summary.failed:
        yield Paragraph(sentences.more(summary.failed - len(summary.failures)), _SMALL)


def _verdicts(content: Content) -> Iterator[Flowable]:
    rows = [[Sign(state, 6), state.value, MEANINGS[state].means, MEANINGS[state].caution] for state in State]
    yield _table(("", "verdict", "what it means", "what it does not mean"), rows, (4, 24, 68, 78))
    if content.instrument:
        yield Spacer(0, 4)
        yield from (Paragraph(markup(sentence), _TEXT) for sentence in content.instrument.rule)


def _instrument(used: Instrument) -> Iterator[Flowable]:
    facts = [[fact.term, "\n".join(filter(None, (fact.text, *fact.digests)))] for fact in sentences.identify(used)]
    yield _table((), facts, (32, 142))
    if used.heads:
        yield Spacer(0, 6)
        heads = [
            [
                head.generator.title,
                "head\nowner's key\nowner's statement\nhub's statement",
                f"{head.head}\n{head.owner_key}\n{head.owner_statement}\n{head.hub_statement}",
            ]
            for head in used.heads
        ]
        yield _table(("generator", "digest of", ""), heads, (30, 28, 116))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str | Flowable]], widths: Sequence[float]) -> Flowable:
    """A table whose headings stand on every page. Widths are millimetres; a row longer than a page is split."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    if headings:
        cells.insert(0, [Paragraph(heading, _HEAD) for heading in headings])
    columns = [width * mm for width in widths]
    return LongTable(cells, colWidths=columns, repeatRows=1 if headings else 0, splitInRow=1, style=_RULED, hAlign="LEFT")


def _cell(cell: str | Flowable) -> Flowable:
    return Paragraph("<br/>".join(map(markup, cell.split("\n"))), _CELL) if isinstance(cell, str) else cell


def _bold(text: str) -> Flowable:
    return Paragraph(f"<b>{markup(text)}</b>", _CELL)
