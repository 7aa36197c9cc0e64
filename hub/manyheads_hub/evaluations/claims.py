"""How often a head claims images, by source, with Clopper-Pearson bounds at 95 %. Pure; what is too often is for the gate."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from manyheads_hub.evaluations.scores import Part, Score, head_logits
from manyheads_shared.dataset import Kind
from manyheads_shared.manifest import Generator
from manyheads_shared.metrics import Share, clopper_pearson


@dataclass(frozen=True)
class SourceClaims:
    """How often a head claims the images of one source that is not its generator."""

    kind: Kind
    source: str
    external: bool
    claimed: Share


def is_of(row: Score, generator: Generator) -> bool:
    """Whether an image is the generator's."""
    return row.kind == "generated" and row.source == generator.name


def claims_by_source(rows: Sequence[Score], threshold: float, part: Part = "test") -> Iterator[SourceClaims]:
    """Count the claims on one half of every source, photographs first, external sources last."""
    for kind, source, external in sorted({(row.kind, row.source, row.external) for row in rows}, key=_real_first):
        tested = [r for r in rows if r.part == part and (r.kind, r.source, r.external) == (kind, source, external)]
        if (claimed := claimed_of_any(tested, threshold)) is not None:
            yield SourceClaims(kind, source, external, claimed)


def claimed(rows: Sequence[Score], threshold: float) -> Share:
    """Count the claims among rows; at least one row."""
    return share_of(bool(claims) for claims in head_logits(rows) >= threshold)


def claimed_of_any(rows: Sequence[Score], threshold: float) -> Share | None:
    """Count the claims among rows; None where there is no row."""
    return claimed(rows, threshold) if rows else None


def share_of(answers: Iterable[bool]) -> Share:
    """Return the share of yes among answers; at least one answer."""
    given = list(answers)
    share = clopper_pearson(sum(given), len(given))
    assert share is not None  # callers pass at least one answer
    return share


def _real_first(label: tuple[Kind, str, bool]) -> tuple[bool, bool, str]:
    kind, source, external = label
    return external, kind != "real", source
