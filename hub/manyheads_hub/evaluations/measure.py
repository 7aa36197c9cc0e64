"""Run a primary and heads over a suite. The hub's only way to torch, through `manyheads_shared.scoring`.

Every image passes the trunk once, in batches of bounded size. What the logits mean is for `gate` and `bundles.build`, how a
head card shows a proof image for `pictures`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads_hub.evaluations.pictures import Picture, draw_picture
from manyheads_hub.evaluations.scores import Score, Scores, Unusable
from manyheads_hub.evaluations.suite import MAX_REASON, Progress, Suite, SuiteImage, label_proofs, work_ahead
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact
from manyheads_shared.compute import Compute, software
from manyheads_shared.digest import Digest
from manyheads_shared.errors import ImageError
from manyheads_shared.image import Pixels
from manyheads_shared.preprocess import fit_image
from manyheads_shared.scoring import Scorer

BATCH_PIXELS = 1 << 19  # 128 images of 64 x 64, 8 of 256 x 256: larger batches leave a processor's cache and take longer
PICTURES = 8  # proof images shown on a head card

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class HeadMeasurement:
    """What the hub learns of a submitted head."""

    scores: Scores
    pictures: tuple[Picture, ...]  # proof images only: the suite is hidden


def measure_catalogue(
    primary: PrimaryArtifact,
    heads: Sequence[HeadArtifact],
    suite: Suite,
    compute: Compute,
    *,
    on_batch: Progress | None = None,
) -> Iterator[Scores]:
    """Score a suite with the detector and all heads in one pass: what a bundle is calibrated from.

    Every head must have met the images of every other generator, so this runs again whenever the suite or the catalogue
    changes.

    Args:
        on_batch: called after every batch with the images done and the images in all.

    Returns:
        The detector's own scores, then each head's. The images are scored before this returns; the documents are made one
        by one.

    Raises:
        FeatureContractError: the features here are not those a manifest promises.
        NonFiniteScoreError: a network gives NaN or infinity.
        DigestMismatchError: a suite image changed since the suite was loaded.
    """
    run = _Pass(primary, heads, suite, compute, total=len(suite.images), on_batch=on_batch)
    run.score(suite.images)
    return (run.document(head, column) for column, head in enumerate([None, *(head.digest for head in heads)]))


def measure_head(
    primary: PrimaryArtifact,
    head: HeadArtifact,
    suite: Suite,
    proofs: Sequence[bytes],
    compute: Compute,
    *,
    on_batch: Progress | None = None,
) -> HeadMeasurement:
    """Score a suite and the owner's proof images with a submitted head.

    Args:
        proofs: the proof images, encoded. Pictures show those with the smallest digests: a choice nobody made.
        on_batch: called after every batch with the images done and the images in all.

    Raises:
        FeatureContractError, NonFiniteScoreError, DigestMismatchError: as `measure_catalogue`.
    """
    generator = head.manifest.generator
    own = label_proofs(generator.name, proofs)
    run = _Pass(primary, [head], suite, compute, total=len(suite.images) + len(own), on_batch=on_batch)
    run.score(suite.images)
    pictures = tuple(run.show(own[:PICTURES], generator.title))
    run.score(own[PICTURES:])
    return HeadMeasurement(run.document(head.digest, 1), pictures)


class _Pass:
    """One pass over images: the logits so far, and the images that have none."""

    def __init__(
        self,
        primary: PrimaryArtifact,
        heads: Sequence[HeadArtifact],
        suite: Suite,
        compute: Compute,
        *,
        total: int,
        on_batch: Progress | None,
    ) -> None:
        self._primary, self._suite, self._compute = primary, suite, compute
        self._scorer = Scorer(primary, heads, compute)
        self._total, self._on_batch = total, on_batch
        self._scored: list[tuple[SuiteImage, Logits]] = []  # logits (1 + K,)
        self._unusable: list[Unusable] = []

    def score(self, images: Sequence[SuiteImage]) -> None:
        """Score images."""
        for members, pixels in self._batches(images):
            self._keep(members, self._scorer.score(pixels))

    def show(self, images: Sequence[SuiteImage], title: str) -> Iterator[Picture]:
        """Score images, and draw where the first head sees its generator."""
        for members, pixels in self._batches(images):
            analysis = self._scorer.analyse(pixels)
            self._keep(members, analysis.logits)
            for image, shown, logits, saliency in zip(members, pixels, analysis.logits, analysis.saliency, strict=True):
                evidence = saliency[1]
                if self._primary.architecture.readout == "flatten":
                    evidence = evidence * evidence.size  # its sum is the logit; like this its mean is, as with gap
                yield draw_picture(shown, evidence, float(logits[1]), image.digest, title)

    def document(self, head: Digest | None, column: int) -> Scores:
        """Return the scores of the detector alone (`head` None), or of one head beside it."""
        return Scores.new(
            suite=self._suite.digest,
            primary=self._primary.digest,
            head=head,
            device=self._compute.device_name,
            precision=self._compute.precision,
            software=software(),
            rows=tuple(
                Score(
                    kind=image.label.kind,
                    source=image.label.source,
                    external=image.label.external,
                    proof=image.proof,
                    digest=image.digest,
                    part=image.part,
                    detector=float(logits[0]),
                    head=None if head is None else float(logits[column]),
                )
                for image, logits in self._scored
            ),
            unusable=(*self._suite.set_aside, *self._unusable),
        )

    def _batches(self, images: Sequence[SuiteImage]) -> Iterator[tuple[list[SuiteImage], list[Pixels]]]:
        """Gather images of one fitted size; report those that cannot be used."""
        spec = self._scorer.preprocess.spec
        members: list[SuiteImage] = []
        pixels: list[Pixels] = []
        for image, fitted in work_ahead(images, lambda image: fit_image(image.decode(), spec)):
            if isinstance(fitted, ImageError):
                self._unusable.append(Unusable(digest=image.digest, reason=str(fitted)[:MAX_REASON]))
                continue
            if pixels and (fitted.shape != pixels[0].shape or (len(pixels) + 1) * _area(fitted) > BATCH_PIXELS):
                yield members, pixels
                members, pixels = [], []
            members.append(image)
            pixels.append(fitted)
        if pixels:
            yield members, pixels

    def _keep(self, members: Sequence[SuiteImage], logits: Logits) -> None:
        self._scored += zip(members, logits, strict=True)
        if self._on_batch:
            self._on_batch(len(self._scored) + len(self._unusable), self._total)


def _area(pixels: Pixels) -> int:
    height, width = pixels.shape[:2]
    return int(height * width)
