"""One fault test from its beginning to its verdict: load and kills, then quiet, then every invariant."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, update

from manyheads_hub.hub import Hub
from manyheads_hub.serving import do_chores
from manyheads_hub.tables import JobRow, SubmissionRow
from manyheads_hub.webhooks.tables import DeliveryRow
from tests.faults.evidence import Evidence
from tests.faults.faults import Done, Faults, stall_seconds
from tests.faults.invariants.bundles import check_bundles
from tests.faults.invariants.files import check_files
from tests.faults.invariants.finding import Finding
from tests.faults.invariants.queue import check_queue
from tests.faults.invariants.records import check_records, logs_say
from tests.faults.receiver import Receiver, receiving
from tests.faults.stage import Stage, setting
from tests.faults.victims import watch
from tests.support.live_hub import let_leases_run_out, wait_until

OFFERS_PER_MINUTE = 6.0  # of one owner: more than two workers on two cores can do
DRAIN_SECONDS = 600.0  # for drivers to end and the queue to empty
PATIENCE_SECONDS = 45.0  # for messages, before their pauses of minutes are cut short

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Pace:
    """How fast things go wrong."""

    every: tuple[float, float]  # seconds from one fault to the next
    stall: float | None  # seconds that a worker stands still; None: for a moment, while its lease is made to run out
    hurry: bool  # let leases and pauses run out when the kills are over, rather than wait for them


SHORT = Pace((2.0, 5.0), None, hurry=True)
LONG = Pace((4.0, 14.0), stall_seconds(), hurry=False)


@dataclass(frozen=True)
class Outcome:
    """What was done and what was found."""

    seed: int
    seconds: float  # under load and kills
    drained: float  # seconds until nothing was left to do
    hurried: int  # messages whose pauses were cut short
    done: Done
    evidence: Evidence
    findings: tuple[Finding, ...]
    log_counts: dict[str, int]
    states: dict[str, int]  # of submissions and jobs

    @property
    def holds(self) -> bool:
        return all(finding.holds for finding in self.findings)


def run_faults(folder: Path, *, seed: int, minutes: float, pace: Pace, tell: Tell) -> Outcome:
    """Run one in a folder, which is left as it is."""
    receiver, offers = Receiver(), 4 + int(OFFERS_PER_MINUTE * minutes)
    with receiving(receiver) as hook, setting(folder, seed=seed, offers=offers, receiver=receiver, hook=hook) as stage:
        tell(f"seed {seed}: {len(stage.victims)} processes run")
        wait_until(lambda: _is_at_work(stage))
        tell("kills begin")
        faults = Faults(stage, seed, pace.every, pace.stall)
        faults.run(60 * minutes)
        tell(f"{faults.done.kills.total()} faults done; waiting for the queue")
        began = time.monotonic()
        hurried = _drain(stage, pace)
        _until(stage.answers, stage, began + DRAIN_SECONDS)
        drained = time.monotonic() - began
        tell(f"quiet after {drained:.0f} s; checking")
        evidence = Evidence.gather(stage.folder / "drivers")
        findings = (
            *check_queue(stage.hub, evidence, stage.forged),
            *check_bundles(stage, evidence),
            *check_files(stage.hub, evidence),
            *check_records(stage, evidence),
        )
        return Outcome(
            seed=seed,
            seconds=60 * minutes,
            drained=drained,
            hurried=hurried,
            done=faults.done,
            evidence=evidence,
            findings=findings,
            log_counts=_count_logs(stage.folder / "logs"),
            states=_count_states(stage.hub),
        )


def _is_at_work(stage: Stage) -> bool:
    """Whether a first submission is in."""
    ended = [victim for victim in stage.victims if victim.exit_code is not None]
    assert not ended, [(victim.name, victim.exit_code, victim.log.read_text()[-2000:]) for victim in ended]
    return bool(Evidence.gather(stage.folder / "drivers").of("taken"))


def _drain(stage: Stage, pace: Pace) -> int:
    """Let the drivers end, and everything that waits be done; return how many messages were hurried."""
    for group in stage.drivers.values():
        for driver in group:
            (stage.folder / "drivers" / driver.name / "stop").touch()
    deadline = time.monotonic() + DRAIN_SECONDS
    drivers = [driver for group in stage.drivers.values() for driver in group]
    _until(lambda: not any(driver.runs for driver in drivers), stage, deadline)
    for driver in drivers:
        if driver.exit_code:
            driver.ended.append(driver.exit_code)
    if pace.hurry:
        let_leases_run_out(stage.hub)
    _until(lambda: not _waiting_jobs(stage.hub, hurry=pace.hurry), stage, deadline)
    do_chores(stage.hub)  # the housekeeper's hour
    _until(lambda: not _waiting_jobs(stage.hub, hurry=pace.hurry), stage, deadline)
    patient, hurried = time.monotonic() + (0 if pace.hurry else PATIENCE_SECONDS), 0
    while _waiting_messages(stage.hub) and time.monotonic() < deadline:
        if time.monotonic() > patient:
            hurried += _hurry_messages(stage.hub)
        watch([*stage.replicas, *stage.workers])
        time.sleep(1.0)
    return hurried


def _until(condition: Callable[[], bool], stage: Stage, deadline: float) -> None:
    while not condition() and time.monotonic() < deadline:
        watch([*stage.replicas, *stage.workers])
        time.sleep(0.5)


def _waiting_jobs(hub: Hub, *, hurry: bool) -> int:
    if hurry:
        with hub.database.write() as session:
            session.execute(update(JobRow).where(JobRow.state == "queued").values(run_after=0.0))
    with hub.database.read() as session:
        return session.scalars(select(func.count()).select_from(JobRow).where(JobRow.state.in_(("queued", "leased")))).one()


def _waiting_messages(hub: Hub) -> int:
    with hub.database.read() as session:
        return session.scalars(select(func.count()).select_from(DeliveryRow).where(DeliveryRow.state == "waiting")).one()


def _hurry_messages(hub: Hub) -> int:
    """Cut the pauses of messages short that have failed before; a message under way is left alone."""
    now = time.time()
    with hub.database.write() as session:
        waiting = (DeliveryRow.state == "waiting") & (DeliveryRow.run_after > now + 1)
        rows = list(session.scalars(select(DeliveryRow).where(waiting)))
        for row in rows:
            row.run_after = now
        return len(rows)


def _count_logs(folder: Path) -> dict[str, int]:
    return {
        "results of a worker that had lost its lease, not used": logs_say(folder, "taken over by another worker"),
        "bundles cut short and ended by another": logs_say(folder, "was cut short: "),
        "jobs whose process was ended": logs_say(folder, "was ended: "),
    }


def _count_states(hub: Hub) -> dict[str, int]:
    with hub.database.read() as session:
        submissions = session.execute(select(SubmissionRow.state, func.count()).group_by(SubmissionRow.state))
        found = {f"submissions {state}": count for state, count in submissions}
        jobs = session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
        return found | {f"jobs {state}": count for state, count in jobs}
