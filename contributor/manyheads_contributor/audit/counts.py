"""How many images there are, of what, and how many cannot be used."""

from collections import Counter
from collections.abc import Sequence

from manyheads_contributor.audit.copies import label_of
from manyheads_contributor.audit.findings import FEW_IMAGES, IMBALANCE, UNDECODABLE, Finding, Level, judge_count
from manyheads_contributor.audit.observation import Observation, Undecodable


def check_counts(seen: Sequence[Observation], failed: Sequence[Undecodable]) -> list[Finding]:
    """Judge balance, size and undecodable files."""
    good = Counter(label_of(entry.item) for entry in seen)
    bad = Counter(label_of(entry.item) for entry in failed)
    trained = {label: count for label, count in good.items() if not label.startswith("external/")}
    kinds = Counter(str(entry.item.kind) for entry in seen if not entry.item.external)
    generators = {label: count for label, count in trained.items() if label.startswith("generated/")}
    return [
        *(_undecodable(label, bad[label], good[label] + bad[label], failed) for label in sorted(bad)),
        *(_few(label, count) for label, count in sorted(trained.items())),
        *_imbalance("real or generated", dict(kinds), "more of the smaller class, or weigh it in training"),
        *_imbalance("between generators", generators, "more of the smaller generator, or weigh it in training"),
    ]


def _undecodable(label: str, count: int, total: int, failed: Sequence[Undecodable]) -> Finding:
    first = next(entry for entry in failed if label_of(entry.item) == label)
    level = judge_count(count, total, UNDECODABLE)
    words = f"{count} of {total} files cannot be decoded, for instance {first.item.path.name}: {first.reason}"
    return Finding("undecodable files", label, level, count / total, None, words, "mend or remove them; they are left out")


def _few(label: str, count: int) -> Finding:
    level = Level.NOTABLE if count < FEW_IMAGES else Level.FINE
    advice = f"below {FEW_IMAGES} images every figure has a wide interval: quote it" if level else ""
    return Finding("number of images", label, level, float(count), None, f"{count} images", advice)


def _imbalance(question: str, counts: dict[str, int], advice: str) -> list[Finding]:
    if len(counts) < 2:
        return []
    ratio = max(counts.values()) / min(counts.values())
    level = Level.NOTABLE if ratio >= IMBALANCE else Level.FINE
    words = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return [Finding("balance", question, level, ratio, None, words, advice if level else "")]
