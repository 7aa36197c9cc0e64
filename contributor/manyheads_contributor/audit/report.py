"""The whole audit of one dataset: observe every image, ask every question of every cue, collect the findings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads_contributor.audit.copies import check_copies, label_of
from manyheads_contributor.audit.counts import check_counts
from manyheads_contributor.audit.cues import CUES, Cue, Spread, spread_of
from manyheads_contributor.audit.findings import Finding, Level, judge_cue, worst
from manyheads_contributor.audit.observation import Observation, Undecodable, observe_all
from manyheads_contributor.audit.separation import measure_separation
from manyheads_contributor.duplicates import find_duplicates
from manyheads_shared.dataset import Dataset
from manyheads_shared.digest import Digest
from manyheads_shared.errors import DatasetError

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SourceSummary:
    """One source: how every cue is spread over it."""

    label: str
    images: int
    cues: dict[str, Spread]


@dataclass(frozen=True)
class AuditReport:
    """Everything the audit found."""

    root: Path
    digest: Digest  # of the dataset
    sources: tuple[SourceSummary, ...]
    findings: tuple[Finding, ...]  # worst first
    undecodable: tuple[Undecodable, ...]

    @property
    def level(self) -> Level:
        """The worst finding's level."""
        return worst(self.findings)

    @property
    def document(self) -> dict[str, object]:
        """The report as JSON values."""
        return {
            "data": str(self.root),
            "digest": self.digest,
            "level": self.level.word,
            "sources": [
                {"source": s.label, "images": s.images, "cues": {name: asdict(spread) for name, spread in s.cues.items()}}
                for s in self.sources
            ],
            "findings": [finding.document for finding in self.findings],
            "undecodable": [{"file": str(u.item.path), "reason": u.reason} for u in self.undecodable],
        }


@dataclass(frozen=True)
class _Question:
    """Two groups of images to tell apart."""

    name: str
    yes: Mask
    no: Mask
    yes_word: str
    no_word: str
    external: bool = False  # compares held-out with trained images: content may differ, and nothing is blatant


def audit_dataset(dataset: Dataset, *, on_image: Callable[[], None] | None = None) -> AuditReport:
    """Audit a dataset.

    The plan: (1) observe every image; (2) ask of every cue alone whether it tells classes apart; (3) near-duplicates;
    (4) counts.

    Raises:
        DatasetError: no image can be decoded.
    """
    # step 1
    results = observe_all(dataset.items, on_image=on_image)
    seen = [result for result in results if isinstance(result, Observation)]
    failed = tuple(result for result in results if isinstance(result, Undecodable))
    if not seen:
        raise DatasetError(f"{dataset.root}: none of {len(failed)} images can be decoded; the first: {failed[0].reason}")
    # step 2
    findings = _check_cues(seen)
    # step 3
    findings += check_copies([entry.item for entry in seen], find_duplicates([entry.fingerprint for entry in seen]))
    # step 4
    findings += check_counts(seen, failed)
    findings.sort(key=lambda finding: (-finding.level, -(finding.separation.lower if finding.separation else 0)))
    return AuditReport(dataset.root, dataset.digest, _summaries(seen), tuple(findings), failed)


def _check_cues(seen: Sequence[Observation]) -> list[Finding]:
    fold = np.array([int(entry.item.digest[-1], 16) % 2 == 0 for entry in seen])
    questions = list(_questions(seen))
    findings = []
    for cue in CUES:
        values = np.array([cue.read(entry) for entry in seen])
        for question in questions:
            if not (question.external and cue.family == "content"):
                findings += _ask(cue, question, values, fold)
    return findings


def _ask(cue: Cue, question: _Question, values: NDArray[np.generic], fold: Mask) -> list[Finding]:
    involved = question.yes | question.no
    separation = measure_separation(values[involved], question.yes[involved], fold[involved])
    if separation is None:
        return []
    level = judge_cue(cue.family, separation)
    if question.external:
        level = min(level, Level.NOTABLE)
    words = "; ".join(
        f"{word}: {spread_of(values[mask].tolist())}"
        for word, mask in ((question.yes_word, question.yes), (question.no_word, question.no))
    )
    advice = cue.advice if level else ""
    return [Finding(cue.name, question.name, level, separation.balanced_accuracy, separation, words, advice)]


def _questions(seen: Sequence[Observation]) -> Iterator[_Question]:
    kind = np.array([entry.item.kind for entry in seen])
    source = np.array([entry.item.source for entry in seen])
    external = np.array([entry.item.external for entry in seen])
    generated = (kind == "generated") & ~external
    real = (kind == "real") & ~external
    yield _Question("real or generated", generated, real, "generated", "real")
    names = sorted(set(source[generated].tolist()))
    if len(names) > 1:
        for name in names:
            own = generated & (source == name)
            yield _Question(f"{name} or the rest", own, (generated | real) & ~own, name, "the rest")
    for word, trained in (("generated", generated), ("real", real)):
        held_out = (kind == word) & external
        yield _Question(f"external {word} or {word}", held_out, trained, f"external {word}", word, external=True)


def _summaries(seen: Sequence[Observation]) -> tuple[SourceSummary, ...]:
    groups: dict[str, list[Observation]] = {}
    for entry in seen:
        groups.setdefault(label_of(entry.item), []).append(entry)
    return tuple(
        SourceSummary(label, len(entries), {cue.name: spread_of([cue.read(entry) for entry in entries]) for cue in CUES})
        for label, entries in sorted(groups.items(), key=lambda group: (group[0].startswith("external"), group[0]))
    )
