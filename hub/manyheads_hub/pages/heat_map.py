"""The overlap as a heat map, in inline SVG. Each cell has a class; the style sheet colours it for light and for dark."""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby, pairwise

from markupsafe import Markup

from manyheads_hub.pages.overlap import Cell, Overlap, Row, Source
from manyheads_hub.pages.words import figure, interval, percent

# upper edges of the classes, in share: small shares are what matters, so they get most of the steps
HEAT_EDGES = (0.0, 0.01, 0.02, 0.05, 0.10, 0.20, 0.50, 1.0)

_CELL = (50, 30)  # pixels, wide enough for "99.9"
_GAP = 14  # pixels between groups of columns
_LETTER = 7.6  # pixels a letter takes at 12.5 px, at most on average
_SLANT = math.radians(50)  # of the column names
_LETTERS_SHOWN = 26  # longer names are cut; the cell's tooltip has the whole

# with %, which takes a third of the time that `format` does: a page has a thousand cells
_HEAT_CELL = Markup(
    '<g class="%s"><title>%s on %s: %s</title><rect x="%.1f" y="%.1f" width="%d" height="%d"/>%s'
    '<text x="%.1f" y="%.1f">%s</text></g>'
)
_FRAME = Markup('<rect class="own" x="%.1f" y="%.1f" width="%d" height="%d"/>')


def heat_map(overlap: Overlap, *, title: str, name: str) -> Markup:
    """Draw heads by sources, the share of yes in every cell, own generators framed.

    Args:
        title: what the picture shows, for those who do not see it.
        name: an id for the title, unique on the page.
    """
    columns = _column_places(overlap.sources)
    longest_row = max((min(len(row.generator.title), _LETTERS_SHOWN) for row in overlap.rows), default=0)
    longest_column = max((min(len(source.name), _LETTERS_SHOWN) for source in overlap.sources), default=0)
    left = longest_row * _LETTER + 14
    top = longest_column * _LETTER * math.sin(_SLANT) + 18
    slant_room = longest_column * _LETTER * math.cos(_SLANT)
    right = left + (columns[-1] + _CELL[0] if columns else 0)
    height = top + len(overlap.rows) * _CELL[1] + 30
    parts = [
        Markup(
            '<svg class="heat" role="img" aria-labelledby="{}" width="{:.0f}" height="{:.0f}" viewBox="0 0 {:.0f} {:.0f}">'
        ).format(name, right + slant_room, height, right + slant_room, height),
        Markup('<title id="{}">{}</title>').format(name, title),
        *(_column_name(source, left + x, top) for source, x in zip(overlap.sources, columns, strict=True)),
        *_group_brackets(overlap.sources, columns, left, top + len(overlap.rows) * _CELL[1]),
        *(_heat_row(row, columns, left, top + i * _CELL[1]) for i, row in enumerate(overlap.rows)),
        Markup("</svg>"),
    ]
    return Markup("").join(parts)


def heat_class(share: float) -> int:
    """Return the class of a share: 0 for none at all, up to 7 for more than half."""
    return next(i for i, edge in enumerate(HEAT_EDGES) if share <= edge)


def heat_legend() -> tuple[tuple[int, str], ...]:
    """Return the heat map's classes with their ranges in per cent."""
    ranges = (f"{100 * low:.0f} to {100 * high:.0f}" for low, high in pairwise(HEAT_EDGES))
    return tuple(enumerate(("0", *ranges)))


def _column_places(sources: Sequence[Source]) -> list[int]:
    """Pixels from the first column to each, with a gap between groups."""
    steps = (_CELL[0] + (0 if before.group == after.group else _GAP) for before, after in pairwise(sources))
    return list(accumulate(steps, initial=0))[: len(sources)]


def _column_name(source: Source, x: float, top: float) -> Markup:
    middle, base = x + _CELL[0] / 2, top - 8
    return Markup('<text class="label" x="{:.1f}" y="{:.1f}" transform="rotate(-50 {:.1f} {:.1f})">{}</text>').format(
        middle, base, middle, base, _shorten(source.name)
    )


def _group_brackets(sources: Sequence[Source], columns: Sequence[int], left: float, bottom: float) -> Iterable[Markup]:
    for group, members in groupby(zip(sources, columns, strict=True), key=lambda member: member[0].group):
        places = [x for _, x in members]
        start, end = left + places[0] + 1, left + places[-1] + _CELL[0] - 1
        yield Markup('<line class="bracket" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
            start, end, bottom + 6.5, bottom + 6.5
        )
        yield Markup('<text class="group" x="{:.1f}" y="{:.1f}">{}</text>').format(start, bottom + 22, group)


def _heat_row(row: Row, columns: Sequence[int], left: float, top: float) -> Markup:
    label = Markup('<text class="label row" x="{:.1f}" y="{:.1f}">{}</text>').format(
        left - 10, top + _CELL[1] / 2 + 4.5, _shorten(row.generator.title)
    )
    cells = (_heat_cell(row, cell, left + x, top) for cell, x in zip(row.cells, columns, strict=True))
    return label + Markup("").join(cells)


def _heat_cell(row: Row, cell: Cell, x: float, y: float) -> Markup:
    width, height = _CELL
    if cell.yes is None:
        kind, written, said = "absent", "·", "not in the suite when this head was measured"
    else:
        kind = f"h{heat_class(cell.yes.share)}"
        written = figure(cell.yes.share)
        said = f"yes {cell.yes.hits} of {cell.yes.total} times, {percent(cell.yes.share)} ({interval(cell.yes)})"
    frame = _FRAME % (x + 2.5, y + 2.5, width - 5, height - 5) if cell.own else ""
    about = "images of its own generator" if cell.own else cell.source.name
    place = (x + 1, y + 1, width - 2, height - 2)
    return _HEAT_CELL % (kind, row.generator.title, about, said, *place, frame, x + width / 2, y + height / 2 + 4.5, written)


def _shorten(name: str) -> str:
    """Cut the middle out of a long name: names of one family differ at their end."""
    half = _LETTERS_SHOWN // 2
    return name if len(name) <= _LETTERS_SHOWN else f"{name[:half]}…{name[1 - half :]}"
