"""A detector or a head against labelled images it has not learned from: figures with intervals, per source.

Scores come from `manyheads_shared.scoring.Scorer`, as the hub's and the client's do. "Yes" is a logit at or above 0
(probability 0.5), as published; the hub calibrates its own thresholds on its own suite.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads_contributor.duplicates import Fingerprint, find_copies, fingerprint
from manyheads_contributor.run import Run, RunFolder
from manyheads_contributor.samples import images_at_once
from manyheads_contributor.split import group_images
from manyheads_shared import metrics
from manyheads_shared.dataset import Dataset, Item, Kind, dataset_digest
from manyheads_shared.degradations import degrade, get_profile
from manyheads_shared.digest import Digest
from manyheads_shared.errors import DatasetError, ImageError, UsageError
from manyheads_shared.image import Pixels, read_image
from manyheads_shared.metrics import BinaryMetrics, Share
from manyheads_shared.preprocess import fit_image
from manyheads_shared.scoring import Scorer

BATCH = 256  # images decoded at once, and scored at once where they are not large
THRESHOLD = 0.0  # logit

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Scored:
    """Logits of the images that could be scored, and what is wrong with the others."""

    items: tuple[Item, ...]
    prints: tuple[Fingerprint, ...]  # of the files as they are, whatever degradation was scored
    logits: Logits  # (N, 1 + K)
    failures: tuple[str, ...]
    copies: int = 0  # images dropped since, as near-duplicates of some that were learned from


@dataclass(frozen=True)
class SourceFigures:
    """One source: how often the answer was yes, and whether it should have been."""

    kind: Kind
    source: str
    external: bool
    positive: bool
    yes: Share
    groups: int  # pictures among the images
    median_logit: float


@dataclass(frozen=True)
class Evaluation:
    """What was measured. Shares of nothing are None."""

    metrics: BinaryMetrics  # of the images that are not external
    external_generated: Share | None  # answered rightly, of unseen generators' images
    external_real: Share | None  # answered rightly, of unseen photographs
    contradictions: tuple[Share | None, Share | None] | None  # head only; both definitions of `metrics.contradictions`
    sources: tuple[SourceFigures, ...]
    images: Digest  # of the labelled images behind all this
    count: int  # of them
    groups: int  # pictures among them: the effective sample size, which the intervals do not know
    copies: int  # images left out as near-duplicates of some that were learned from
    failures: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values; shares with their counts and intervals."""
        found = self.metrics
        of_real, of_claimed = self.contradictions or (None, None)
        return {
            "threshold": THRESHOLD,
            "precision": share_json(found.precision),
            "recall": share_json(found.recall),
            "false_positive_rate": share_json(found.false_positive_rate),
            "f1": share_json(found.f1),
            "auroc": found.auroc,
            "external_accuracy": {
                "generated": share_json(self.external_generated),
                "real": share_json(self.external_real),
            },
            "contradiction": {"of_called_real": share_json(of_real), "of_claimed": share_json(of_claimed)},
            "sources": [asdict(figures) | {"yes": share_json(figures.yes)} for figures in self.sources],
            "images": self.images,
            "count": self.count,
            "groups": self.groups,
            "copies_left_out": self.copies,
            "failures": list(self.failures),
        }


def share_json(share: Share | None) -> dict[str, float] | None:
    """A share as JSON values, in the fields of the hub's API."""
    return None if share is None else {"share": share.value, **asdict(share)}


def choose_items(dataset: Dataset, trained: tuple[RunFolder, Run] | None, *, everything: bool) -> tuple[Item, ...]:
    """Return the images to evaluate on: no file that the run has learned from or chosen its weights by.

    The same pictures in other files are found once they are decoded; see `leave_out_seen`.

    Args:
        dataset: labelled images.
        trained: the run, if there is one; an artifact does not say which images it has seen.
        everything: all images of foreign data, instead of the test side of the run's own.

    Raises:
        UsageError: neither a run nor `everything`.
        DatasetError: not the run's data, or no image is left.
    """
    if trained is None:
        if not everything:
            raise UsageError(
                "an artifact does not say which images it has seen: give its run folder, or --all for foreign data"
            )
        return dataset.items
    folder, run = trained
    sides = folder.read_split()
    seen = sides["train"] | sides["val"]
    if everything:
        items = tuple(item for item in dataset.items if item.digest not in seen)
    elif dataset.digest != run.identity.dataset:
        raise DatasetError(f"{dataset.root}: not the images this run was trained on; give those, or --all for foreign data")
    else:
        items = tuple(i for i in dataset.items if (i.external or i.digest in sides["test"]) and i.digest not in seen)
    _refuse_none_left(items, dataset.root)
    return items


def leave_out_seen(scored: Scored, seen: Sequence[Fingerprint]) -> Scored:
    """Drop near-duplicates of images that were learned from: saved in another format, they are no new pictures.

    Raises:
        DatasetError: no image is left.
    """
    copies = find_copies(scored.prints, seen)
    if not copies.any():
        return scored
    kept = np.flatnonzero(~copies).tolist()
    items, prints = tuple(scored.items[i] for i in kept), tuple(scored.prints[i] for i in kept)
    _refuse_none_left(items, scored.items[0].path.parent)
    return Scored(items, prints, scored.logits[kept], scored.failures, int(copies.sum()))


def score_items(
    scorer: Scorer, items: Sequence[Item], *, profile: str, seed: int, on_image: Callable[[], None] = lambda: None
) -> Scored:
    """Decode, fit, degrade and score images; one that cannot be is listed and passed over.

    Args:
        scorer: a primary and its heads.
        items: the images.
        profile: of `manyheads_shared.degradations`; applied to the fitted image, as published.
        seed: of the degradations.
        on_image: called after each image.
    """
    get_profile(profile)

    def read(item: Item) -> tuple[Pixels, Fingerprint] | str:
        try:
            pixels = read_image(item.path).pixels
            fitted = fit_image(pixels, scorer.preprocess.spec)
            return degrade(fitted, profile, seed=seed, digest=item.digest), fingerprint(pixels)
        except ImageError as error:
            return str(error) if str(item.path) in str(error) else f"{item.path}: {error}"
        finally:
            on_image()

    kept: list[Item] = []
    prints: list[Fingerprint] = []
    logits = [np.empty((0, 1 + scorer.head_count), dtype=np.float32)]
    failures: list[str] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            by_size: dict[tuple[int, ...], list[tuple[Item, Pixels, Fingerprint]]] = {}  # more than one only with fit native
            for item, answer in zip(batch, pool.map(read, batch), strict=True):
                if isinstance(answer, str):
                    failures.append(answer)
                else:
                    by_size.setdefault(answer[0].shape, []).append((item, *answer))
            for group in by_size.values():
                kept += [item for item, _, _ in group]
                prints += [known_by for _, _, known_by in group]
                size = images_at_once(BATCH, group[0][1].shape)
                pixels = [entry[1] for entry in group]
                logits += [scorer.score(pixels[first : first + size]) for first in range(0, len(group), size)]
    return Scored(tuple(kept), tuple(prints), np.concatenate(logits), tuple(failures))


def evaluate(scored: Scored, generator: str | None, *, group_pattern: str | None = None) -> Evaluation:
    """Measure the detector, or a head.

    Args:
        scored: images with logits; column 0 the detector's, column 1 the head's if there is one.
        generator: the head's generator; None measures the detector.
        group_pattern: files it names as one are one picture, as near-duplicates are; see `split_dataset`.

    Raises:
        DatasetError: nothing was scored.
    """
    if not scored.items:
        raise DatasetError(f"no image could be scored; the first: {(scored.failures or ('none was given',))[0]}")
    logits = scored.logits[:, 0 if generator is None else 1]
    generated = np.array([item.kind == "generated" for item in scored.items])
    external = np.array([item.external for item in scored.items])
    named = np.array([item.source == generator for item in scored.items])
    positive = generated if generator is None else generated & named
    right = (logits >= THRESHOLD) == positive
    groups = group_images(scored.items, scored.prints, group_pattern)
    return Evaluation(
        metrics=metrics.binary_metrics(logits[~positive & ~external], logits[positive & ~external], THRESHOLD),
        external_generated=metrics.wilson(int(right[external & generated].sum()), int((external & generated).sum())),
        external_real=metrics.wilson(int(right[external & ~generated].sum()), int((external & ~generated).sum())),
        contradictions=None if generator is None else metrics.contradictions(scored.logits[~external, 0], logits[~external]),
        sources=_by_source(scored.items, logits, positive, groups),
        images=dataset_digest(scored.items),
        count=len(scored.items),
        groups=len(set(groups.tolist())),
        copies=scored.copies,
        failures=scored.failures,
    )


def _refuse_none_left(items: Sequence[Item], where: Path) -> None:
    if all(item.external for item in items):
        raise DatasetError(f"{where}: expected test images the run has not seen; there are none outside external/")


def _by_source(
    items: Sequence[Item], logits: Logits, positive: NDArray[np.bool_], groups: NDArray[np.int64]
) -> tuple[SourceFigures, ...]:
    labels = [(item.external, item.kind, item.source) for item in items]
    figures = []
    for label in sorted(set(labels)):
        chosen = np.array([other == label for other in labels])
        yes = metrics.wilson(int((logits[chosen] >= THRESHOLD).sum()), int(chosen.sum()))
        assert yes is not None  # every label has an image
        external, kind, source = label
        pictures, median = len(set(groups[chosen].tolist())), float(np.median(logits[chosen]))
        figures.append(SourceFigures(kind, source, external, bool(positive[chosen][0]), yes, pictures, median))
    return tuple(figures)
