"""A head's false positives as the pages list them: by group, worst first, with the gate's limits. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.pages.overlap import GROUPS, Group, own_source, source_of
from manyheads_shared.api import EvaluationInfo, ShareInfo, SourceInfo
from manyheads_shared.manifest import Generator
from manyheads_shared.metrics import clopper_pearson

ALL_PHOTOGRAPHS = "all photographs"


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    name: str
    kind: str  # real or generated; said only of external sources
    yes: ShareInfo
    limit: float | None  # what the gate allows the upper bound; None: not gated by itself


@dataclass(frozen=True)
class Section:
    """The lines of one group."""

    group: Group
    lines: tuple[Line, ...]


def list_sections(evaluation: EvaluationInfo, generator: Generator, policy: Policy) -> tuple[Section, ...]:
    """Return every source that is not the head's own, by group, the highest upper bound first.

    The gate bounds photographs together and every other generator by itself; the lines carry its limits accordingly.
    """
    sections = []
    for group in GROUPS:
        items = sorted((item for item in _foreign(evaluation, generator) if source_of(item).group == group), key=_severity)
        limit = policy.max_generator_upper if group == "generated" else None
        lines = [Line(item.source, item.kind, item.yes, limit) for item in items]
        if group == "real" and items:
            together = Line(ALL_PHOTOGRAPHS, "real", _together(items), policy.max_real_upper)
            lines = [together, *lines] if len(items) > 1 else [Line(items[0].source, "real", items[0].yes, together.limit)]
        if lines:
            sections.append(Section(group, tuple(lines)))
    return tuple(sections)


def worst_source(evaluation: EvaluationInfo, generator: Generator, *, external: bool) -> SourceInfo | None:
    """Return the source with the highest upper bound of false positives, among external or among gated sources."""
    candidates = (item for item in _foreign(evaluation, generator) if item.external == external)
    return min(candidates, key=_severity, default=None)


def _foreign(evaluation: EvaluationInfo, generator: Generator) -> list[SourceInfo]:
    """On its own generator's images a head's yes is right."""
    return [item for item in evaluation.false_positives if source_of(item) != own_source(generator)]


def _severity(item: SourceInfo) -> tuple[float, float, str]:
    return (-item.yes.upper, -item.yes.share, item.source)


def _together(items: Sequence[SourceInfo]) -> ShareInfo:
    share = clopper_pearson(sum(item.yes.hits for item in items), sum(item.yes.total for item in items))
    assert share is not None  # a source without images has no share
    return ShareInfo(share=share.value, lower=share.lower, upper=share.upper, hits=share.hits, total=share.total)
