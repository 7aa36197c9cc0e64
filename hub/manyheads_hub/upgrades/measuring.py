"""A candidate's way from its offer to a signed report. Scoring lies between `prepare` and `conclude`, in the worker."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from manyheads_hub import editions
from manyheads_hub.audit.log import WORKER, record
from manyheads_hub.errors import NotFoundError
from manyheads_hub.evaluations import jobs
from manyheads_hub.evaluations.policy import Policy
from manyheads_hub.evaluations.scores import Scores
from manyheads_hub.evaluations.suite import Suite
from manyheads_hub.hub import Hub
from manyheads_hub.upgrades import queries
from manyheads_hub.upgrades.floors import check_floors
from manyheads_hub.upgrades.retention import HeadScores, measure_detector, measure_head
from manyheads_hub.upgrades.tables import CandidateRow
from manyheads_shared import clock
from manyheads_shared.artifact import HeadArtifact, PrimaryArtifact, read_primary
from manyheads_shared.digest import Digest
from manyheads_shared.passage import Passage, Way, is_passable
from manyheads_shared.retention import HeadRetention, RetentionReport, sign_retention

WAYS: tuple[Way, ...] = ("straight", "beside")


@dataclass(frozen=True)
class Pass:
    """One pass over the suite: a primary, heads, and how they are run."""

    primary: PrimaryArtifact
    heads: tuple[HeadArtifact, ...]
    passages: Mapping[Digest, Passage]


@dataclass(frozen=True)
class CandidateTask:
    """What measuring a candidate needs."""

    hub: str
    present: PrimaryArtifact
    candidate: PrimaryArtifact
    heads: tuple[HeadArtifact, ...]  # of the present bundle, in its order
    owners: Mapping[Digest, PrimaryArtifact]  # each head's own primary, by head
    suite: Suite
    policy: Policy
    passes: tuple[Pass, ...]  # the present bundle's, then the candidate's by every way

    @property
    def movable(self) -> tuple[HeadArtifact, ...]:
        """The heads that can be run on the candidate at all."""
        return tuple(head for head in self.heads if is_passable(self.owners[head.digest], self.candidate))


def prepare(hub: Hub, digest: Digest) -> CandidateTask:
    """Gather what measuring a candidate needs.

    Raises:
        NotFoundError: it was withdrawn.
        ManyheadsError: the hub's own suite, policy, keys or blobs are not in order.
    """
    with hub.database.read() as session:
        if queries.find_candidate(session, digest) is None:
            raise NotFoundError(f"candidate {digest} was withdrawn")
    hub.keyring.evaluation_signer()  # before minutes are spent on measuring
    edition = editions.gather(hub)
    candidate = read_primary(hub.blobs.read(digest))
    owners = {
        head.digest: edition.passages[head.digest].earlier if head.digest in edition.passages else edition.primary
        for head in edition.heads
    }
    movable = tuple(head for head in edition.heads if is_passable(owners[head.digest], candidate))
    by_way = [Pass(candidate, movable, {head.digest: Passage(owners[head.digest], way) for head in movable}) for way in WAYS]
    return CandidateTask(
        hub=hub.settings.name,
        present=edition.primary,
        candidate=candidate,
        heads=edition.heads,
        owners=owners,
        suite=edition.suite,
        policy=edition.policy,
        passes=(Pass(edition.primary, edition.heads, edition.passages), *by_way),
    )


def conclude(hub: Hub, lease: jobs.Lease, task: CandidateTask, found: Sequence[Iterator[Scores]]) -> None:
    """Write and sign the report, and say that the candidate is measured, in one transaction.

    Args:
        found: of each pass the detector's scores, then each head's.

    Raises:
        DatasetError: the suite lacks what figures are made of.
        LeaseLostError: another worker has taken over; nothing was written.
    """
    report = build_report(task, found)
    digest = hub.blobs.put(sign_retention(report, hub.keyring.evaluation_signer()))
    with hub.database.write() as session:
        jobs.finish(session, lease)
        row = queries.find_candidate(session, task.candidate.digest)
        if row is None:
            return  # withdrawn meanwhile
        row.state, row.report, row.error = "measured", digest, None
        details = {"primary": row.digest, "report": digest, "unmet": [floor.message for floor in report.unmet]}
        record(session, WORKER, "candidate.measured", report.title, details=details)


def fail(session: Session, lease: jobs.Lease, error: str, *, again: bool) -> None:
    """Note why a candidate could not be measured."""
    row = queries.find_candidate(session, Digest(lease.subject))
    if row is not None:
        row.state, row.error = "waiting" if again else "failed", error


def build_report(task: CandidateTask, found: Sequence[Iterator[Scores]]) -> RetentionReport:
    """Make the report of what was scored; pure but for the time it carries."""
    before, *after = found
    detector_before, detectors = next(before), [next(each) for each in after]
    detector, photographs = measure_detector(detector_before, detectors[0], task.policy)
    heads = tuple(_measure_heads(task, before, dict(zip(WAYS, after, strict=True))))
    manifest = task.candidate.manifest
    return RetentionReport.new(
        hub=task.hub,
        candidate=task.candidate.digest,
        name=manifest.name,
        version=manifest.version,
        present=task.present.digest,
        suite=task.suite.digest,
        policy=task.policy.digest,
        max_loss=task.policy.max_retention_loss,
        min_auroc=task.policy.min_degraded_auroc,
        detector=detector,
        photographs=photographs,
        heads=heads,
        floors=check_floors(detector, photographs, heads, task.policy),
        created=clock.now(),
    )


def _measure_heads(
    task: CandidateTask, before: Iterator[Scores], after: Mapping[Way, Iterator[Scores]]
) -> Iterator[HeadRetention]:
    movable = {head.digest for head in task.movable}
    for head in task.heads:
        scores = HeadScores(
            generator=head.manifest.generator,
            head=head.digest,
            primary=Digest(head.manifest.primary),
            before=next(before),
            after={way: next(each) for way, each in after.items()} if head.digest in movable else {},
        )
        yield measure_head(scores, task.policy, len(task.heads))


def reset(row: CandidateRow) -> None:
    """Let a candidate be measured again."""
    row.state, row.report, row.error = "waiting", None, None
