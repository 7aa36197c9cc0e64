"""What is drawn and not written: signs of verdicts, bars of ratios, the colour scale. Grey is enough to tell them apart."""

import numpy as np
from reportlab.lib.colors import Color, black, white
from reportlab.lib.units import mm
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from manyheads_client import sentences
from manyheads_client.bars import EXAMPLE, Bar, Reach
from manyheads_client.listing import ANSWERS
from manyheads_client.pdf.fonts import BOLD, PLAIN, spell
from manyheads_shared.decision import Answer, State
from manyheads_shared.overlay import jet

INK, QUIET, LINE, PALE = black, Color(0.3, 0.3, 0.3), Color(0.72, 0.72, 0.72), Color(0.93, 0.93, 0.93)
SPEAKS = Color(0.80, 0.80, 0.80)  # under the bar of a yes

BAR_SIZE, BAR_LEADING = 7.5, 9.0  # points
_TITLE, _VALUE, _GAP = 40 * mm, 42 * mm, 3 * mm  # beside a bar's track
_TRACK = 2.6 * mm
_SHADES = 64  # steps of the colour scale


class Sign(Flowable):
    """The sign of a verdict, a shape of its own."""

    def __init__(self, state: State, size: float) -> None:
        super().__init__()
        self.state, self.size = state, size

    def wrap(self, *_: float) -> tuple[float, float]:
        """Width and height."""
        return self.size, self.size

    def draw(self) -> None:
        """Draw it."""
        draw_sign(self.canv, self.state, self.size)


def draw_sign(canvas: Canvas, state: State, size: float) -> None:
    """Draw a verdict's sign into the square from the origin: the shapes of `words.MEANINGS`, which the fonts lack."""
    middle, radius = size / 2, 0.4 * size
    low, high = middle - radius, middle + radius
    canvas.saveState()
    canvas.setStrokeColor(INK)
    canvas.setFillColor(INK)
    canvas.setLineWidth(0.12 * size)
    match state:
        case State.REAL:
            canvas.circle(middle, middle, radius, stroke=1, fill=0)
        case State.ATTRIBUTED:
            canvas.circle(middle, middle, radius, stroke=1, fill=1)
        case State.MULTIPLE:
            _fill(canvas, (middle, 0), (size, middle), (middle, size), (0, middle))
        case State.UNATTRIBUTED:
            _fill(canvas, (0, low), (size, low), (middle, size))
        case State.CONTRADICTORY:
            canvas.lines([(low, low, high, high), (low, high, high, low)])
        case State.INCONCLUSIVE:
            canvas.setDash(0.16 * size, 0.16 * size)
            canvas.circle(middle, middle, radius, stroke=1, fill=0)
    canvas.restoreState()


class BarRow(Flowable):
    """One network's answer: its name, its ratio on the report's axis, the answer in words."""

    def __init__(self, bar: Bar, *, bold: bool = False) -> None:
        super().__init__()
        self._bar, self._font = bar, BOLD if bold else PLAIN
        self._yes = bar.result.answer is Answer.YES
        self._values = [f"{ANSWERS[bar.result.answer]}, score {bar.score}"]
        if not bar.result.valid:
            self._values.append(sentences.NOT_VALID)
        self._titles: list[str] = []

    def wrap(self, width: float, *_: float) -> tuple[float, float]:
        """Width and height: as many lines as the longer of name and answer."""
        self._titles = simpleSplit(spell(self._bar.title), self._font, BAR_SIZE, _TITLE)
        self.width, self.height = width, max(len(self._titles), len(self._values)) * BAR_LEADING + 1.5
        return self.width, self.height

    def draw(self) -> None:
        """Draw it."""
        canvas, first = self.canv, self.height - BAR_SIZE
        _write(canvas, self._titles, self._font, 0, first)
        track = self.width - _TITLE - _VALUE - 2 * _GAP
        canvas.saveState()
        canvas.translate(_TITLE + _GAP, first - 0.3 * mm)
        draw_track(canvas, self._bar.reach, track, yes=self._yes)
        canvas.restoreState()
        value = self.width - _VALUE
        _write(canvas, self._values[:1], BOLD if self._yes else PLAIN, value, first)
        _write(canvas, self._values[1:], PLAIN, value, first - BAR_LEADING)


class ExampleTrack(Flowable):
    """A track with its ends named, for the reader's key."""

    def wrap(self, width: float, *_: float) -> tuple[float, float]:
        """Width and height."""
        self.width, self.height = width, _TRACK + 12
        return self.width, self.height

    def draw(self) -> None:
        """Draw it."""
        self.canv.saveState()
        self.canv.translate(0, 11)
        draw_track(self.canv, EXAMPLE, self.width, yes=False)
        self.canv.restoreState()
        _ends(self.canv, self.width, "speaks against", "1 to 1", "speaks for")


class ColourScale(Flowable):
    """The colours of saliency with their logits."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self._scale = scale

    def wrap(self, width: float, *_: float) -> tuple[float, float]:
        """Width and height."""
        self.width, self.height = width, _TRACK + 12
        return self.width, self.height

    def draw(self) -> None:
        """Draw it."""
        step = self.width / _SHADES
        for i in range(_SHADES):
            colour = jet(np.array([(i + 0.5) / _SHADES], dtype=np.float32))[0]
            self.canv.setFillColor(Color(*(round(float(part), 3) for part in colour)))
            self.canv.rect(i * step, 11, step + 0.2, _TRACK, stroke=0, fill=1)
        _ends(self.canv, self.width, f"\N{MINUS SIGN}{self._scale:g} against", "0", f"+{self._scale:g} for")


def draw_track(canvas: Canvas, reach: Reach | None, width: float, *, yes: bool) -> None:
    """Draw a ratio with its interval from the origin; without a ratio the track is dashed and empty."""
    canvas.setLineWidth(0.4)
    canvas.setStrokeColor(LINE)
    canvas.setFillColor(SPEAKS if yes else PALE)
    if reach is None:
        canvas.setDash(1.5, 1.5)
    canvas.rect(0, 0, width, _TRACK, stroke=1, fill=0 if reach is None else 1)
    canvas.setDash()
    canvas.setStrokeColor(QUIET)
    canvas.line(width / 2, -0.5 * mm, width / 2, _TRACK + 0.5 * mm)
    if reach is None:
        return
    low, mark, high = (share * width / 100 for share in (reach.low, reach.mark, reach.high))
    canvas.setFillColor(QUIET)
    canvas.rect(low, 0.36 * _TRACK, max(high - low, 0.5), 0.28 * _TRACK, stroke=0, fill=1)
    canvas.setFillColor(INK)
    canvas.setStrokeColor(white)
    canvas.setLineWidth(0.6)
    canvas.rect(mark - 0.7 * mm, -0.3 * mm, 1.4 * mm, _TRACK + 0.6 * mm, stroke=1, fill=1)


def _fill(canvas: Canvas, *corners: tuple[float, float]) -> None:
    path = canvas.beginPath()
    path.moveTo(*corners[0])
    for corner in corners[1:]:
        path.lineTo(*corner)
    path.close()
    canvas.drawPath(path, stroke=0, fill=1)


def _write(canvas: Canvas, lines: list[str], font: str, x: float, y: float) -> None:
    canvas.setFillColor(INK)
    canvas.setFont(font, BAR_SIZE)
    for i, line in enumerate(lines):
        canvas.drawString(x, y - i * BAR_LEADING, line)


def _ends(canvas: Canvas, width: float, left: str, middle: str, right: str) -> None:
    canvas.setFillColor(QUIET)
    canvas.setFont(PLAIN, 7)
    canvas.drawString(0, 2, left)
    canvas.drawCentredString(width / 2, 2, middle)
    canvas.drawRightString(width, 2, right)
