"""The pages: A4, a header that says what the sheet belongs to, `page n of m`, and a table of contents for viewers.

Pages are written as they are made: only the number of all is left open, as a form that is filled at the end.
"""

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate

from manyheads_client.pdf.drawing import LINE, QUIET
from manyheads_client.pdf.fonts import PLAIN, register_fonts, spell

MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
HEIGHT = A4[1] - 2 * MARGIN
_TOP, _BOTTOM = 10 * mm, 9 * mm  # within the margin, of header and footer
_RULE = 15 * mm  # from the edge of the sheet
_SIZE = 6.5  # points
_TOTAL = "total"  # the form that holds the number of pages


class Bookmark(Flowable):
    """A place that the viewer's table of contents names; takes no room."""

    def __init__(self, title: str, key: str) -> None:
        super().__init__()
        self._title, self._key = title, key

    def wrap(self, *_: float) -> tuple[float, float]:
        """Width and height."""
        return 0, 0

    def draw(self) -> None:
        """Set it."""
        self.canv.bookmarkHorizontal(self._key, 0, 30)
        self.canv.addOutlineEntry(self._title, self._key, level=0)


class _Pages(BaseDocTemplate):
    """A document of one kind of page."""

    def __init__(self, stream: BinaryIO, title: str, header: Sequence[str]) -> None:
        super().__init__(
            stream,
            pagesize=A4,
            leftMargin=MARGIN,
            rightMargin=MARGIN,
            topMargin=MARGIN,
            bottomMargin=MARGIN,
            title=title,
            author="manyheads",
            creator="manyheads",
            lang="en",
            initialFontName=PLAIN,
            invariant=1,  # no dates, no random identifier: the same report is the same bytes
        )
        self._header = header
        frame = Frame(MARGIN, MARGIN, WIDTH, HEIGHT, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
        self.addPageTemplates(PageTemplate("page", [frame], onPage=self._furnish))

    def _furnish(self, canvas: Canvas, _: BaseDocTemplate) -> None:
        canvas.saveState()
        canvas.setFillColor(QUIET)
        canvas.setStrokeColor(LINE)
        canvas.setLineWidth(0.4)
        canvas.setFont(PLAIN, _SIZE)
        top = A4[1] - _TOP
        for line in self._header:
            canvas.drawString(MARGIN, top, line)
            top -= 1.3 * _SIZE
        canvas.line(MARGIN, A4[1] - _RULE, A4[0] - MARGIN, A4[1] - _RULE)
        number = f"page {canvas.getPageNumber()} of "
        canvas.drawString(MARGIN, _BOTTOM, number)
        canvas.translate(MARGIN + canvas.stringWidth(number, PLAIN, _SIZE), _BOTTOM)
        canvas.doForm(_TOTAL)
        canvas.restoreState()


class _Total(Flowable):
    """The end of the document: fills the number of all pages in."""

    def wrap(self, *_: float) -> tuple[float, float]:
        """Width and height."""
        return 0, 0

    def draw(self) -> None:
        """Fill it in."""
        canvas = self.canv
        pages = canvas.getPageNumber()
        canvas.beginForm(_TOTAL)
        canvas.setFillColor(QUIET)
        canvas.setFont(PLAIN, _SIZE)
        canvas.drawString(0, 0, str(pages))
        canvas.endForm()


def write_pages(stream: BinaryIO, story: Iterable[Flowable], *, title: str, header: Sequence[str]) -> None:
    """Write a document; the same story gives the same bytes.

    Args:
        header: lines at the head of every page, at most two.
    """
    register_fonts()
    _Pages(stream, title, [spell(line) for line in header]).build([*story, _Total()])
