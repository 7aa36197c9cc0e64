"""The local page and its parts as HTML: a sitting's values under the names that templates use. No pixel is touched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from manyheads_client import sentences
from manyheads_client.bars import MAX_BARS, Axis, Bar, build_axis, build_bars, claims_in_words
from manyheads_client.examine.changes import RANGES, UNCHANGED, Change
from manyheads_client.examine.session import Held, Session
from manyheads_client.instrument import warn_of
from manyheads_client.pages import build_environment
from manyheads_client.words import ratio_in_words, support_in_words
from manyheads_shared.clock import read_time
from manyheads_shared.condition import Condition, Stratum
from manyheads_shared.decision import State
from manyheads_shared.evidence import Examined, Result, UpdateMetadata
from manyheads_shared.image import MAX_FILE_BYTES
from manyheads_shared.overlay import OPACITY
from manyheads_shared.preprocess import MAX_NATIVE_PIXELS
from manyheads_shared.rungs import Ladder
from manyheads_shared.statements import Bound, SourceResult

SIDE_BY_SIDE = 4  # pictures at most where several networks speak
MAX_TITLES = 12  # of covered generators in the line at the top; all are below it
MAX_WHOLE_PIXELS = MAX_NATIVE_PIXELS  # of a picture shown whole; what browsers draw without stumbling
_DISAGREEING = (State.CONTRADICTORY, State.MULTIPLE)


@dataclass(frozen=True)
class Found:
    """One image, or a changed copy of it, with what was found."""

    held: Held
    change: Change
    entry: Examined
    bars: tuple[Bar, ...]  # of all networks
    claims: tuple[str, ...]
    columns: tuple[int, ...]  # networks whose saliency is shown first, side by side

    @property
    def first(self) -> tuple[Bar, ...]:
        """The bars that are always shown."""
        return self.bars[:MAX_BARS]

    @property
    def more(self) -> tuple[Bar, ...]:
        """The others."""
        return self.bars[MAX_BARS:]

    @property
    def answers(self) -> list[tuple[Bar, str, str]]:
        """Every bar with its ratio and what it supports, in words."""
        return [(bar, ratio_in_words(bar.result), support_in_words(bar.result)) for bar in self.bars]


@dataclass(frozen=True)
class Estimate:
    """One thing that was measured of an image's condition, and where it falls."""

    title: str
    measured: str
    falls: str


@dataclass(frozen=True)
class Rates:
    """How often one network said yes in the hub's tests, on images in such a condition."""

    title: str
    recall: Bound | None  # on images it should say yes to
    real: Bound | None  # on photographs
    worst: SourceResult | None  # of other origins, the one it claimed most surely
    valid: bool


class Page:
    """Renders the page of one sitting and the parts that are put into it later."""

    def __init__(self, session: Session) -> None:
        self._session, self._axis = session, build_axis([session.instrument])
        self._environment = build_environment()
        self._environment.globals |= {
            "instrument": session.instrument,
            "instruments": [session.instrument],
            "how_to_read": sentences.how_to_read(self._axis.end),
            "ranges": RANGES,
            "max_bars": MAX_BARS,
            "max_titles": MAX_TITLES,
            "opacity": round(100 * OPACITY),
        }

    def render(self) -> str:
        """The page, with the images that the sitting holds."""
        bundle, moment = self._session.bundle, datetime.now(UTC)
        return self._render(
            "page.html",
            warnings=warn_of(bundle, moment),
            age=_age(bundle.metadata, moment),
            file_bytes=MAX_FILE_BYTES,
            **self._list(),
        )

    def render_list(self) -> str:
        """The list of images."""
        return self._render("list.html", **self._list())

    def render_image(self, held: Held) -> str:
        """One image in full."""
        found = self._find(held)
        item = found.entry.record.item
        return self._render(
            "image.html",
            found=found,
            whole=item.width * item.height <= MAX_WHOLE_PIXELS,
            estimates=describe_condition(found.entry.record.condition, found.entry.record.strata),
            rates=describe_rates(found.entry),
            others=[other for other in self._session.held if isinstance(other.entry, Examined) and other != held],
        )

    def render_retry(self, held: Held, change: Change) -> str:
        """What became of the verdict on a changed copy.

        Raises:
            ImageError: the copy cannot be examined.
        """
        before, after = self._find(held), self._find(held, change)
        by_column = {bar.column: bar for bar in before.bars}
        return self._render(
            "retry.html", before=before, after=after, pairs=[(bar, by_column[bar.column]) for bar in after.bars]
        )

    def render_comparison(self, left: Held, right: Held) -> str:
        """Two images beside each other, their bars in one order."""
        one, other = self._find(left), self._find(right)
        return self._render("comparison.html", left=one, right=other, pairs=_pair(one, other))

    def _find(self, held: Held, change: Change = UNCHANGED) -> Found:
        entry = held.entry if change == UNCHANGED else self._session.view(held, change).entry
        assert isinstance(entry, Examined)  # failures are listed and not looked at
        return _find(held, change, entry, self._axis)

    def _list(self) -> Mapping[str, Any]:
        held = self._session.held
        return {
            "images": [one for one in held if isinstance(one.entry, Examined)],
            "failures": [one for one in held if not isinstance(one.entry, Examined)],
        }

    def _render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(f"examine/{template}").render(scale=self._session.scale, **values)


def describe_condition(condition: Condition, strata: Sequence[Stratum]) -> list[Estimate]:
    """Say of each thing that was measured where it falls on the hub's ladder."""
    quality = f"quality {condition.jpeg_quality}, from the {condition.jpeg_from}" if condition.jpeg_quality else "no sign"
    measured: dict[Ladder, tuple[str, str]] = {
        "jpeg": ("JPEG compression", quality),
        "blur": ("Blur", f"sigma {condition.blur:.2g} pixels"),
        "noise": ("Noise", f"{condition.noise:.2g} grey levels"),
        "scale": ("Scale", f"{condition.scale:.2g} of the frequency band is used"),
    }
    falls = {stratum.ladder: _falls(stratum) for stratum in strata}
    return [Estimate(*words, falls.get(ladder, "within what unchanged images show")) for ladder, words in measured.items()]


def describe_rates(entry: Examined) -> list[Rates]:
    """Say how often each network said yes in the hub's tests on images in this condition."""
    rates = [_rates("detector", entry.record.detector)]
    for used, result in entry.heads:
        if entry.record.strata:
            rates.append(_rates(used.generator.title, result))
        else:
            rates.append(Rates(used.generator.title, used.recall, None, used.worst, result.valid))
    return rates


def _rates(title: str, result: Result) -> Rates:
    reach = result.reach
    return (
        Rates(title, reach.recall, reach.real, reach.worst, result.valid)
        if reach
        else Rates(title, None, None, None, result.valid)
    )


def _find(held: Held, change: Change, entry: Examined, axis: Axis) -> Found:
    bars = build_bars(entry, axis)
    claiming = [bar.column for bar in bars if bar.title in entry.record.claimed_by]
    disagree = entry.record.scores_say in _DISAGREEING
    columns = [0, *claiming][:SIDE_BY_SIDE] if disagree else claiming or [0]
    return Found(held, change, entry, bars, claims_in_words(bars), tuple(columns))


def _pair(one: Found, other: Found) -> list[tuple[Bar, Bar]]:
    """The bars of the same networks, in the order of the first."""
    by_column = {bar.column: bar for bar in other.bars}
    return [(bar, by_column[bar.column]) for bar in one.bars]


def _falls(stratum: Stratum) -> str:
    return f"among the hub's tests at {stratum.rung}" if stratum.rung else "beyond what was tested"


def _age(metadata: UpdateMetadata | None, moment: datetime) -> str:
    """How old the knowledge is that this is the hub's newest bundle."""
    if metadata is None:
        return "opened without update metadata"
    if metadata.confirmed is None:
        return "brought in a pack, never confirmed by the hub from here"
    days = (moment - read_time(metadata.confirmed)).days
    ago = "today" if days <= 0 else "1 day ago" if days == 1 else f"{days} days ago"
    return f"confirmed by the hub as its newest on {metadata.confirmed[:10]}, {ago}"
