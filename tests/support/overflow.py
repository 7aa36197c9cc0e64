"""A head whose weights are finite and whose score is not, for one image only: what no check of the file can find."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact
from manyheads_shared.image import Pixels
from manyheads_shared.networks import load_head, load_primary
from manyheads_shared.preprocess import Preprocessor

_HUGE = np.float32(1e30)  # finite; its square is not


def overflow_on(target: Pixels, others: Sequence[Pixels], head: HeadArtifact, primary: PrimaryArtifact) -> HeadArtifact:
    """Return the head with one channel that only `target` makes speak, and that cannot be added up in float32."""
    batch = torch.from_numpy(Preprocessor.of(primary).batch([target, *others]))
    with torch.no_grad():
        convolved = load_head(head, primary).stack[:-2](load_primary(primary).trunk(batch))  # before the last norm
    peaks = convolved.amax(dim=(2, 3)).numpy()  # (N, C)
    margin = peaks[0] - peaks[1:].max(axis=0)
    channel = int(margin.argmax())
    assert margin[channel] > 0
    last = f"norm{len(primary.architecture.head)}"
    only = np.zeros(peaks.shape[1], np.float32)
    only[channel] = _HUGE
    changed = {
        f"{last}.weight": only,
        f"{last}.bias": np.zeros_like(only),
        f"{last}.running_mean": (peaks[0] - margin / 2).astype(np.float32),
        f"{last}.running_var": np.ones_like(only),
        "decision.weight": only[np.newaxis],
    }
    return replace(head, tensors={**head.tensors, **changed})
