"""The audit log, the messages to subscribers, the tables' version, the processes, and a copy of what is left."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from manyheads_hub.audit import log
from manyheads_hub.audit.chain import AuditError
from manyheads_hub.audit.tables import AuditRow
from manyheads_hub.every_table import METADATA
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.tables import REVISION, BundleRow, HeadRow
from manyheads_hub.webhooks.outbox import EVENTS
from manyheads_hub.webhooks.tables import DeliveryRow
from tests.faults.evidence import Evidence, describe_failure, is_documented
from tests.faults.invariants.finding import Finding, find
from tests.faults.receiver import Receiver
from tests.faults.stage import Stage
from tests.faults.victims import HUB, TREE, Victim

EXIT_UNAVAILABLE = 4  # docs/commands.md: the database or the store did not answer when the process was started


def check_records(stage: Stage, evidence: Evidence) -> list[Finding]:
    """Check what the hub wrote about itself."""
    with stage.hub.database.read() as session:
        audit = list(session.scalars(select(AuditRow)))
        deliveries = list(session.scalars(select(DeliveryRow)))
        bundles, heads = list(session.scalars(select(BundleRow))), list(session.scalars(select(HeadRow)))
    asked = evidence.of("asking")
    failures = evidence.of("failure")
    return [
        find("the audit log's chain verifies", len(audit), _broken_chain(stage.hub)),
        find(
            "the audit log has one line for each change that was acknowledged, and at most one for any other",
            len(asked),
            _lines(evidence, audit),
        ),
        find(
            "one line for each bundle, each accepted head, each upload",
            len(bundles) + len(heads),
            _events(audit, bundles, heads, {line["digest"] for line in evidence.of("whole")}),
        ),
        find(
            "every message was delivered, signed, to a subscriber that failed at times",
            len(deliveries),
            _undelivered(stage.receiver, deliveries, audit),
        ),
        find("no answer but documented ones: 2xx, 4xx, 503 with a reason", len(failures), _undocumented(failures)),
        find(
            f"the tables are still of revision {REVISION}",
            1,
            [] if stage.hub.database.read_revision() == REVISION else ["another"],
        ),
        find(
            "no process ended by itself, but for want of a database or a store when it was started",
            len(stage.victims),
            _ended(stage.victims),
        ),
        find("a backup of the survivor restores, row for row, and its log verifies", 1, _backup(stage)),
    ]


def _broken_chain(hub: Hub) -> Iterator[str]:
    try:
        with hub.database.read() as session:
            log.verify(session)
    except AuditError as error:
        yield str(error)


def _lines(evidence: Evidence, audit: list[AuditRow]) -> Iterator[str]:
    found = Counter(row.reason for row in audit)
    answers = {line["reason"]: line["status"] for line in evidence.of("answered")}
    for line in evidence.of("asking"):
        count, status = found[line["reason"]], answers.get(line["reason"])
        if count > 1 or (status == 200 and count != 1):
            yield f"{line['reason']}: answered {status}, {count} lines"


def _events(audit: list[AuditRow], bundles: list[BundleRow], heads: list[HeadRow], uploads: set[str]) -> Iterator[str]:
    found = Counter((row.action, row.subject) for row in audit)
    wanted = [("bundle.published", str(bundle.sequence)) for bundle in bundles]
    wanted += [("submission.accepted", head.submission_id) for head in heads]
    wanted += [("upload.completed", digest) for digest in sorted(uploads)]
    for action, subject in wanted:
        if found[action, subject] != 1:
            yield f"{action} {subject}: {found[action, subject]} lines"


def _undelivered(receiver: Receiver, deliveries: list[DeliveryRow], audit: list[AuditRow]) -> Iterator[str]:
    for row in deliveries:
        if row.state != "delivered" or not receiver.delivered[row.id]:
            yield f"{row.id} ({row.event}): {row.state}, {row.attempts} attempts, {row.error}"
    if receiver.forged:
        yield f"{receiver.forged} messages were not signed by the hub"
    told = Counter(json.loads(row.body)["entry"]["sequence"] for row in deliveries)
    since = min((row.sequence for row in audit if row.action == "webhook.added"), default=0)
    for line in audit:
        if line.action in EVENTS and line.sequence > since and told[line.sequence] != 1:
            yield f"line {line.sequence} ({line.action}) was told {told[line.sequence]} times"


def _undocumented(failures: list[dict[str, Any]]) -> Iterator[str]:
    for line in failures:
        if not is_documented(line):
            yield f"{line['what']}: {describe_failure(line)}: {line['message']}"


def _ended(victims: list[Victim]) -> Iterator[str]:
    for victim in victims:
        for code in victim.ended:
            if code != EXIT_UNAVAILABLE:
                yield f"{victim.name} ended with code {code}: {victim.log.read_text()[-600:]}"


def _backup(stage: Stage) -> Iterator[str]:
    kept, again = stage.folder / "backup", stage.folder / "again"
    for arguments in (("backup", str(stage.hub.settings.folder), str(kept)), ("restore", str(kept), str(again))):
        done = subprocess.run([sys.executable, *HUB, *arguments], cwd=TREE, capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"{arguments[0]}: {done.stderr}"
            return
    with open_hub(again) as hub:
        yield from _broken_chain(hub)
        before, after = _count(stage.hub), _count(hub)
        before[AuditRow.__tablename__] += 1  # `restore` notes itself
        yield from (f"{name}: {before[name]} rows, {after[name]} restored" for name in before if before[name] != after[name])
        if hub.repository.newest_bundle() != stage.hub.repository.newest_bundle():
            yield "the restored hub has another newest bundle"


def _count(hub: Hub) -> dict[str, int]:
    with hub.database.read() as session:
        return {t.name: session.scalars(select(func.count()).select_from(t)).one() for t in METADATA.sorted_tables}


def logs_say(folder: Path, words: str) -> int:
    """How often the logs of the hub's processes say something."""
    return sum(path.read_text(errors="replace").count(words) for path in folder.glob("*.log"))
