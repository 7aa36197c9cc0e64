"""Submissions and jobs: nothing lost, nothing done twice."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlalchemy import select

from manyheads_hub.audit.tables import AuditRow
from manyheads_hub.hub import Hub
from manyheads_hub.tables import ExaminationRow, HeadRow, JobRow, SubmissionRow
from tests.faults.evidence import Evidence
from tests.faults.invariants.finding import Finding, find

TERMINAL = ("accepted", "refused", "failed")
OVER = ("refused", "failed")


def check_queue(hub: Hub, evidence: Evidence, forged: set[str]) -> list[Finding]:
    """Check everything that came in by the door."""
    with hub.database.read() as session:
        submissions = {row.id: row for row in session.scalars(select(SubmissionRow))}
        jobs = list(session.scalars(select(JobRow)))
        examined = Counter(session.scalars(select(ExaminationRow.submission_id)))
        heads = list(session.scalars(select(HeadRow)))
        changes = session.execute(select(AuditRow.subject, AuditRow.action).where(AuditRow.action.like("submission.%")))
        ends = [(subject, action) for subject, action in changes]
    taken = {line["id"]: line["head"] for line in evidence.of("taken", "answered again") if "head" in line}
    return [
        find(
            "every submission that was acknowledged is there, with the head it was for",
            len(taken),
            (f"{id_}: lost" for id_, head in taken.items() if id_ not in submissions or submissions[id_].head != head),
        ),
        find(
            "every submission has come to an end, refusals and failures with a reason",
            len(submissions),
            _unended(submissions),
        ),
        find(
            "no head waits or is accepted twice, and one is offered again only after a refusal",
            len(submissions),
            _twice(submissions),
        ),
        find(
            "an offer sent again after its answer made no second submission while the first stood",
            len(evidence.of("answered again")),
            _doubled(evidence, submissions),
        ),
        find(
            "what an owner did not sign was never taken in",
            len(forged),
            (f"{row.id}: {row.generator}@{row.version}" for row in submissions.values() if row.head in forged),
        ),
        find("no job is left open, and no lease", len(jobs), _open(jobs)),
        find("a job that was given up says why", len(jobs), (f"job {j.id}" for j in jobs if j.state == "dead" and not j.error)),
        find(
            "results were written once: one examination, one end, one head for each submission",
            len(submissions),
            _results(submissions, jobs, examined, heads, ends),
        ),
    ]


def _unended(submissions: dict[str, SubmissionRow]) -> Iterator[str]:
    for row in submissions.values():
        if row.state not in TERMINAL:
            yield f"{row.id}: {row.state}"
        elif row.state in OVER and not row.reasons:
            yield f"{row.id}: {row.state} without a reason"


def _twice(submissions: dict[str, SubmissionRow]) -> Iterator[str]:
    by_head: dict[str, list[SubmissionRow]] = defaultdict(list)
    for row in sorted(submissions.values(), key=lambda row: row.created):
        by_head[row.head].append(row)
    for rows in by_head.values():
        for before, after in pairwise(rows):
            if before.state not in OVER or before.updated > after.created:
                yield f"{before.id} ({before.state}) and {after.id}: {before.generator}@{before.version}"


def _doubled(evidence: Evidence, submissions: dict[str, SubmissionRow]) -> Iterator[str]:
    for line in evidence.of("answered again"):
        first = submissions.get(line["first"])
        if line["id"] != line["first"] and (first is None or first.state not in OVER):
            yield f"{line['first']} became {line['id']}"


def _open(jobs: list[JobRow]) -> Iterator[str]:
    for job in jobs:
        if job.state in ("queued", "leased") or job.lease_token or job.lease_until:
            yield f"job {job.id}: {job.kind} {job.state}"


def _results(
    submissions: dict[str, SubmissionRow],
    jobs: list[JobRow],
    examined: Counter[str],
    heads: list[HeadRow],
    ends: Sequence[tuple[str, str]],
) -> Iterator[str]:
    done = Counter(job.subject for job in jobs if job.kind == "evaluate" and job.state == "done")
    accepted = Counter(head.submission_id for head in heads)
    ended = Counter(subject for subject, action in ends if action.removeprefix("submission.") in TERMINAL)
    received = Counter(subject for subject, action in ends if action == "submission.received")
    for id_, row in submissions.items():
        counts = (received[id_], ended[id_], done[id_], examined[id_], accepted[id_])
        evaluated = int(row.state != "failed")
        if counts != (1, 1, evaluated, evaluated, int(row.state == "accepted")):
            yield f"{id_} ({row.state}): received, ended, done, examined, catalogued {counts}"
