"""Logits on test and external images to the numbers a record keeps: counts by source, areas, contradictions. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads_shared import metrics
from manyheads_shared.dataset import Item
from manyheads_shared.decision import decide_as_published

Logits = NDArray[np.float32]

REAL = "real"  # the class of an image that nobody made


def label(item: Item) -> str:
    """`external/generated/NAME` and the like: the source of an image, as a folder."""
    return f"{'external/' if item.external else ''}{item.kind}/{item.source}"


def yes_no(items: Sequence[Item], logits: Logits, positive: NDArray[np.bool_]) -> dict[str, Any]:
    """One yes/no question: how often yes, by source, at probability 0.5; AUROC of the images that are not external."""
    total, hits = (
        Counter(map(label, items)),
        Counter(label(item) for item, logit in zip(items, logits, strict=True) if logit >= 0),
    )
    known = ~external(items)
    return {
        "yes": {source: [hits[source], total[source]] for source in sorted(total)},
        "auroc": metrics.auroc(logits[known & ~positive], logits[known & positive]),
    }


def attribution(items: Sequence[Item], detector: Logits, head: Logits, generator: str) -> dict[str, Any]:
    """One head's question, and how often it contradicts its detector, by both published definitions (not external images)."""
    of_real, of_claimed = metrics.contradictions(detector[known := ~external(items)], head[known])
    return yes_no(items, head, made_by(items, generator)) | {
        "contradictions": [[share.hits, share.total] if share else [0, 0] for share in (of_real, of_claimed)]
    }


def catalogue(items: Sequence[Item], logits: Logits, generators: Sequence[str]) -> dict[str, Any]:
    """All heads together, decided as published: the largest at or above 0.5, else real.

    Args:
        items: N images.
        logits: (N, 1 + K), the detector's first.
        generators: K names.
    """
    chosen = np.array([decide_as_published(row) for row in logits])
    return _multiclass(items, chosen, logits[:, 1:], generators)


def softmax_classes(items: Sequence[Item], logits: Logits, generators: Sequence[str]) -> dict[str, Any]:
    """A network with one output a class, real first: arg max. For the open set, a generator's probability is its score."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return _multiclass(items, logits.argmax(axis=1), probabilities[:, 1:], generators)


def _multiclass(items: Sequence[Item], chosen: NDArray[np.int64], scores: Logits, generators: Sequence[str]) -> dict[str, Any]:
    classes = (REAL, *generators)
    confusion: dict[str, Counter[str]] = {}
    for item, choice in zip(items, chosen, strict=True):
        confusion.setdefault(label(item), Counter())[classes[choice]] += 1
    known = np.array([item.kind == "generated" and not item.external for item in items])
    unknown = np.array([item.kind == "generated" and item.external for item in items])
    truth = np.array([generators.index(item.source) for item in items if item.kind == "generated" and not item.external])
    return {
        "confusion": {source: dict(sorted(row.items())) for source, row in sorted(confusion.items())},
        "oscr": oscr(scores[known], truth, scores[unknown].max(axis=1)),
    }


def oscr(known: Logits, truth: NDArray[np.int64], unknown: Logits) -> float:
    """Area under the open-set classification rate curve (Dhamija et al. 2018).

    For every threshold: the share of known images that are classified rightly with a score at or above it, against the share
    of unknown images whose largest score is.

    Args:
        known: (N, K) scores of images of K known classes.
        truth: (N,) their classes.
        unknown: (M,) largest scores of images of none of them.
    """
    largest = known.max(axis=1)
    right = known.argmax(axis=1) == truth
    thresholds = np.unique(np.concatenate([largest, unknown]))[::-1]
    accepted = np.sort(unknown)
    false = (unknown.size - np.searchsorted(accepted, thresholds, side="left")) / unknown.size
    correct = np.sort(largest[right])
    rate = (correct.size - np.searchsorted(correct, thresholds, side="left")) / largest.size
    return float(np.trapezoid(np.concatenate([[0.0], rate]), np.concatenate([[0.0], false])))


def external(items: Sequence[Item]) -> NDArray[np.bool_]:
    """Which images are external, (N,)."""
    return np.array([item.external for item in items])


def generated(items: Sequence[Item]) -> NDArray[np.bool_]:
    """Which images some generator made, (N,)."""
    return np.array([item.kind == "generated" for item in items])


def made_by(items: Sequence[Item], generator: str) -> NDArray[np.bool_]:
    """Which images one generator made, (N,)."""
    return np.array([item.kind == "generated" and not item.external and item.source == generator for item in items])


def classes_of(items: Sequence[Item], generators: Sequence[str]) -> NDArray[np.float32]:
    """0 for real, 1..K for the generators; float32 (N,)."""
    return np.array([generators.index(i.source) + 1 if i.kind == "generated" else 0 for i in items], dtype=np.float32)


def precision_recall_f1(yes: Mapping[str, Sequence[int]], positive: Sequence[str]) -> tuple[float, float, float]:
    """Shares in [0, 1] from counts by source, external ones left out; 0 where nothing was called yes."""
    found = sum(yes[source][0] for source in positive)
    actual = sum(yes[source][1] for source in positive)
    called = sum(hits for source, (hits, _) in yes.items() if not source.startswith("external/"))
    precision, recall = found / called if called else 0.0, found / actual
    return precision, recall, 2 * found / (called + actual)
