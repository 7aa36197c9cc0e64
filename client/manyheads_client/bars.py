"""Likelihood ratios as bars over one axis: what the report, on a page or on paper, and the local page draw. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from manyheads_client import sentences
from manyheads_client.words import signed
from manyheads_shared.decision import Answer
from manyheads_shared.evidence import Examined, Instrument, Result, Standing

MAX_BARS = 24  # of one image; the other heads are folded away below them, or stay in the record file
_LEAST_AXIS = 2.0  # log10: a ratio of 100 either way


@dataclass(frozen=True)
class Axis:
    """The log10 likelihood ratios that bars run over: one axis for a whole page, with 0 in its middle."""

    end: float

    def percent(self, log10_ratio: float) -> float:
        """Where a ratio lies, in percent of the axis, held within it."""
        share = 0.5 + log10_ratio / (2 * self.end)
        return round(100 * min(max(share, 0.0), 1.0), 2)


@dataclass(frozen=True)
class Reach:
    """Where a ratio and its interval lie, in percent of the axis."""

    low: float
    mark: float
    high: float


EXAMPLE = Reach(62, 80, 88)  # in the reader's key


@dataclass(frozen=True)
class Bar:
    """One network's answer: its ratio with the interval, and its score against its thresholds in words."""

    column: int  # of the logits: 0 the detector, then the heads in the instrument's order
    title: str
    result: Result
    score: str
    band: str
    reach: Reach | None  # None: no ratio is known


def build_axis(instruments: Iterable[Instrument]) -> Axis:
    """Return the axis that holds every ratio these instruments can give."""
    standings = (s for instrument in instruments for s in (instrument.detector, *(head.standing for head in instrument.heads)))
    return Axis(math.ceil(max([_LEAST_AXIS, *(standing.cap for standing in standings if standing.cap is not None)])))


def build_bars(entry: Examined, axis: Axis) -> tuple[Bar, ...]:
    """Return the detector's bar, then those of all heads, the one highest above its own threshold first."""
    heads = sorted(enumerate(entry.heads, start=1), key=lambda one: one[1][0].standing.band.high - one[1][1].logit)
    detector = _bar(0, "detector", entry.record.detector, entry.instrument.detector, axis)
    return (detector, *(_bar(column, used.generator.title, result, used.standing, axis) for column, (used, result) in heads))


def claims_in_words(bars: Iterable[Bar]) -> tuple[str, ...]:
    """What the heads that say yes claim, and what that is worth."""
    return tuple(sentences.claim(bar.title, bar.result) for bar in bars if bar.column and bar.result.answer is Answer.YES)


def logit_in_words(logit: float) -> str:
    """A logit as it stands in print: signed, with a true minus."""
    return signed(logit).replace("-", "\N{MINUS SIGN}")


def _bar(column: int, title: str, result: Result, standing: Standing, axis: Axis) -> Bar:
    band = f"no below {logit_in_words(standing.band.low)}, yes from {logit_in_words(standing.band.high)}"
    return Bar(column, title, result, logit_in_words(result.logit), band, _reach(result, axis))


def _reach(result: Result, axis: Axis) -> Reach | None:
    if result.log10_ratio is None:
        return None
    low = -axis.end if result.lower is None else result.lower
    high = axis.end if result.upper is None else result.upper
    return Reach(axis.percent(low), axis.percent(result.log10_ratio), axis.percent(high))
