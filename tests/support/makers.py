"""Small honest parts for tests: untrained networks, noise images, whole bundles in memory. Nothing here is a mock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from securesystemslib.signer import CryptoSigner

from manyheads_shared import networks
from manyheads_shared.architectures import get_architecture
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact, read_head, read_primary, write_head, write_primary
from manyheads_shared.bundle import BundleHead, BundleManifest
from manyheads_shared.calibration import Sources, build_calibration
from manyheads_shared.compute import choose_compute
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.image import Pixels
from manyheads_shared.keys import generate_key, public_pem
from manyheads_shared.lanes import measure_probe
from manyheads_shared.manifest import Generator, HeadManifest, Preprocessing, PrimaryManifest, Training
from manyheads_shared.preprocess import Preprocessor, dct_statistics
from manyheads_shared.statements import Bound, HubPredicate, OwnerPredicate, sign_hub_statement, sign_owner_statement

TIME = "2026-01-02T03:04:05Z"
NO_DIGEST = Digest("sha256:" + "0" * 64)
SIZE = 32  # pixels a side: the smallest a two-stage head takes comfortably
TRAINING = Training(recipe=NO_DIGEST, seed=0, epochs=1, images=1, precision="float32", device="test", software="manyheads test")


def make_generator(name: str = "alpha", version: str = "1", owner: str = "ada") -> Generator:
    return Generator(name=name, version=version, owner=owner, level="instance")


def make_images(count: int, *, size: int = SIZE, seed: int = 0) -> list[Pixels]:
    draw = np.random.default_rng(seed)
    return [draw.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(count)]


def make_primary_bytes(
    architecture: str = "khoo2022-pixel", *, seed: int = 0, size: int | None = SIZE, name: str = "tiny"
) -> bytes:
    """A primary of the declared architecture; `size` None makes one for images as they are."""
    declared = get_architecture(architecture)
    spec = Preprocessing(representation=declared.representation, image_size=size, fit="resize" if size else "native")
    primary = networks.build_primary(declared, size, seed=seed).eval()
    tensors = networks.primary_tensors(primary)
    preprocess = Preprocessor(spec)
    if declared.representation == "dct":
        assert size is not None
        mean, std = dct_statistics(make_images(8, size=size))
        tensors |= {"preprocessing.mean": mean, "preprocessing.std": std}
        preprocess = Preprocessor(spec, mean, std)
    manifest = PrimaryManifest.new(
        name=name,
        version="1",
        architecture=architecture,
        preprocessing=spec,
        probe=measure_probe(primary, preprocess, choose_compute("cpu", "float32")),
        training=TRAINING,
        created=TIME,
    )
    return write_primary(manifest, tensors)


def make_primary(architecture: str = "khoo2022-pixel", *, seed: int = 0, size: int | None = SIZE) -> PrimaryArtifact:
    return read_primary(make_primary_bytes(architecture, seed=seed, size=size))


def make_head_bytes(primary: PrimaryArtifact, generator: Generator | None = None, *, seed: int = 1) -> bytes:
    head = networks.build_head(primary.architecture, primary.manifest.preprocessing.image_size, seed=seed)
    manifest = HeadManifest.new(
        generator=generator or make_generator(),
        architecture=primary.architecture.name,
        primary=primary.digest,
        probe=primary.manifest.probe,
        training=TRAINING,
        created=TIME,
    )
    return write_head(manifest, networks.head_tensors(head), primary)


def make_head(primary: PrimaryArtifact, generator: Generator | None = None, *, seed: int = 1) -> HeadArtifact:
    return read_head(make_head_bytes(primary, generator, seed=seed), primary)


@dataclass
class MadeBundle:
    """A valid bundle, its objects by digest, and the keys that signed it; tests break it on purpose."""

    manifest: BundleManifest
    objects: dict[Digest, bytes]
    owner: CryptoSigner
    hub: CryptoSigner
    extra: dict[str, bytes] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        return self.manifest.to_bytes()

    def read_object(self, digest: Digest) -> bytes:
        return self.objects[digest]


def make_bundle(
    names: Sequence[str] = ("alpha", "beta"),
    *,
    sequence: int = 1,
    primary_bytes: bytes | None = None,
    owner: CryptoSigner | None = None,
    hub: CryptoSigner | None = None,
) -> MadeBundle:
    owner, hub = owner or generate_key(), hub or generate_key()
    objects: dict[Digest, bytes] = {}

    def keep(data: bytes) -> Digest:
        objects[digest_bytes(data)] = data
        return digest_bytes(data)

    primary_bytes = primary_bytes or make_primary_bytes()
    primary = read_primary(primary_bytes)
    keep(primary_bytes)
    entries = []
    for i, name in enumerate(names):
        generator = make_generator(name)
        head = keep(make_head_bytes(primary, generator, seed=i + 1))
        owner_predicate = OwnerPredicate(generator=generator, primary=primary.digest, created=TIME)
        everything = Bound(share=1.0, lower=0.9, upper=1.0, hits=40, total=40)
        hub_predicate = HubPredicate(
            generator=generator,
            primary=primary.digest,
            suite=NO_DIGEST,
            scores=NO_DIGEST,
            policy=NO_DIGEST,
            threshold=0.0,
            recall=everything,
            false_positives=(),
            auroc=1.0,
            contradiction=None,
            created=TIME,
        )
        entries.append(
            BundleHead(
                generator=generator,
                head=head,
                owner_key=owner.public_key.keyid,
                owner_statement=keep(sign_owner_statement(head, owner_predicate, owner)),
                hub_statement=keep(sign_hub_statement(head, hub_predicate, hub)),
            )
        )
    low: Sources = {("real", "photos"): np.linspace(-2, -1, 200, dtype=np.float32)}
    high = np.linspace(1, 2, 200, dtype=np.float32)
    calibration = build_calibration(
        primary=primary.digest, suite=NO_DIGEST, detector=(low, high), heads={entry.head: (low, high) for entry in entries}
    )
    manifest = BundleManifest.new(
        hub="test-hub",
        sequence=sequence,
        created=TIME,
        primary=primary.digest,
        calibration=keep(calibration.to_bytes()),
        heads=tuple(entries),
        left_out=(),
        owner_keys={owner.public_key.keyid: public_pem(owner.public_key)},
        hub_key=public_pem(hub.public_key),
    )
    return MadeBundle(manifest, objects, owner, hub)


def write_dataset(root: Path, sources: dict[str, int], *, size: int = SIZE, suffix: str = "png", seed: int = 0) -> Path:
    """Write noise images: `sources` maps `real/photos` or `external/generated/x` to a count. Sources differ in brightness."""
    for i, (source, count) in enumerate(sorted(sources.items())):
        folder = root / source
        folder.mkdir(parents=True, exist_ok=True)
        for j, pixels in enumerate(make_images(count, size=size, seed=seed + 1000 * i)):
            shifted = np.clip(pixels.astype(np.int16) // 2 + 40 * i, 0, 255).astype(np.uint8)
            Image.fromarray(shifted).save(folder / f"{j:04d}.{suffix}")
    return root
