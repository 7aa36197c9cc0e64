"""The earlier primary with its heads, new primaries, and adapters: trained once, kept in the work folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.upgrades.roles import NEW, OLD, PUBLIC, REAL, Images, Side
from manyheads_contributor.compatibility import CompatiblePrimary, Compatibly
from manyheads_contributor.examples import Examples, Indices, feature_examples
from manyheads_contributor.optimizer import Adam
from manyheads_contributor.recipe import load_recipe
from manyheads_contributor.run import RunFolder
from manyheads_contributor.train import YesNo, positive_weight, train
from manyheads_shared.architectures import get_architecture
from manyheads_shared.compute import Compute
from manyheads_shared.networks import Head, Primary, build_head, build_primary

ARCHITECTURE = get_architecture("khoo2022-pixel")
SIZE = 64
FEATURE_BATCH = 256
PRIMARY_EPOCHS, HEAD_EPOCHS = 8, 10
ADAPTER_STEPS, ADAPTER_BATCH, ADAPTER_RATE = 1000, 64, 3e-3

Features = NDArray[np.float16]  # (N, H, W, C)
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class World:
    """One seed: images, arithmetic, and where finished networks lie."""

    images: dict[Side, Images]
    seed: int
    compute: Compute
    folder: Path

    def earlier(self) -> Primary:
        """The primary that the old heads were trained on."""
        return self._primary("earlier", (REAL, *PUBLIC))

    def unconstrained(self) -> Primary:
        """A new primary from fresh weights that knows nothing of the earlier one."""
        return self._primary("unconstrained", (REAL, *PUBLIC, *NEW))

    def continued(self) -> Primary:
        """A new primary that merely began at the earlier one's weights."""
        return self._primary("continued", (REAL, *PUBLIC, *NEW), begin_at=self.earlier())

    def compatible(self, weight: float, *, with_heads: bool) -> Primary:
        """A new primary by backward-compatible training."""
        heads = [self.head("earlier", self.earlier(), name) for name in OLD] if with_heads else []
        name = f"compatible-{weight:g}{'-heads' if with_heads else ''}"
        return self._primary(name, (REAL, *PUBLIC, *NEW), held_to=(self.earlier(), heads, weight))

    def same_trunk(self) -> Primary:
        """The earlier trunk as it is under a new detector."""
        earlier = self.earlier()
        network = build_primary(ARCHITECTURE, SIZE, seed=self.seed)
        network.trunk.load_state_dict(earlier.trunk.state_dict())
        sides = [self._feature_examples("earlier", earlier, side, (REAL, *PUBLIC, *NEW), None) for side in ("train", "val")]
        self._train(network.detector, "same-trunk", sides, "primary_learning_rate", PRIMARY_EPOCHS)
        return network.eval()

    def head(self, primary_name: str, primary: Primary, generator: str) -> Head:
        """An owner's head: its images against all that are public when the primary is."""
        known = (REAL, *PUBLIC) if primary_name == "earlier" else (REAL, *PUBLIC, *NEW)
        network = build_head(ARCHITECTURE, SIZE, seed=self.seed)
        sides = [
            self._feature_examples(primary_name, primary, side, (*known, generator), generator) for side in ("train", "val")
        ]
        self._train(network, f"head-{primary_name}-{generator}", sides, "head_learning_rate", HEAD_EPOCHS)
        return network

    def features(self, name: str, primary: Primary, side: Side) -> Features:
        """The trunk's features of one side's images."""
        path = self.folder / f"features-{name}-{side}.npy"
        if not path.exists():
            np.save(path, self._trunk_pass(primary, self.images[side].pixels))
        stored: Features = np.load(path, mmap_mode="r")
        return stored

    @torch.inference_mode()
    def _trunk_pass(self, primary: Primary, pixels: NDArray[np.uint8]) -> Features:
        batches = np.array_split(pixels, max(1, len(pixels) // FEATURE_BATCH))
        with self.compute.arithmetic():
            passes = [primary.trunk(as_tensor(batch)).permute(0, 2, 3, 1).numpy().astype(np.float16) for batch in batches]
        return np.concatenate(passes)

    def _primary(
        self,
        name: str,
        sources: Sequence[str],
        *,
        begin_at: Primary | None = None,
        held_to: tuple[Primary, list[Head], float] | None = None,
    ) -> Primary:
        primary = build_primary(ARCHITECTURE, SIZE, seed=self.seed)
        sides = [self._image_examples(self.images[side].of(*sources)) for side in ("train", "val")]
        if held_to is None:
            if begin_at is not None:
                primary.load_state_dict(begin_at.state_dict())
            self._train(primary, name, sides, "primary_learning_rate", PRIMARY_EPOCHS)
            return primary
        earlier, heads, weight = held_to
        network = CompatiblePrimary(primary, freeze(earlier), [freeze(head) for head in heads])
        self._train(network, name, sides, "primary_learning_rate", PRIMARY_EPOCHS, compatibility=weight)
        return primary.eval()

    def _train(
        self,
        network: nn.Module,
        name: str,
        sides: list[Examples],
        rate: str,
        epochs: int,
        *,
        compatibility: float | None = None,
    ) -> None:
        finished = self.folder / f"{name}.safetensors"
        if finished.exists():
            network.load_state_dict(safetensors.torch.load_file(finished))
            network.eval()
            return
        folder = RunFolder(self.folder / name)
        folder.path.mkdir(parents=True, exist_ok=True)
        head = ["negatives_per_positive=2"] if name.startswith("head") else []
        recipe = load_recipe("quick", [f"max_epochs={epochs}", f"seed={self.seed}", *head])
        objective = YesNo(positive_weight(sides[0], recipe, self.compute))
        chosen = objective if compatibility is None else Compatibly(objective, compatibility)
        train(
            network,
            (sides[0], sides[1]),
            recipe,
            learning_rate=getattr(recipe, rate),
            compute=self.compute,
            folder=folder,
            objective=chosen,
        )
        safetensors.torch.save_file({key: value.contiguous() for key, value in network.state_dict().items()}, finished)
        folder.tidy()

    def _image_examples(self, images: Images) -> Examples:
        def load(indices: Indices, epoch: int) -> Tensor:
            return as_tensor(images.pixels[indices])

        return Examples((images.sources != REAL).astype(np.float32), load, images.pixels.shape[1:])

    def _feature_examples(
        self, name: str, primary: Primary, side: Side, sources: Sequence[str], generator: str | None
    ) -> Examples:
        own = self.images[side].sources
        chosen = np.isin(own, sources)
        labels = (own != REAL) if generator is None else (own == generator)
        return feature_examples(self.features(name, primary, side)[chosen], labels[chosen].astype(np.float32), self.compute)

    def adapter(self, kind: str, name: str, primary: Primary, heads: Sequence[Head]) -> nn.Module:
        """Earlier features from new ones, learned from public images and the earlier heads."""
        network = build_adapter(kind, self.seed)
        finished = self.folder / f"adapter-{kind}-{name}.safetensors"
        if finished.exists():
            network.load_state_dict(safetensors.torch.load_file(finished))
            return network.eval()
        public = np.isin(self.images["train"].sources, (REAL, *PUBLIC, *NEW))
        before = self.features("earlier", self.earlier(), "train")[public]
        after = self.features(name, primary, "train")[public]
        train_adapter(network, after, before, heads, self.seed)
        safetensors.torch.save_file(network.state_dict(), finished)
        return network.eval()


def freeze(network: M) -> M:
    """Let nothing learn from here on."""
    return network.eval().requires_grad_(requires_grad=False)


def build_adapter(kind: str, seed: int) -> nn.Module:
    """One convolution of side 1 or 3."""
    channels = ARCHITECTURE.feature_channels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        side = int(kind[0])
        return nn.Sequential(nn.Conv2d(channels, channels, side, padding=side // 2), nn.ReLU())


def train_adapter(network: nn.Module, after: Features, before: Features, heads: Sequence[Head], seed: int) -> None:
    """Learn `before` from `after`, and the heads' logits on it."""
    random, optimizer = np.random.default_rng(seed), Adam(network, betas=(0.9, 0.999), eps=1e-7)
    power = float(np.square(before[:512].astype(np.float32)).mean())
    for head in heads:
        freeze(head)
    for step in range(ADAPTER_STEPS):
        chosen = np.sort(random.choice(len(after), ADAPTER_BATCH, replace=False))
        wanted = _as_features(before[chosen])
        found = network(_as_features(after[chosen]))
        loss = functional.mse_loss(found, wanted) / power
        for head in heads:
            with torch.no_grad():
                logits = head(wanted)
            loss = loss + functional.mse_loss(head(found), logits) / logits.square().mean().clamp(min=1e-6) / len(heads)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step(ADAPTER_RATE * 0.5 * (1 + np.cos(np.pi * step / ADAPTER_STEPS)))


def _as_features(rows: Features) -> Tensor:
    return torch.from_numpy(rows.astype(np.float32)).permute(0, 3, 1, 2)


def as_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Pixels (B, S, S, 3) as a network sees them, float32 (B, 3, S, S), channels last."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
