"""Many accepted heads in a hub without measuring any: through the hub's own code, with figures drawn instead of measured.

One small network's weights under many names; every manifest is its own, so every digest is. A head's proofs are named and not
kept: rows are as large as real ones, and nobody downloads proofs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from manyheads_hub import editions, publishing
from manyheads_hub.auth import Caller, authenticate, to_caller
from manyheads_hub.evaluations import assessment, jobs
from manyheads_hub.evaluations.challenges import Passed
from manyheads_hub.evaluations.policy import read_policy
from manyheads_hub.evaluations.scores import CatalogueScores, Look, Part, Score, Scores
from manyheads_hub.evaluations.suite import load_suite
from manyheads_hub.hub import Hub
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.submissions import service as submissions
from manyheads_hub.submissions.checks import Offer
from manyheads_hub.tables import SubmissionRow
from manyheads_shared import networks
from manyheads_shared.api import BundleInfo, EvaluationInfo, ShareInfo, SourceInfo
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact, read_head, read_primary
from manyheads_shared.condition import Condition
from manyheads_shared.dataset import Kind
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.manifest import Generator
from manyheads_shared.metrics import clopper_pearson
from manyheads_shared.rungs import RUNGS
from manyheads_shared.statements import (
    Bound,
    HubPredicate,
    OwnerPredicate,
    SourceResult,
    sign_hub_statement,
    sign_owner_statement,
)
from tests.support.live_hub import Owner, enrol
from tests.support.makers import SIZE, TIME, make_generator
from tests.support.world import draw_images, encode, pack_head

HEADS_OF_AN_OWNER = 10
PROOFS = 48  # of each head: what the default policy asks for
SOURCES = 20  # that each head was measured on; what a hub has whose suite leaves proofs aside
IMAGES = 24  # of each side in the drawn scores a bundle is built from


@dataclass
class Orchard:
    """What was planted in a hub so far."""

    hub: Hub
    primary: PrimaryArtifact
    network: networks.Head  # every head's weights
    heads: list[HeadArtifact] = field(default_factory=list)
    owner: Owner | None = None

    def grow(self, count: int, *, with_proofs: bool = False) -> None:
        """Plant until there are so many heads.

        Args:
            with_proofs: keep proof images of each, which then join the suite.
        """
        while len(self.heads) < count:
            if len(self.heads) % HEADS_OF_AN_OWNER == 0 or self.owner is None:
                self.owner = self._enrol(len(self.heads))
            generator = make_generator(_name(len(self.heads)), owner=self.owner.name)
            data = pack_head(self.primary, generator, self.network)
            head = read_head(data, self.primary)
            proofs = _keep_proofs(self.hub, len(self.heads)) if with_proofs else _name_proofs(generator)
            _plant(self.hub, self.owner, head, data, proofs)
            self.heads.append(head)

    def publish(self) -> BundleInfo:
        """Publish a bundle of all that is planted."""
        hub = self.hub
        suite = load_suite(hub.suite_folder(), {})
        edition = editions.Edition(self.primary, tuple(self._in_order()), suite, read_policy(hub.settings.policy))
        with publishing.publishing_alone(hub) as verify:
            return publishing.publish(
                hub,
                edition,
                CatalogueScores((_draw_scores(edition, head) for head in (None, *edition.heads)), (LOOK,)),
                dict.fromkeys(RUNGS, _Degraded(edition)),
                verify,
            )

    def _in_order(self) -> list[HeadArtifact]:
        return sorted(self.heads, key=lambda head: head.manifest.generator.name)

    def _enrol(self, first: int) -> Owner:
        names = [_name(first + i) for i in range(HEADS_OF_AN_OWNER)]
        return enrol(self.hub, f"owner{first // HEADS_OF_AN_OWNER:04}", names)


def start_orchard(hub: Hub) -> Orchard:
    """Return an orchard on a hub's present primary."""
    with hub.database.read() as session:
        row = primaries.current(session)
    assert row is not None  # a hub with a bundle has one
    primary = read_primary(hub.blobs.read(row.digest))
    return Orchard(hub, primary, networks.build_head(primary.architecture, primary.manifest.preprocessing.image_size, seed=5))


def _name(number: int) -> str:
    return f"planted{number:05}"


def _name_proofs(generator: Generator) -> tuple[Digest, ...]:
    return tuple(digest_bytes(f"{generator.title} proof {i}".encode()) for i in range(PROOFS))


def _keep_proofs(hub: Hub, number: int) -> tuple[Digest, ...]:
    return tuple(hub.blobs.put(encode(image)) for image in draw_images("beta", PROOFS, seed=1000 + number))


def _plant(hub: Hub, owner: Owner, head: HeadArtifact, data: bytes, proofs: tuple[Digest, ...]) -> None:
    """Take a head in, and accept it, as the API and the worker do."""
    generator = head.manifest.generator
    figures = _draw_figures(generator)
    predicate = OwnerPredicate(generator=generator, primary=head.manifest.primary, created=TIME)
    statement = hub.blobs.put(sign_owner_statement(head.digest, predicate, owner.key))
    stated = _to_predicate(generator, head.manifest.primary, figures)
    signed = sign_hub_statement(head.digest, stated, hub.keyring.evaluation_signer())
    passed = Passed(hub_statement=hub.blobs.put(signed), pictures=())
    hub.blobs.put(data)
    with hub.database.write() as session:
        caller: Caller = to_caller(session, authenticate(session, owner.token))
        taken = submissions.receive(session, caller, Offer(head, statement, proofs))
        jobs.withdraw(session, "evaluate", taken.id, "planted")
        row = session.get_one(SubmissionRow, taken.id)
        row.evaluation = figures.model_dump(mode="json")
        assessment.admit(session, row, passed)


def _draw_figures(generator: Generator) -> EvaluationInfo:
    """Figures as an accepted head has them."""
    share = _share(0, 100)
    sources = [("real", "photos"), *(("generated", f"suite{i:02}") for i in range(SOURCES - 1))]
    return EvaluationInfo(
        suite=digest_bytes(b"suite"),
        threshold=1.5,
        recall=_share(40, 48),
        false_positives=[
            SourceInfo.model_validate({"kind": kind, "source": source, "external": False, "yes": share})
            for kind, source in sources
        ],
        auroc=0.98,
        contradiction=None,
    )


def _share(hits: int, total: int) -> ShareInfo:
    share = clopper_pearson(hits, total)
    assert share is not None  # there are images
    return ShareInfo(share=share.value, lower=share.lower, upper=share.upper, hits=hits, total=total)


def _to_predicate(generator: Generator, primary: Digest, figures: EvaluationInfo) -> HubPredicate:
    return HubPredicate(
        generator=generator,
        primary=primary,
        suite=figures.suite,
        scores=digest_bytes(b"scores"),
        policy=digest_bytes(b"policy"),
        threshold=figures.threshold,
        recall=Bound.model_validate(figures.recall.model_dump()),
        false_positives=tuple(SourceResult.model_validate(source.model_dump()) for source in figures.false_positives),
        auroc=figures.auroc,
        contradiction=None,
        created=TIME,
    )


LOOK = Look("real", SIZE, Condition(width=SIZE, height=SIZE, jpeg_quality=None, jpeg_from=None, blur=0.5, noise=0.5, scale=1.0))


class _Degraded(Mapping[Digest | None, Scores]):
    """Scores of any head on any rung, drawn when they are asked for: drawing must not be what is measured."""

    def __init__(self, edition: editions.Edition) -> None:
        self._heads: dict[Digest | None, HeadArtifact | None] = {None: None, **{head.digest: head for head in edition.heads}}
        self._edition = edition
        self._last: tuple[Digest | None, Scores] | None = None  # every rung of one head is asked for in a row

    def __getitem__(self, digest: Digest | None) -> Scores:
        if self._last is None or self._last[0] != digest:
            self._last = digest, _draw_scores(self._edition, self._heads[digest], parts=("test",))
        return self._last[1]

    def __iter__(self) -> Iterator[Digest | None]:
        return iter(self._heads)

    def __len__(self) -> int:
        return len(self._heads)


def _draw_scores(
    edition: editions.Edition, head: HeadArtifact | None, parts: tuple[Part, ...] = ("calibration", "test")
) -> Scores:
    """Scores of photographs, of another generator's images, and of the head's own."""
    own = head.manifest.generator.name if head else "gamma"
    sides: dict[tuple[Kind, str], float] = {("real", "photos"): -3.0, ("generated", "other"): -2.0, ("generated", own): 3.0}
    draw = np.random.default_rng(list(own.encode()))
    return Scores.new(
        suite=edition.suite.digest,
        primary=edition.primary.digest,
        head=head.digest if head else None,
        device="cpu",
        precision="float32",
        software="drawn",
        rows=tuple(
            Score(
                kind=kind,
                source=source,
                external=False,
                proof=False,
                digest=_NO_IMAGE,
                part=part,
                detector=float(np.float32(value if kind == "real" else value + 5)),
                head=float(np.float32(value)) if head else None,
            )
            for (kind, source), centre in sides.items()
            for part in parts
            for value in draw.normal(centre, 1.0, IMAGES)
        ),
        unusable=(),
    )


_NO_IMAGE = digest_bytes(b"")
