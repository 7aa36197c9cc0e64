"""A small world that can really be learnt: photographs are grey noise, each generator leaves a tint of its own.

The primary and the heads pass the hub's gate honestly. Their convolutions are random with settled batch norm, and only the
last layer is fitted, in closed form: that takes a moment instead of a minute.
"""

import io
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor, nn

from manyheads_shared import networks
from manyheads_shared.architectures import get_architecture
from manyheads_shared.artifact import PrimaryArtifact, read_primary, write_head, write_primary
from manyheads_shared.compute import choose_compute
from manyheads_shared.image import Pixels
from manyheads_shared.lanes import measure_probe
from manyheads_shared.manifest import Generator, HeadManifest, Preprocessing, PrimaryManifest
from manyheads_shared.preprocess import Preprocessor, dct_statistics
from tests.support.makers import SIZE, TIME, TRAINING, make_generator

TINTS = {"photos": (0, 0, 0), "alpha": (40, 0, 0), "beta": (0, 40, 0), "gamma": (0, 0, 40)}  # of 255
GENERATORS = ("alpha", "beta", "gamma")
PHOTOS, OTHERS, PROOFS = 100, 56, 56  # the gate's policy wants 90, 48 and 48
RIDGE = 1e-3  # keeps the fit finite where a feature is constant
LOGIT = 6.0  # what the fit aims at, for images of its own and, negative, for all others


def draw_images(source: str, count: int, *, seed: int) -> list[Pixels]:
    """Draw images of one source of TINTS, uint8 (S, S, 3)."""
    draw = np.random.default_rng([seed, *source.encode()])
    noise = draw.normal(110, 12, (count, SIZE, SIZE, 3)) + TINTS[source]
    return list(np.clip(noise, 0, 255).astype(np.uint8))


def encode(image: Pixels, comment: str = "") -> bytes:
    """Return an image as PNG."""
    stream, text = io.BytesIO(), PngInfo()
    if comment:
        text.add_text("Comment", comment)
    Image.fromarray(image).save(stream, "PNG", pnginfo=text)
    return stream.getvalue()


def draw_proofs(name: str, count: int = PROOFS) -> list[bytes]:
    """Return proof images of a generator, as PNG."""
    return [encode(image) for image in draw_images(name, count, seed=3)]


def write_suite(root: Path) -> Path:
    """Write a suite of photographs and images of gamma."""
    for source, name, count in (("real/photos", "photos", PHOTOS), ("generated/gamma", "gamma", OTHERS)):
        (root / source).mkdir(parents=True)
        for i, image in enumerate(draw_images(name, count, seed=2)):
            (root / source / f"{i:04d}.png").write_bytes(encode(image))
    return root


@cache
def trained_primary(version: str = "1", architecture: str = "khoo2022-pixel") -> bytes:
    """Return a primary whose detector tells photographs from generated images. Each version has weights of its own."""
    declared = get_architecture(architecture)
    spec = Preprocessing(representation=declared.representation, image_size=SIZE, fit="resize")
    network = networks.build_primary(declared, SIZE, seed=int(version))
    statistics = {}
    if declared.representation == "dct":
        statistics = dict(zip(("mean", "std"), dct_statistics(draw_images("photos", 96, seed=1)), strict=True))
    preprocess = Preprocessor(spec, **statistics)
    real, generated = draw_images("photos", 96, seed=1), [i for name in GENERATORS for i in draw_images(name, 32, seed=1)]
    features = _settle(network.trunk, torch.from_numpy(preprocess.batch([*real, *generated])))
    _fit(network.detector, features, positives=range(len(real), len(real) + len(generated)))
    manifest = PrimaryManifest.new(
        name="tiny",
        version=version,
        architecture=declared.name,
        preprocessing=spec,
        probe=measure_probe(network, preprocess, choose_compute("cpu", "float32")),
        training=TRAINING,
        created=TIME,
    )
    tensors = networks.primary_tensors(network) | {f"preprocessing.{name}": values for name, values in statistics.items()}
    return write_primary(manifest, tensors)


@cache
def compatible_primary(version: str = "2", shift: float = 0.005) -> bytes:
    """Return a primary whose trunk is near to that of version 1, so that heads for that one still work. Its detector is new.

    Args:
        shift: of every convolution's weights, relative.
    """
    earlier = read_primary(trained_primary("1"))
    network = networks.load_primary(earlier)
    draw = torch.Generator().manual_seed(int(version))
    with torch.no_grad():
        for layer in network.trunk:
            if isinstance(layer, nn.Conv2d):
                layer.weight *= 1 + shift * torch.randn(layer.weight.shape, generator=draw)
    preprocess = Preprocessor.of(earlier)
    real, generated = draw_images("photos", 96, seed=1), [i for name in GENERATORS for i in draw_images(name, 32, seed=1)]
    with torch.no_grad():
        features = network.trunk(torch.from_numpy(preprocess.batch([*real, *generated])))
    _fit(network.detector, features, positives=range(len(real), len(real) + len(generated)))
    manifest = earlier.manifest.model_copy(
        update={"version": version, "probe": measure_probe(network, preprocess, choose_compute("cpu", "float32"))}
    )
    return write_primary(manifest, networks.primary_tensors(network))


@cache
def trained_head(generator: Generator | None = None, primary_version: str = "1", architecture: str = "khoo2022-pixel") -> bytes:
    """Return a head that recognises its generator's pattern."""
    generator = generator or make_generator()
    primary = read_primary(trained_primary(primary_version, architecture))
    head = networks.build_head(primary.architecture, SIZE, seed=5)
    sources = (generator.name, *(name for name in TINTS if name != generator.name))
    images = [image for name in sources for image in draw_images(name, 32, seed=1)]
    with torch.no_grad():
        features = networks.load_primary(primary).trunk(torch.from_numpy(Preprocessor.of(primary).batch(images)))
    _fit(head, features, positives=range(32))
    return pack_head(primary, generator, head)


def pack_head(primary: PrimaryArtifact, generator: Generator, head: networks.Head) -> bytes:
    """Return a head as an artifact."""
    manifest = HeadManifest.new(
        generator=generator,
        architecture=primary.architecture.name,
        primary=primary.digest,
        probe=primary.manifest.probe,
        training=TRAINING,
        created=TIME,
    )
    return write_head(manifest, networks.head_tensors(head), primary)


def _settle(module: nn.Module, inputs: Tensor) -> Tensor:
    """Let batch norm take its statistics from one batch, and return the module's output in inference mode."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # a plain average
    with torch.no_grad():
        module.train()(inputs)
        outputs: Tensor = module.eval()(inputs)
    return outputs


def _fit(head: networks.Head, features: Tensor, *, positives: range) -> None:
    """Fit the last layer by ridge regression on +LOGIT and -LOGIT."""
    maps = _settle(head.stack, features).double()
    pooled = (maps.mean(dim=(2, 3)) if head.architecture.readout == "gap" else maps.flatten(1)).numpy()
    inputs = np.column_stack([pooled, np.ones(len(pooled))])
    wanted = np.full(len(pooled), -LOGIT)
    wanted[list(positives)] = LOGIT
    solution = np.linalg.solve(inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1]), inputs.T @ wanted)
    with torch.no_grad():
        head.decision.weight.copy_(torch.from_numpy(solution[np.newaxis, :-1]))
        head.decision.bias.copy_(torch.from_numpy(solution[-1:]))
    head.eval()
