"""Figures of a head that is not accepted, as its owner is told them: in steps, so that no hidden suite steers small changes.

An owner who saw every hit could change one weight at a time and keep what helps (Blum and Hardt 2015, the ladder). Told in
twentieths, a change shows only when it is large. An accepted head's figures are exact: they are signed, and public.
"""

import math

from manyheads_shared.api import EvaluationInfo, ShareInfo
from manyheads_shared.metrics import clopper_pearson

STEPS = 20  # of a share
THRESHOLD_STEP = 0.5  # logits
AUROC_PLACES = 2


def coarsen(info: EvaluationInfo) -> EvaluationInfo:
    """Return an evaluation with every figure rounded to its step."""
    return info.model_copy(
        update={
            "threshold": THRESHOLD_STEP * round(info.threshold / THRESHOLD_STEP),
            "recall": _coarsen(info.recall),
            "false_positives": [item.model_copy(update={"yes": _coarsen(item.yes)}) for item in info.false_positives],
            "auroc": round(info.auroc, AUROC_PLACES),
            "contradiction": _coarsen(info.contradiction) if info.contradiction else None,
        }
    )


def in_steps(hits: int, total: int) -> str:
    """Return a share in words: the twentieth it lies in."""
    if hits in (0, total):
        return "none" if hits == 0 else "all"
    step = min(math.floor(STEPS * hits / total), STEPS - 1)
    return f"{100 * step // STEPS} to {100 * (step + 1) // STEPS} %"


def _coarsen(share: ShareInfo) -> ShareInfo:
    """Round the hits to the nearest step; the bounds are those of the rounded hits."""
    step = math.ceil(share.total / STEPS)
    rounded = clopper_pearson(min(step * round(share.hits / step), share.total), share.total)
    assert rounded is not None  # a share is of at least one image
    return ShareInfo(share=rounded.value, lower=rounded.lower, upper=rounded.upper, hits=rounded.hits, total=rounded.total)
