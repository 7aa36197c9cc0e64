"""One image of a report in full: its answers as bars on one axis, its claims and facts in sentences. No page and no markup."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from manyheads_client import sentences
from manyheads_client.pictures import ItemPictures, Pictures
from manyheads_client.words import printable, signed
from manyheads_shared.decision import Answer
from manyheads_shared.evidence import Examined, Instrument, Result, Standing

MAX_BARS = 24  # on one card; the other heads come below it, or stay in the record file
_LEAST_AXIS = 2.0  # log10: a ratio of 100 either way


@dataclass(frozen=True)
class Axis:
    """The log10 likelihood ratios that bars run over: one axis for the whole report, with 0 in its middle."""

    end: float

    @classmethod
    def of(cls, instruments: Iterable[Instrument]) -> "Axis":
        """The axis on which every ratio of these instruments has its place."""
        standings = (s for used in instruments for s in (used.detector, *(head.standing for head in used.heads)))
        return cls(math.ceil(max([_LEAST_AXIS, *(standing.cap for standing in standings if standing.cap is not None)])))

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


@dataclass(frozen=True)
class Bar:
    """One network's answer: its ratio with the interval, and its score against its thresholds in words."""

    title: str
    result: Result
    score: str
    band: str
    reach: Reach | None  # None: no ratio is known


@dataclass(frozen=True)
class Card:
    """One image in full."""

    entry: Examined
    name: str
    pictures: ItemPictures | None
    bars: tuple[Bar, ...]
    more: tuple[Bar, ...]
    claims: tuple[str, ...]  # of the heads that say yes
    facts: tuple[str, ...]
    exif: str

    @property
    def further(self) -> str:
        """What stands for the heads without a bar."""
        return f"{len(self.more)} further heads, all further from their thresholds"


def build_card(entry: Examined, pictures: Pictures, axis: Axis) -> Card:
    """Say everything there is to say of one image."""
    record = entry.record
    heads = sorted(entry.heads, key=lambda pair: pair[0].standing.band.high - pair[1].logit)
    bars = [_bar("detector", record.detector, entry.instrument.detector, axis)]
    bars += [_bar(used.generator.title, result, used.standing, axis) for used, result in heads]
    return Card(
        entry,
        printable(entry.name),
        pictures.find(entry),
        tuple(bars[:MAX_BARS]),
        tuple(bars[MAX_BARS:]),
        tuple(sentences.claim(used.generator.title, result) for used, result in heads if result.answer is Answer.YES),
        tuple(sentences.facts(record)),
        sentences.exif(record.item),
    )


def _bar(title: str, result: Result, standing: Standing, axis: Axis) -> Bar:
    band = f"no below {signed_in_print(standing.band.low)}, yes from {signed_in_print(standing.band.high)}"
    return Bar(title, result, signed_in_print(result.logit), band, _reach(result, axis))


def _reach(result: Result, axis: Axis) -> Reach | None:
    if result.log10_ratio is None:
        return None
    low = -axis.end if result.lower is None else result.lower
    high = axis.end if result.upper is None else result.upper
    return Reach(axis.percent(low), axis.percent(result.log10_ratio), axis.percent(high))


def signed_in_print(logit: float) -> str:
    """A logit as print writes it, with a minus sign in place of the hyphen."""
    return signed(logit).replace("-", "\N{MINUS SIGN}")
