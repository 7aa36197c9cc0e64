"""What a fault test did and found, as a table for people, as Markdown, as JSON."""

from typing import Any

from benchmarks.machine import hardware
from benchmarks.markdown import markdown_table
from manyheads_shared import clock
from tests.faults.run import Outcome

SHOWN = 20  # violations of one invariant that are shown
KILLED = {"stalled worker": "stalled beyond its lease: worker", "job": "killed: process of a job"}

GROUND = (
    "All on one machine, beside other work: two replicas of the API, two workers, PostgreSQL, S3 (Swift), two owners,",
    "two clients, two readers, a maintainer, a webhook receiver that fails at times. PostgreSQL runs with `fsync=off`:",
    "its kills are those of processes, not power cuts. The S3 server's front is killed, its backends 0.7 s later: Swift",
    "lists an object after it has written it, and killed in between it would keep one that no list shows, which S3",
    "promises never to do.",
)


def to_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "date": clock.now(),
        "hardware": hardware(),
        "command": f"python -m tests.faults --minutes {outcome.seconds / 60:g} --seed {outcome.seed}",
        "seed": outcome.seed,
        "minutes": outcome.seconds / 60,
        "holds": outcome.holds,
        "did": _did(outcome),
        "failures_seen": dict(outcome.evidence.failures().most_common()),
        "invariants": [
            {"says": each.says, "checked": each.checked, "broken": list(each.broken[:SHOWN])} for each in outcome.findings
        ],
        "faults": [{"at": moment, "kind": kind} for moment, kind in outcome.done.log],
    }


def to_text(outcome: Outcome) -> str:
    rows = [(name, str(value)) for name, value in _did(outcome).items()]
    rows += [(f"seen by drivers: {kind}", str(count)) for kind, count in outcome.evidence.failures().most_common()]
    lines = [f"{name:62} {value:>9}" for name, value in rows]
    lines.append("")
    for each in outcome.findings:
        lines.append(f"{'holds ' if each.holds else 'BROKEN'} {each.checked:6}  {each.says}")
        lines += [f"               {words}" for words in each.broken[:SHOWN]]
    lines += ["", f"seed {outcome.seed}: {'every invariant holds' if outcome.holds else 'NOT every invariant holds'}"]
    return "\n".join(lines)


def to_markdown(outcome: Outcome) -> str:
    told = to_json(outcome)
    lines = [
        "# The hub under kills",
        "",
        f"`{told['command']}`, {told['date'][:10]}; {told['hardware']}.",
        "",
        *GROUND,
        "",
        "## What was done",
        "",
        *markdown_table(("what", "count"), list(_did(outcome).items())),
        "",
        "## What drivers were answered instead of success",
        "",
        *markdown_table(("answer", "count"), list(told["failures_seen"].items())),
        "",
        "## What was checked afterwards",
        "",
        *markdown_table(
            ("invariant", "looked at", "broken"), [(each.says, each.checked, len(each.broken)) for each in outcome.findings]
        ),
        "",
    ]
    return "\n".join(lines)


def _did(outcome: Outcome) -> dict[str, int | float]:
    done = outcome.done
    return {
        **{KILLED.get(kind, f"killed: {kind}"): count for kind, count in sorted(done.kills.items())},
        **{f"drivers killed at: {what}": count for what, count in sorted(done.in_mid.items())},
        **{f"nothing to kill: {kind}": n for kind, n in sorted(done.missed.items())},
        "jobs taken over from a stalled worker": done.takeovers,
        **outcome.log_counts,
        **outcome.evidence.figures(),
        **outcome.states,
        "longest time without an answer from any replica, s": round(outcome.evidence.longest_outage(), 1),
        "seconds until nothing was left to do": round(outcome.drained),
        "messages whose pauses were cut short": outcome.hurried,
    }
