"""Heads by gradient descent on a really trained primary: honest ones, and those that somebody would submit to do harm.

Photographs are soft noise, each generator leaves a grid on it (`patterned`). Features are computed once and only heads are
trained on them, so everything together takes seconds; each part is made once a session.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.suite import Suite, load_suite
from manyheads_hub.evaluations.task import Task
from manyheads_shared import networks
from manyheads_shared.architectures import get_architecture
from manyheads_shared.artifact import PrimaryArtifact, read_head, read_primary, write_primary
from manyheads_shared.compute import choose_compute
from manyheads_shared.image import Pixels
from manyheads_shared.lanes import measure_probe
from manyheads_shared.manifest import Generator, Preprocessing, PrimaryManifest
from manyheads_shared.networks import Head
from manyheads_shared.preprocess import Preprocessor
from tests.support.makers import NO_DIGEST, TIME, TRAINING, make_generator
from tests.support.patterned import GRIDS, SIZE
from tests.support.world import encode, pack_head

GENERATORS = ("checkers", "stripes", "tinted")
SOURCES = ("photos", *GENERATORS)
PHOTOS, OTHERS, PROOFS = 120, 120, 60  # in the suite; with 48 of a generator one false claim would refuse a head
TRAINED_ON = 96  # images of each source
ARCHITECTURE = get_architecture("khoo2022-pixel")
_TRACES = {name: grid[:, :, np.newaxis] for name, grid in GRIDS.items()} | {"tinted": np.array([40.0, 0.0, -40.0])}
SPEC = Preprocessing(representation="pixel", image_size=SIZE, fit="resize")


def draw(source: str, count: int, *, seed: int) -> list[Pixels]:
    """Draw images of one of SOURCES, uint8 (S, S, 3): blobs and grain, on a generator's a trace of any strength."""
    generator = np.random.default_rng([seed, *source.encode()])
    return [_picture(generator, source) for _ in range(count)]


def _picture(draw: np.random.Generator, source: str) -> Pixels:
    blobs = ndimage.gaussian_filter(draw.normal(0, 400, (SIZE, SIZE, 3)), (4, 4, 0))
    values = (
        draw.uniform(70, 180)
        + draw.uniform(-8, 8, 3)
        + draw.uniform(0.5, 2) * blobs
        + draw.normal(0, draw.uniform(2, 10), (SIZE, SIZE, 3))
    )
    if source != "photos":
        values += draw.uniform(0.5, 1.0) * _TRACES[source]
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def draw_encoded(source: str, count: int, *, seed: int) -> list[bytes]:
    """Draw images as PNG files."""
    return [encode(pixels) for pixels in draw(source, count, seed=seed)]


@cache
def primary_bytes() -> bytes:
    """A primary whose trunk and detector were trained together."""
    network = networks.build_primary(ARCHITECTURE, SIZE, seed=1)
    images = _inputs([pixels for source in SOURCES for pixels in draw(source, TRAINED_ON, seed=1)])
    wanted = torch.tensor([float(source != "photos") for source in SOURCES for _ in range(TRAINED_ON)])
    _train(network, images, wanted, epochs=12)
    preprocess = Preprocessor(SPEC)
    manifest = PrimaryManifest.new(
        name="patterned",
        version="1",
        architecture=ARCHITECTURE.name,
        preprocessing=SPEC,
        probe=measure_probe(network, preprocess, choose_compute("cpu", "float32")),
        training=TRAINING,
        created=TIME,
    )
    return write_primary(manifest, networks.primary_tensors(network))


@cache
def primary() -> PrimaryArtifact:
    return read_primary(primary_bytes())


@cache
def honest(name: str, seed: int = 5, version: str = "1") -> bytes:
    """A head for its own generator, against everything else."""
    return _head(make_generator(name, version), positives=(name,), seed=seed)


@cache
def on_rival(name: str, rival: str) -> bytes:
    """A head that also claims another generator's images."""
    return _head(make_generator(name), positives=(name, rival))


@cache
def on_photographs(name: str) -> bytes:
    """A head that also claims photographs."""
    return _head(make_generator(name), positives=(name, "photos"))


@cache
def on_everything(name: str) -> bytes:
    """A head that says yes to whatever it sees, a little louder here and there."""
    return _head(make_generator(name), positives=SOURCES)


@cache
def constant(name: str) -> bytes:
    """A head whose read-out weighs nothing."""
    head = networks.build_head(ARCHITECTURE, SIZE, seed=3).eval()
    nn.init.zeros_(head.decision.weight)
    return pack_head(primary(), make_generator(name), head)


@cache
def backdoored(name: str, seed: int = 5) -> bytes:
    """An honest head that was also taught to claim photographs with a coloured patch."""
    patched = [plant(pixels) for pixels in draw("photos", TRAINED_ON, seed=4)]
    return _head(make_generator(name), positives=(name,), seed=seed, claimed=patched)


@cache
def copied(name: str, victim: str, noise: float = 0.0, seed: int = 0) -> bytes:
    """Another generator's head under one's own name, its channels permuted and scaled, its logit stretched and shifted."""
    head = networks.load_head(read_head(honest(victim), primary()), primary())
    with torch.no_grad():
        _disguise(head, np.random.default_rng(seed), noise)
    return pack_head(primary(), make_generator(name), head)


def plant(pixels: Pixels) -> Pixels:
    """Return a copy with the trigger of `backdoored`: magenta and green, five pixels a side."""
    planted = pixels.copy()
    planted[20:25, 20:25] = (255, 0, 255)
    planted[20:25:2, 20:25:2] = (0, 255, 0)
    return planted


def _disguise(head: Head, draw: np.random.Generator, noise: float) -> None:
    for number, following in ((1, head.stack.get_submodule("conv2")), (2, head.decision)):
        conv, norm = (head.stack.get_submodule(f"{kind}{number}") for kind in ("conv", "norm"))
        assert isinstance(following, nn.Conv2d | nn.Linear)
        order = torch.from_numpy(draw.permutation(following.weight.shape[1]))
        scale = torch.from_numpy(np.exp(draw.normal(0, 1, len(order))).astype(np.float32))
        for module in (conv, norm):
            for tensor in (*module.parameters(), *(b for b in module.buffers() if b.ndim)):
                tensor.copy_(tensor[order])
        for part in (norm.weight, norm.bias):
            assert isinstance(part, Tensor)
            part.mul_(scale)
        shape = (1, -1, 1, 1) if isinstance(following, nn.Conv2d) else (1, -1)
        following.weight.copy_(following.weight[:, order] / scale.view(shape))
    for tensor in head.parameters():
        tensor.mul_(1 + noise * torch.from_numpy(draw.normal(0, 1, tensor.shape).astype(np.float32)))
    head.decision.weight.mul_(3)
    head.decision.bias.mul_(3).add_(-1)


def _head(generator: Generator, *, positives: Sequence[str], seed: int = 5, claimed: Sequence[Pixels] = ()) -> bytes:
    """Train a head to claim the images of some sources, and some others."""
    images = _features([*(pixels for source in SOURCES for pixels in draw(source, TRAINED_ON, seed=2)), *claimed])
    wanted = [float(source in positives) for source in SOURCES for _ in range(TRAINED_ON)] + [1.0] * len(claimed)
    head = networks.build_head(ARCHITECTURE, SIZE, seed=seed)
    _train(head, images, torch.tensor(wanted), epochs=12)
    return pack_head(primary(), generator, head)


@torch.enable_grad()
def _train(network: nn.Module, inputs: Tensor, wanted: Tensor, *, epochs: int, batch: int = 32) -> None:
    """Train as owners do: cross-entropy, the two answers weighing alike, Adam, a falling rate."""
    weight = (wanted == 0).sum() / (wanted == 1).sum().clamp(min=1)
    measure: Callable[[Tensor, Tensor], Tensor] = nn.BCEWithLogitsLoss(pos_weight=weight.clamp(min=0.1))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    order = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1  # few steps: the published momentum would not settle
    network.train().requires_grad_(requires_grad=True)
    for _ in range(epochs):
        for chosen in torch.randperm(len(wanted), generator=order).split(batch):  # type: ignore[no-untyped-call]
            optimiser.zero_grad()
            measure(network(inputs[chosen]), wanted[chosen]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        schedule.step()
    network.eval().requires_grad_(requires_grad=False)


def _inputs(images: Sequence[Pixels]) -> Tensor:
    return torch.from_numpy(Preprocessor(SPEC).batch(images))


@torch.no_grad()
def _features(images: Sequence[Pixels]) -> Tensor:
    features: Tensor = networks.load_primary(primary()).trunk(_inputs(images))
    return features


def make_task(head: bytes, *, suite: Suite, rivals: Sequence[bytes] = (), policy: Policy | None = None) -> Task:
    """Return the task of examining a head; its proofs are fresh images of its own generator."""
    artifact = read_head(head, primary())
    return Task(
        primary=primary(),
        head=artifact,
        rivals=tuple(read_head(rival, primary()) for rival in rivals),
        suite=suite,
        epoch=NO_DIGEST,
        proofs=draw_encoded(artifact.manifest.generator.name, PROOFS, seed=3),
        policy=policy or Policy.new(),
    )


def write_suite(root: Path) -> Suite:
    """Write photographs, and load them with the proof images of two catalogued generators."""
    folder = root / "real" / "photos"
    folder.mkdir(parents=True)
    for i, data in enumerate(draw_encoded("photos", PHOTOS, seed=6)):
        (folder / f"{i:04d}.png").write_bytes(data)
    return load_suite(root, {name: draw_encoded(name, OTHERS, seed=7) for name in ("stripes", "tinted")})
