"""Who says yes to what: heads by sources of the suite, from their evaluations. Pure; drawing is for `plots`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from manyheads_shared.api import CatalogueEntry, ShareInfo, SourceInfo
from manyheads_shared.manifest import Generator

Group = Literal["real", "generated", "external"]
GROUPS: tuple[Group, ...] = ("real", "generated", "external")


@dataclass(frozen=True, order=True)
class Source:
    """A source of the suite. Two sources of different kinds may share a name."""

    kind: Literal["real", "generated"]
    name: str
    external: bool

    @property
    def group(self) -> Group:
        """Where it stands in every table and picture."""
        return "external" if self.external else self.kind


@dataclass(frozen=True)
class Cell:
    """How often one head says yes on one source."""

    source: Source
    yes: ShareInfo | None  # None: the source was not in the suite when the head was measured
    own: bool  # images of the head's own generator, where yes is right


@dataclass(frozen=True)
class Row:
    """One head against every source."""

    generator: Generator
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Overlap:
    """The whole picture, rows in the order of the entries, columns real, generated, external."""

    sources: tuple[Source, ...]
    rows: tuple[Row, ...]

    def strongest(self, count: int) -> "Overlap":
        """Return the picture with so many columns at most: the heads' own, then those with the highest share of yes."""
        if len(self.sources) <= count:
            return self
        columns = list(zip(*(row.cells for row in self.rows), strict=True))
        kept = set(sorted(range(len(columns)), key=lambda i: _weight(columns[i]), reverse=True)[:count])
        rows = (Row(row.generator, tuple(cell for i, cell in enumerate(row.cells) if i in kept)) for row in self.rows)
        return Overlap(tuple(source for i, source in enumerate(self.sources) if i in kept), tuple(rows))


def own_source(generator: Generator) -> Source:
    """Return the source that holds a generator's own images: its accepted proofs join the suite under its name."""
    return Source("generated", generator.name, external=False)


def source_of(item: SourceInfo) -> Source:
    """Return the source that a measured share is about."""
    return Source(item.kind, item.source, item.external)


def claims_on(generator: Generator, entries: Iterable[CatalogueEntry]) -> tuple[tuple[Generator, ShareInfo], ...]:
    """Return how often the heads of `entries` say yes on images of `generator`, most often first."""
    source = own_source(generator)
    claims = [
        (entry.generator, item.yes)
        for entry in entries
        for item in entry.evaluation.false_positives
        if source_of(item) == source and entry.generator.name != generator.name
    ]
    return tuple(sorted(claims, key=lambda claim: (-claim[1].share, claim[0].title)))


def build_overlap(entries: Sequence[CatalogueEntry]) -> Overlap:
    """Arrange the evaluations of `entries` as heads by sources."""
    measured = [_by_source(entry) for entry in entries]
    found = {source for row in measured for source in row}
    catalogued = {own_source(entry.generator): place for place, entry in reversed(list(enumerate(entries)))}
    sources = tuple(sorted(found, key=lambda source: _rank(source, catalogued)))
    rows = tuple(
        Row(
            entry.generator,
            tuple(Cell(source, row.get(source), own=source == own_source(entry.generator)) for source in sources),
        )
        for entry, row in zip(entries, measured, strict=True)
    )
    return Overlap(sources, rows)


def _by_source(entry: CatalogueEntry) -> dict[Source, ShareInfo]:
    """Shares by source; on the head's own generator it is the recall on the owner's proofs."""
    shares = {source_of(item): item.yes for item in entry.evaluation.false_positives}
    return shares | {own_source(entry.generator): entry.evaluation.recall}


def _weight(column: Sequence[Cell]) -> tuple[bool, float]:
    """What makes a column worth showing."""
    return any(cell.own for cell in column), max((cell.yes.share for cell in column if cell.yes is not None), default=0.0)


def _rank(source: Source, catalogued: Mapping[Source, int]) -> tuple[int, int, str, str]:
    """Groups in order; inside the generated, catalogued generators in the order of the rows, so that they form a diagonal."""
    place = catalogued.get(source, len(catalogued))
    return GROUPS.index(source.group), place, source.kind, source.name
