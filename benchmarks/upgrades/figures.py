"""What a way of upgrading does to heads and detector, on test images: figures of one seed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.upgrades.roles import NEW, OLD, REAL, Images
from benchmarks.upgrades.ways import FEATURE_BATCH, Features, World
from manyheads_shared.metrics import auroc, auroc_interval, auroc_loss
from manyheads_shared.networks import Head, Primary

FALSE_POSITIVES = 0.01  # share of the images of other origin at which recall is stated

Logits = NDArray[np.float32]


class Measure:
    """Measures the ways of one seed, all against the earlier primary."""

    def __init__(self, world: World) -> None:
        self._world, self._test = world, world.images["test"]
        self.earlier = world.earlier()
        self.heads = {name: world.head("earlier", self.earlier, name) for name in OLD}
        self._before = {name: self._score(head, "earlier", self.earlier) for name, head in self.heads.items()}

    def detector(self, name: str, primary: Primary) -> dict[str, float]:
        """AUROC of each generator's images against photographs."""
        logits = self._score(primary.detector, name, primary)
        real = logits[self._test.sources == REAL]
        generators = sorted(set(self._test.sources) - {REAL})
        return {source: auroc(real, logits[self._test.sources == source]) or 0.0 for source in generators}

    def old_heads(self, name: str, primary: Primary, adapter: nn.Module | None = None) -> dict[str, Any]:
        """Every old head on a primary: AUROC, what it lost, recall."""
        return {title: self._old_head(title, head, name, primary, adapter) for title, head in self.heads.items()}

    def new_heads(self, name: str, primary: Primary) -> dict[str, float]:
        """AUROC of heads trained on a primary for the new generators."""
        found = {title: self._score(self._world.head(name, primary, title), name, primary) for title in NEW}
        return {title: auroc(*_sides(logits, self._test, title)) or 0.0 for title, logits in found.items()}

    def _old_head(self, title: str, head: Head, name: str, primary: Primary, adapter: nn.Module | None) -> Mapping[str, float]:
        logits = self._score(nn.Sequential(adapter, head) if adapter else head, name, primary)
        before, after = _sides(self._before[title], self._test, title), _sides(logits, self._test, title)
        area, loss = auroc_interval(*after), auroc_loss(before, after)
        assert area is not None  # every generator has test images
        assert loss is not None
        return {
            "auroc": area.value,
            "auroc_lower": area.lower,
            "auroc_upper": area.upper,
            "loss": loss.value,
            "loss_lower": loss.lower,
            "loss_upper": loss.upper,
            "recall": float((after[1] > np.quantile(after[0], 1 - FALSE_POSITIVES)).mean()),
        }

    @torch.inference_mode()
    def _score(self, network: nn.Module, name: str, primary: Primary) -> Logits:
        features: Features = self._world.features(name, primary, "test")
        network.eval()
        batches = np.array_split(features, max(1, len(features) // FEATURE_BATCH))
        return np.concatenate(
            [network(torch.from_numpy(batch.astype(np.float32)).permute(0, 3, 1, 2)).numpy() for batch in batches]
        )


def _sides(logits: Logits, images: Images, generator: str) -> tuple[Logits, Logits]:
    own = images.sources == generator
    return logits[~own], logits[own]
