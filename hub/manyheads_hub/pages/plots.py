"""Intervals and bands, drawn in the rows of a table as inline SVG. Colours are the style sheet's.

Everything is placed by per cent of the plot's width, so it fits a telephone and no mark ever shrinks. The plots are hidden
from screen readers: the row says the same in figures.
"""

import math
from collections.abc import Callable, Iterable
from itertools import count

from markupsafe import Markup

from manyheads_hub.pages.words import number
from manyheads_shared.api import ShareInfo
from manyheads_shared.calibration import Band

SHARE_TICKS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)


def interval_row(share: ShareInfo, limit: float | None = None) -> Markup:
    """Draw a share as a dot and its interval as a line, on the scale of `share_axis`.

    Args:
        limit: the share that the upper bound must not pass, drawn as a line across; None for none.
    """
    lower, upper, dot = (_root_scale(value) for value in (share.lower, share.upper, share.share))
    parts = [
        *_grid(SHARE_TICKS, _root_scale),
        Markup('<line class="range" x1="{:.2f}%" x2="{:.2f}%" y1="50%" y2="50%"/>').format(lower, upper),
        Markup('<line class="bound" x1="{0:.2f}%" x2="{0:.2f}%" y1="28%" y2="72%"/>').format(upper),
        Markup('<circle class="dot" cx="{:.2f}%" cy="50%" r="4"/>').format(dot),
    ]
    if limit is not None:
        parts.append(Markup('<line class="limit" x1="{0:.2f}%" x2="{0:.2f}%" y1="0%" y2="100%"/>').format(_root_scale(limit)))
    return _row_plot("interval", parts)


def share_axis() -> Markup:
    """Draw the axis of `interval_row`: per cent on a square-root scale, which keeps zero and spreads small shares."""
    return _axis(SHARE_TICKS, _root_scale, lambda tick: f"{100 * tick:.0f}")


def band_extent(bands: Iterable[Band]) -> tuple[int, int]:
    """Return whole logits that hold every edge, with room on both sides; at least from -1 to 1."""
    edges = [0.0, *(edge for band in bands for edge in (band.low, band.high))]
    return math.floor(min(edges)) - 1, math.ceil(max(edges)) + 1


def band_row(band: Band, extent: tuple[int, int]) -> Markup:
    """Draw where a band says no, not enough, yes."""
    scale = _linear_scale(extent)
    low, high = scale(band.low), scale(band.high)
    return _row_plot(
        "band",
        [
            *_grid(_band_ticks(extent), scale),
            Markup('<line class="no" x1="0%" x2="{:.2f}%" y1="50%" y2="50%"/>').format(low),
            Markup('<rect class="open" x="{:.2f}%" y="28%" width="{:.2f}%" height="44%"/>').format(low, high - low),
            Markup('<line class="yes" x1="{:.2f}%" x2="100%" y1="50%" y2="50%"/>').format(high),
            Markup('<line class="edge" x1="{0:.2f}%" x2="{0:.2f}%" y1="20%" y2="80%"/>').format(high),
        ],
    )


def band_axis(extent: tuple[int, int]) -> Markup:
    """Draw the axis of `band_row`, in logits."""
    return _axis(_band_ticks(extent), _linear_scale(extent), lambda tick: number(tick, 0))


def _root_scale(share: float) -> float:
    """Per cent of the width at which a share stands."""
    return 100 * math.sqrt(min(max(share, 0.0), 1.0))


def _linear_scale(extent: tuple[int, int]) -> Callable[[float], float]:
    low, high = extent
    return lambda logit: 100 * (logit - low) / (high - low)


def _band_ticks(extent: tuple[int, int]) -> tuple[float, ...]:
    """At most nine whole logits, zero among them."""
    low, high = extent
    steps = (digit * 10**power for power in count() for digit in (1, 2, 5))
    step = next(step for step in steps if high - low <= 8 * step)
    return tuple(float(tick) for tick in range(low, high + 1) if tick % step == 0)


def _grid(ticks: Iterable[float], scale: Callable[[float], float]) -> list[Markup]:
    return [Markup('<line class="grid" x1="{0:.2f}%" x2="{0:.2f}%" y1="0%" y2="100%"/>').format(scale(tick)) for tick in ticks]


def _axis(ticks: Iterable[float], scale: Callable[[float], float], label: Callable[[float], str]) -> Markup:
    labels = [Markup('<text x="{:.2f}%" y="75%">{}</text>').format(scale(tick), label(tick)) for tick in ticks]
    return _row_plot("axis", labels)


def _row_plot(kind: str, parts: Iterable[Markup]) -> Markup:
    opening = Markup('<svg class="plot {}" aria-hidden="true" focusable="false">').format(kind)
    return opening + Markup("").join(parts) + Markup("</svg>")
