"""Many owners submitting at once, with and without a worker at work; and whether each submission is there, exactly once."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from benchmarks.hub_load.crowd import share_out, waiting_crowd
from benchmarks.hub_load.figures import outcome, p50_p99
from benchmarks.hub_load.hubs import MIN_PROOFS, Served, working
from manyheads_hub.engines.sqlite import SqliteServer
from manyheads_hub.hub import Hub, open_hub
from manyheads_hub.primaries import queries as primaries
from manyheads_hub.tables import JobRow, SubmissionRow
from manyheads_shared import networks
from manyheads_shared.artifact import PrimaryArtifact, read_primary
from tests.support.live_hub import enrol, package
from tests.support.makers import make_generator
from tests.support.world import draw_images, encode, pack_head

PROOFS = 2 * MIN_PROOFS


@dataclass(frozen=True)
class Batch:
    """Owners who submit together."""

    name: str
    folders: tuple[Path, ...]


def pack_batch(hub: Hub, folder: Path, name: str, count: int) -> Batch:
    """Enrol `count` owners, and pack a head of each for a generator of their own."""
    with hub.database.read() as session:
        row = primaries.current(session)
    assert row is not None  # the hub has a bundle
    primary = read_primary(hub.blobs.read(row.digest))
    return Batch(name, tuple(_pack(hub, primary, folder / f"{name}-{i}", f"{name}{i:03}", i) for i in range(count)))


def _pack(hub: Hub, primary: PrimaryArtifact, folder: Path, name: str, seed: int) -> Path:
    owner = enrol(hub, f"owner-{name}", [name])
    generator = make_generator(name, owner=owner.name)
    head = pack_head(primary, generator, networks.build_head(primary.architecture, 32, seed=seed))
    proofs = [encode(image, name) for image in draw_images("alpha", PROOFS, seed=1000 + seed)]
    packed = package(owner, generator, head=head, proofs=proofs, primary=primary)
    (folder / "proofs").mkdir(parents=True)
    (folder / "head.safetensors").write_bytes(packed.head)
    (folder / "head.safetensors.statement.json").write_bytes(packed.statement)
    (folder / "token").write_text(owner.token)
    for i, proof in enumerate(packed.proofs):
        (folder / "proofs" / f"{i:03}.png").write_bytes(proof)
    return folder


def measure_submissions(hubs: Sequence[Served], folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """Let `count` owners submit to each hub, first without, then with a worker."""
    for number, served in enumerate(hubs):
        for worker in (False, True):
            with open_hub(served.folder) as hub:
                batch = pack_batch(hub, folder, f"{'worked' if worker else 'queued'}{number}-", count)
                before = _database_bytes(hub)
                with working(served.folder) if worker else nullcontext():
                    result = _submit(served, batch)
                yield {
                    "to": served.title,
                    "worker": worker,
                    "proofs_each": PROOFS,
                    "recorded": _count_recorded(hub, batch, result.pop("ids")),
                    **result,
                    "database_bytes_each": (_database_bytes(hub) - before) // count,
                }


def _submit(served: Served, batch: Batch) -> dict[str, Any]:
    shares = share_out([str(folder) for folder in batch.folders])
    with waiting_crowd("submitter", [[served.url, *share] for share in shares]) as crowd:
        results = crowd.go()
    done = [result for result in results if not result["error"]]
    return outcome(results) | {
        "upload_seconds": p50_p99([result["upload_seconds"] for result in done]),
        "offer_seconds": p50_p99([result["offer_seconds"] for result in done]),
        "bytes_each": max((result["bytes"] for result in done), default=0),
        "ids": {result["head"]: result["id"] for result in done},
    }


def _count_recorded(hub: Hub, batch: Batch, answered: dict[str, str]) -> dict[str, int]:
    """Hold what the hub recorded against what it answered."""
    with hub.database.read() as session:
        query = select(SubmissionRow.head, SubmissionRow.id).where(SubmissionRow.generator.startswith(batch.name))
        rows = [(str(head), str(submission)) for head, submission in session.execute(query)]
        jobs = session.scalars(
            select(func.count()).where(JobRow.kind == "evaluate", JobRow.subject.in_([submission for _, submission in rows]))
        ).one()
    return {
        "answered": len(answered),
        "rows": len(rows),
        "rows_as_answered": sum(answered.get(head) == submission for head, submission in rows),
        "jobs": jobs,
    }


def _database_bytes(hub: Hub) -> int:
    """Bytes of the database: SQLite's file and its log, or what PostgreSQL says."""
    server = hub.database.server
    if isinstance(server, SqliteServer):
        return sum(path.stat().st_size for path in server.path.parent.glob(server.path.name + "*"))
    with hub.database.read() as session:
        return int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
