"""What goes wrong: a shuffled deck of kills, drawn from one after another, and done to whatever runs.

What happens next is decided by the seed; what it hits, by where every process stands at that moment.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import select, update

from manyheads_hub.evaluations.jobs import LEASE_SECONDS
from manyheads_hub.tables import JobRow
from tests.faults.journal import read_journal
from tests.faults.part import journal_of
from tests.faults.stage import Stage
from tests.faults.victims import Server, Victim, watch

DECK = {  # how often each comes before the deck is shuffled again
    "api": 3,
    "worker": 2,
    "job": 2,
    "owner": 3,
    "client": 2,
    "postgres": 1,
    "s3": 1,
    "stalled worker": 1,
}
MIDDLES = {"uploading": "upload", "pulling": "pull", "offer": "offer", "offer again": "offer"}  # by a journal's last line
DOWN = (0.2, 4.0)  # seconds until what was killed is started again
TICK = 0.2  # seconds
STALL_MARGIN = 6.0  # seconds beyond a lease


@dataclass
class Done:
    """What was done."""

    kills: Counter[str] = field(default_factory=Counter)
    in_mid: Counter[str] = field(default_factory=Counter)  # what a killed driver was at
    missed: Counter[str] = field(default_factory=Counter)  # nothing of the kind ran
    takeovers: int = 0  # jobs that another worker took from a stalled one
    log: list[tuple[float, str]] = field(default_factory=list)


@dataclass
class Faults:
    """Does what the deck says.

    Args:
        stall: seconds that a worker stands still; None: for a moment, while its lease is made to run out.
    """

    stage: Stage
    seed: int
    every: tuple[float, float]  # seconds between two
    stall: float | None
    done: Done = field(default_factory=Done)

    def run(self, seconds: float) -> None:
        """Go on for so long, then let everything come back."""
        draw, begin = random.Random(self.seed), time.monotonic()
        deck, due = self._cards(draw), begin + draw.uniform(*self.every)
        with ThreadPoolExecutor() as apart:
            waiting = []
            while (now := time.monotonic()) < begin + seconds:
                watch(self.stage.victims)
                if now >= due:
                    due = now + draw.uniform(*self.every)
                    kind, pause, choice = next(deck), draw.uniform(*DOWN), random.Random(draw.random())
                    self.done.log.append((round(now - begin, 1), kind))
                    waiting.append(apart.submit(self._do, kind, pause, choice))
                time.sleep(TICK)
            while not all(each.done() for each in waiting):
                watch(self.stage.victims)
                time.sleep(TICK)
            for each in waiting:
                each.result()
        while not all(victim.runs for victim in self.stage.victims):
            watch(self.stage.victims)
            time.sleep(TICK)

    def _cards(self, draw: random.Random) -> Iterator[str]:
        """One of each first, then whole decks."""
        yield from draw.sample(list(DECK), len(DECK))
        while True:
            deck = [kind for kind, count in DECK.items() for _ in range(count)]
            yield from draw.sample(deck, len(deck))

    def _do(self, kind: str, pause: float, choice: random.Random) -> None:
        stage = self.stage
        doers: dict[str, Callable[[], bool]] = {
            "api": lambda: self._kill(stage.replicas, pause, choice),
            "worker": lambda: self._kill(stage.workers, pause, choice),
            "job": lambda: self._kill_job(choice),
            "owner": lambda: self._kill_driver("owner", pause, choice),
            "client": lambda: self._kill_driver("client", pause, choice),
            "postgres": lambda: _restart(stage.servers[0], pause),
            "s3": lambda: _restart(stage.servers[1], pause),
            "stalled worker": lambda: self._stall(choice),
        }
        (self.done.kills if doers[kind]() else self.done.missed)[kind] += 1

    def _kill(self, victims: list[Victim], pause: float, choice: random.Random) -> bool:
        running = [victim for victim in victims if victim.runs and not victim.is_stalled]
        if not running:
            return False
        choice.choice(running).kill(pause=pause)
        return True

    def _kill_job(self, choice: random.Random) -> bool:
        """Kill the process of a job, as soon as one runs; a moment into it."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            running = [pid for worker in self.stage.workers if not worker.is_stalled for pid in worker.jobs]
            if running:
                time.sleep(choice.uniform(0.0, 6.0))
                for pid in running[:1]:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        return True
            time.sleep(0.05)
        return False

    def _kill_driver(self, role: str, pause: float, choice: random.Random) -> bool:
        """Kill a driver in the middle of something, or as it stands when none is for a while."""
        deadline = time.monotonic() + 10
        while True:
            running = [victim for victim in self.stage.drivers[role] if victim.runs]
            busy = [victim for victim in running if self._last(victim) in MIDDLES]
            if busy or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        if not running:
            return False
        victim = choice.choice(busy or running)
        victim.kill(pause=pause)
        self.done.in_mid[MIDDLES.get(self._last(victim), "nothing in particular")] += 1
        return True

    def _last(self, victim: Victim) -> str:
        """What a driver wrote down last."""
        lines = list(read_journal(journal_of(self.stage.folder / "drivers" / victim.name)))
        return str(lines[-1]["kind"]) if lines else ""

    def _stall(self, choice: random.Random) -> bool:
        """Let a worker that is at a job stand still until its lease is another's; then let it go on."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            busy = [worker for worker in self.stage.workers if not worker.is_stalled and worker.jobs]
            if busy:
                break
            time.sleep(0.05)
        else:
            return False
        time.sleep(choice.uniform(0.0, 5.0))
        worker = choice.choice(busy)
        if not worker.jobs:
            return False
        worker.is_stalled = True
        worker.signal(signal.SIGSTOP)
        try:
            held = self._leases()
            if self.stall is None:
                self._run_out(held)
            time.sleep(6.0 if self.stall is None else self.stall)
            now = self._leases()
            self.done.takeovers += sum(now.get(job) not in (token, None) for job, token in held.items())
        finally:
            worker.signal(signal.SIGCONT)
            worker.is_stalled = False
        return True

    def _leases(self) -> dict[int, str]:
        try:
            with self.stage.hub.database.read() as session:
                rows = session.execute(select(JobRow.id, JobRow.lease_token).where(JobRow.lease_token.is_not(None)))
                return {job: str(token) for job, token in rows}
        except Exception:  # the database may be down just now: then nothing is counted
            return {}

    def _run_out(self, held: dict[int, str]) -> None:
        with suppress(Exception), self.stage.hub.database.write() as session:
            session.execute(update(JobRow).where(JobRow.id.in_(held)).values(lease_until=0.0))


def stall_seconds() -> float:
    """How long a worker must stand still to lose its lease by itself."""
    return LEASE_SECONDS + STALL_MARGIN


def _restart(server: Server, pause: float) -> bool:
    if not server.is_up:
        return False
    server.restart(pause)
    return True
