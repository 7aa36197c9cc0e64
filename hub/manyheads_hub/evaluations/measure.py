"""Run a primary and heads over a suite. The hub's only way to torch, through `manyheads_shared.scoring`.

Every image passes the trunk once, in batches of bounded size. What the logits mean is for `gate` and `bundles.build`, how a
head card shows a proof image for `pictures`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from manyheads_hub.evaluations.pictures import Picture, draw_picture
from manyheads_hub.evaluations.quick import choose_sample
from manyheads_hub.evaluations.scores import CatalogueScores, Look, Score, Scores, Unusable
from manyheads_hub.evaluations.suite import MAX_REASON, Progress, Suite, SuiteImage, label_proofs, work_ahead
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact
from manyheads_shared.compute import Compute, software
from manyheads_shared.digest import Digest
from manyheads_shared.errors import ImageError
from manyheads_shared.estimates import estimate_condition
from manyheads_shared.image import Pixels
from manyheads_shared.passage import Passage
from manyheads_shared.preprocess import fit_decoded
from manyheads_shared.rungs import RUNGS, Rung, climb
from manyheads_shared.scoring import Scorer

BATCH_PIXELS = 1 << 19  # 128 images of 64 x 64, 8 of 256 x 256: larger batches leave a processor's cache and take longer
PICTURES = 8  # proof images shown on a head card

Logits = NDArray[np.float32]
Change = Callable[[Pixels, Digest], Pixels]


@dataclass(frozen=True)
class HeadMeasurement:
    """What the hub learns of a submitted head on images as they are."""

    scores: Scores
    rivals: Logits  # (N, K), of the other heads, in the order of the rows of `scores`
    pictures: tuple[Picture, ...]  # proof images only: the suite is hidden


def measure_catalogue(
    primary: PrimaryArtifact,
    heads: Sequence[HeadArtifact],
    suite: Suite,
    compute: Compute,
    *,
    passages: Mapping[Digest, Passage] | None = None,
    on_batch: Progress | None = None,
) -> CatalogueScores:
    """Score a suite with the detector and all heads in one pass: what a bundle is calibrated from.

    Every head must have met the images of every other generator, so this runs again whenever the suite or the catalogue
    changes.

    Args:
        passages: how heads of earlier primaries are run, by head.
        on_batch: called after every batch with the images done and the images in all.

    The images are scored before this returns; the documents are made one by one.

    Raises:
        FeatureContractError: the features here are not those a manifest promises.
        NonFiniteScoreError: a network gives NaN or infinity.
        DigestMismatchError: a suite image changed since the suite was loaded.
    """
    scorer = Scorer(primary, heads, compute, passages=passages)
    run = _Pass(primary, heads, suite, compute, total=len(suite.images), on_batch=on_batch, with_looks=True, scorer=scorer)
    run.score(suite.images)
    each = (run.document(head, column) for column, head in enumerate([None, *(head.digest for head in heads)]))
    return CatalogueScores(each, run.looks())


def measure_head(
    primary: PrimaryArtifact,
    head: HeadArtifact,
    suite: Suite,
    proofs: Sequence[bytes],
    compute: Compute,
    *,
    rivals: Sequence[HeadArtifact] = (),
    passages: Mapping[Digest, Passage] | None = None,
    on_batch: Progress | None = None,
) -> HeadMeasurement:
    """Score a suite and the owner's proof images with a submitted head and, in the same pass, the heads it is to stand beside.

    Args:
        proofs: the proof images, encoded. Pictures show those with the smallest digests: a choice nobody made.
        passages: how rivals of earlier primaries are run, by head.
        on_batch: called after every batch with the images done and the images in all.

    Raises:
        FeatureContractError, NonFiniteScoreError, DigestMismatchError: as `measure_catalogue`.
    """
    generator = head.manifest.generator
    own = label_proofs(generator.name, proofs)
    scorer, total = Scorer(primary, [head, *rivals], compute, passages=passages), len(suite.images) + len(own)
    run = _Pass(primary, [head, *rivals], suite, compute, total=total, on_batch=on_batch, scorer=scorer)
    run.score(suite.images)
    pictures = tuple(run.show(own[:PICTURES], generator.title))
    run.score(own[PICTURES:])
    return HeadMeasurement(run.document(head.digest, 1), run.columns(2), pictures)


def measure_changed(
    primary: PrimaryArtifact,
    heads: Sequence[HeadArtifact],
    suite: Suite,
    images: Sequence[SuiteImage],
    compute: Compute,
    *,
    change: Change | None = None,
    on_batch: Progress | None = None,
) -> tuple[Scores, ...]:
    """Score images that something happened to on their way; return the detector's scores, then each head's.

    Args:
        images: of the suite, or proof images.
        change: fitted pixels and the image's digest to what becomes of them; None changes nothing.

    Raises:
        FeatureContractError, NonFiniteScoreError, DigestMismatchError: as `measure_catalogue`.
    """
    run = _Pass(primary, heads, suite, compute, total=len(images), on_batch=on_batch, change=change)
    run.score(images)
    return run.documents(heads)


def measure_rungs(
    primary: PrimaryArtifact,
    heads: Sequence[HeadArtifact],
    suite: Suite,
    compute: Compute,
    *,
    each: int,
    passages: Mapping[Digest, Passage] | None = None,
    on_batch: Progress | None = None,
) -> dict[Rung, dict[Digest | None, Scores]]:
    """Score part of a suite's test half on every rung: how far a bundle's figures hold.

    Args:
        each: images of each source, at most; external ones take no part.
        passages: how heads of earlier primaries are run, by head.

    Returns:
        For each rung the detector's scores, under None, and each head's.
    """
    images = choose_sample(suite.images, each, part="test")
    scorer = Scorer(
        primary, heads, compute, passages=passages
    )  # one for all rungs: building networks takes as long as scoring few images
    found = {}
    for done, rung in enumerate(RUNGS):

        def tell(images_done: int, _: int, *, before: int = done * len(images)) -> None:
            if on_batch:
                on_batch(before + images_done, len(RUNGS) * len(images))

        run = _Pass(
            primary,
            heads,
            suite,
            compute,
            total=len(images),
            on_batch=tell,
            change=partial(_climb, rung=rung),
            scorer=scorer,
        )
        run.score(images)
        found[rung] = {scores.head: scores for scores in run.documents(heads)}
    return found


def score_images(
    primary: PrimaryArtifact,
    heads: Sequence[HeadArtifact],
    images: Sequence[bytes],
    compute: Compute,
    *,
    on_batch: Progress | None = None,
) -> Logits:
    """Score encoded images that belong to no suite; return their logits, float32 (N, 1 + K). What cannot be used is left out.

    Raises:
        FeatureContractError, NonFiniteScoreError: as `measure_catalogue`.
    """
    shown = label_proofs("fresh", images)
    run = _Pass(primary, heads, Suite((), ()), compute, total=len(shown), on_batch=on_batch)
    run.score(shown)
    return run.columns(0)


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
        change: Change | None = None,
        scorer: Scorer | None = None,
        with_looks: bool = False,
    ) -> None:
        self._change, self._with_looks = change, with_looks
        self._primary, self._suite, self._compute = primary, suite, compute
        self._scorer = scorer or Scorer(primary, heads, compute)
        self._total, self._on_batch = total, on_batch
        self._scored: list[tuple[SuiteImage, Logits]] = []  # logits (1 + K,)
        self._unusable: list[Unusable] = []
        self._looks: list[tuple[SuiteImage, Look]] = []

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

    def documents(self, heads: Sequence[HeadArtifact]) -> tuple[Scores, ...]:
        """Return the scores of the detector, then those of each head."""
        return tuple(self.document(head, column) for column, head in enumerate([None, *(head.digest for head in heads)]))

    def looks(self) -> tuple[Look, ...]:
        """Return what was scored and is not external, as it looked; nothing unless that was asked for."""
        return tuple(look for image, look in self._looks if not image.label.external)

    def columns(self, start: int) -> Logits:
        """Return the logits of the networks from column `start` on, float32 (N, K)."""
        count = 1 + self._scorer.head_count
        return np.array([logits for _, logits in self._scored], dtype=np.float32).reshape(-1, count)[:, start:]

    def _batches(self, images: Sequence[SuiteImage]) -> Iterator[tuple[list[SuiteImage], list[Pixels]]]:
        """Gather images of one fitted size; report those that cannot be used."""
        spec = self._scorer.preprocess.spec
        members: list[SuiteImage] = []
        pixels: list[Pixels] = []

        def prepare(image: SuiteImage) -> tuple[Pixels, Look | None]:
            decoded = image.decode()
            seen = fit_decoded(decoded, spec)
            look = None
            if self._with_looks:
                look = Look(image.label.kind, min(decoded.pixels.shape[:2]), estimate_condition(seen))
            return (self._change(seen.pixels, image.digest) if self._change else seen.pixels), look

        for image, prepared in work_ahead(images, prepare):
            if isinstance(prepared, ImageError):
                self._unusable.append(Unusable(digest=image.digest, reason=str(prepared)[:MAX_REASON]))
                continue
            fitted, look = prepared
            if look:
                self._looks.append((image, look))
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


def _climb(pixels: Pixels, digest: Digest, *, rung: Rung) -> Pixels:
    return climb(pixels, rung, digest=digest)


def _area(pixels: Pixels) -> int:
    height, width = pixels.shape[:2]
    return int(height * width)
