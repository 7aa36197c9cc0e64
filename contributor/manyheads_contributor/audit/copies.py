"""Near-duplicates between groups of images that must not share any, and within sources, where they shrink the sample."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads_contributor.audit.findings import (
    COPIES_ACROSS,
    COPIES_GENERATORS,
    COPIES_WITHIN,
    Finding,
    Level,
    judge_count,
)
from manyheads_shared.dataset import Item

_NUMBERED = re.compile(r"([A-Za-z]+)[-_]?(\d+)")
_MIN_PAIRS = 10  # near-duplicates that share a number in their names; fewer suggest nothing
_AGREEMENT = 0.9  # of the pairs share the number
_CHANCE = 0.5  # two random images of the source share it less often than this


def label_of(item: Item) -> str:
    """Return a source as its folder below the root: `real/photos`, `external/generated/x`."""
    return f"{'external/' if item.external else ''}{item.kind}/{item.source}"


def check_copies(items: Sequence[Item], pairs: NDArray[np.int64]) -> list[Finding]:
    """Judge near-duplicate pairs (i, j) of `items`: within a source, across sources, across classes, into external."""
    linked = [(items[i], items[j]) for i, j in pairs.tolist()]
    totals = Counter(label_of(item) for item in items)
    return [
        *_within(linked, totals, items),
        *_across_generators(linked, totals),
        _across(
            "copies across classes",
            "real or generated",
            [(a, b) for a, b in linked if a.kind != b.kind and a.external == b.external],
            min(sum(1 for item in items if item.kind == kind) for kind in ("real", "generated")),
            "the same picture is labelled real and generated: remove it from the class it does not belong to",
        ),
        _across(
            "copies into external",
            "external or trained on",
            [(a, b) for a, b in linked if a.external != b.external],
            sum(1 for item in items if item.external),
            "external images are for unseen sources only: remove the copies from external/ or from the training folders",
        ),
    ]


def suggest_group_pattern(linked: Sequence[tuple[Item, Item]], items: Sequence[Item]) -> str | None:
    """Return a `group_pattern` for one source when its near-duplicates share a numbered word in their file names."""
    named = [(_numbers(a), _numbers(b)) for a, b in linked]
    for word in sorted({word for a, _ in named for word in a}):
        both = [(a[word], b[word]) for a, b in named if word in a and word in b]
        if len(both) < max(_MIN_PAIRS, _AGREEMENT * len(linked)):
            continue
        shares = np.array(list(Counter(numbers.get(word) for numbers in map(_numbers, items)).values())) / len(items)
        if np.mean([a == b for a, b in both]) >= _AGREEMENT and (shares**2).sum() < _CHANCE:
            return rf"{word}[-_]?(\d+)"
    return None


def _numbers(item: Item) -> dict[str, str]:
    return dict(_NUMBERED.findall(item.path.stem))


def _within(linked: Sequence[tuple[Item, Item]], totals: Counter[str], items: Sequence[Item]) -> list[Finding]:
    findings = []
    for label in sorted(totals):
        inside = [(a, b) for a, b in linked if label_of(a) == label_of(b) == label]
        touched = len({item.path for pair in inside for item in pair})
        share = touched / totals[label]
        level = Level.NOTABLE if share >= COPIES_WITHIN else Level.FINE
        advice = ""
        if level:
            advice = (
                "fewer pictures than files: quote it, and split by picture, as this kit does for the near-duplicates it sees"
            )
            if pattern := suggest_group_pattern(inside, [item for item in items if label_of(item) == label]):
                advice += f"; the file names suggest training with --set 'group_pattern={pattern}', which finds more of them"
        seen = f"{touched} of {totals[label]} images have a near-duplicate beside them"
        findings.append(Finding("copies within a source", label, level, share, None, seen, advice))
    return findings


def _across_generators(linked: Sequence[tuple[Item, Item]], totals: Counter[str]) -> list[Finding]:
    crossing = Counter(
        tuple(sorted((label_of(a), label_of(b))))
        for a, b in linked
        if a.kind == b.kind and a.external == b.external and a.source != b.source
    )
    findings = []
    for (one, other), count in sorted(crossing.items()):
        smaller = min(totals[one], totals[other])
        level = judge_count(count, smaller, COPIES_GENERATORS) if "generated/" in one else Level.NOTABLE
        advice = "two sources hold the same pictures: are they one source, or is one set mislabelled?"
        seen = f"{count} near-duplicate pairs"
        findings.append(Finding("copies across sources", f"{one} or {other}", level, count / smaller, None, seen, advice))
    return findings


def _across(check: str, question: str, crossing: Sequence[tuple[Item, Item]], smaller: int, advice: str) -> Finding:
    level = judge_count(len(crossing), smaller, COPIES_ACROSS)
    seen = f"{len(crossing)} near-duplicate pairs"
    if crossing:
        a, b = crossing[0]
        seen += f", for instance {label_of(a)}/{a.path.name} and {label_of(b)}/{b.path.name}"
    return Finding(check, question, level, len(crossing) / max(smaller, 1), None, seen, advice if level else "")
