"""`manyheads-hub publish-primary`, `publish-bundle`, `suite`, `yank`: everything that makes a new bundle.

Each writes what it changes, with the job that follows from it, in one transaction, and then does that job. Killed in between,
the running hub's worker does it. The suite's address lies in a file, so `suite` queues its job before and after writing it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_hub.commands.arguments import AsJson, DryRun, Folder, Head, split_head
from manyheads_shared import terminal
from manyheads_shared.errors import UsageError

if TYPE_CHECKING:
    from manyheads_hub.hub import Hub
    from manyheads_shared.digest import Digest


def publish_primary(
    folder: Folder,
    primary: Annotated[Path, typer.Argument(help="The primary artifact.", show_default=False)],
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Publish the hub's first primary, in its first bundle. A later one is a candidate first: `manyheads-hub candidate`."""
    from manyheads_hub.audit.log import folder_actor
    from manyheads_hub.hub import open_hub
    from manyheads_hub.primaries import service
    from manyheads_shared.artifact import read_primary

    data = read_file(primary)
    artifact = read_primary(data)
    what = f"primary {artifact.manifest.title}"
    with open_hub(folder) as hub:
        hub.suite_folder()
        hub.keyring.signers("targets")  # absent keys are told before anything changes
        with hub.database.read() as session:
            service.check_first(session, artifact)
        if dry_run:
            say(f"would publish {what}", as_json=as_json)
            return
        hub.blobs.put(data)
        with hub.database.write() as session:
            job = service.add(session, folder_actor(), artifact, len(data))
        finish_publishing(hub, job, f"published {what}", as_json=as_json, primary=artifact.digest)


def publish_bundle(folder: Folder, *, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Publish a bundle of everything listed, unless the newest one says the same. Needs the offline keys."""
    from manyheads_hub.catalogue import queries as catalogue
    from manyheads_hub.evaluations import jobs
    from manyheads_hub.hub import open_hub
    from manyheads_hub.primaries import queries as primaries
    from manyheads_hub.upgrades import queries as upgrades

    with open_hub(folder) as hub:
        hub.suite_folder()
        if dry_run:
            with hub.database.read() as session:
                row = primaries.newest(session)
                heads = [] if row is None else [*catalogue.listed_heads(session, row.digest)]
                heads += [] if row is None else [head for head, _ in upgrades.carried_heads(session, row.digest)]
            titles = ", ".join(f"{head.generator}@{head.version}" for head in heads) or "no heads"
            say(f"would publish a bundle of {titles}", as_json=as_json)
            return
        with hub.database.write() as session:
            job = jobs.enqueue(session, "publish")
        finish_publishing(hub, job, "up to date", as_json=as_json)


def suite(
    folder: Folder,
    images: Annotated[Path, typer.Argument(metavar="DIR", help="Labelled images.", show_default=False)],
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate on another suite from now on. Everything listed is measured on it, and a bundle published."""
    from manyheads_hub.audit.log import folder_actor, record
    from manyheads_hub.commands.suite_notes import tell_suite_notes
    from manyheads_hub.creation import check_suite_folder
    from manyheads_hub.evaluations.policy import read_policy
    from manyheads_hub.hub import open_hub

    what = f"a suite of {len(check_suite_folder(images).items)} images"
    with open_hub(folder) as hub:
        tell_suite_notes(images, read_policy(hub.settings.policy))
        if dry_run:
            say(f"would use {what}", as_json=as_json)
            return
        job = _queue_bundle(hub)  # before: killed after the file is written, a worker still publishes on the new suite
        hub.settings.with_suite(images).write()
        with hub.database.write() as session:
            record(session, folder_actor(), "suite.changed", str(images), details={"images": what})
        if job is not None:
            job = _queue_bundle(hub)  # and after: a worker may have done the first one on the old suite meanwhile
        if job is None:
            say(f"using {what}", as_json=as_json)
        else:
            finish_publishing(hub, job, f"using {what}", as_json=as_json)


def yank(
    folder: Folder,
    head: Head,
    *,
    reason: Annotated[str, typer.Option(help="Why; shown wherever the head is.", show_default=False)],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a head out of every later bundle. It stays downloadable by digest, with the reason."""
    from manyheads_hub.audit.log import folder_actor
    from manyheads_hub.catalogue import lifecycle
    from manyheads_hub.hub import open_hub

    name, version = split_head(head)
    with open_hub(folder) as hub:
        if dry_run:
            with hub.database.read() as session:
                lifecycle.check_listed(session, name, version)
            say(f"would yank {head}", as_json=as_json)
            return
        with hub.database.write() as session:
            job = lifecycle.yank(session, folder_actor(), name, version, reason)
        finish_publishing(hub, job, f"yanked {head}", as_json=as_json)


def _queue_bundle(hub: "Hub") -> int | None:
    """Queue a bundle and return its job; None where there is no primary to publish yet."""
    from manyheads_hub.evaluations import jobs
    from manyheads_hub.primaries import queries

    with hub.database.write() as session:
        return jobs.enqueue(session, "publish") if queries.newest(session) is not None else None


def finish_publishing(hub: "Hub", job_id: int, done: str, *, as_json: bool, primary: "Digest | None" = None) -> None:
    """Do a publishing job, or wait for the worker that does it, and say which bundle came of it.

    Args:
        primary: the one that is to be published by it.

    Raises:
        PublicationError: no bundle was published, or none with that primary.
    """
    from manyheads_hub.bundles import service
    from manyheads_hub.evaluations.worker import finish_job
    from manyheads_hub.primaries.service import refuse_unpublished

    with terminal.progress() as progress:
        task = progress.add_task("measuring on the suite", total=None)
        finish_job(hub, job_id, lambda images, total: progress.update(task, completed=images, total=total))
    with hub.database.read() as session:
        if primary is not None:
            refuse_unpublished(session, primary)
        bundle = service.get_latest(session)
    titles = ", ".join(bundle.generators) or "no heads yet"
    if as_json:
        terminal.print_json({"done": done, "bundle": bundle.model_dump(mode="json")})
    else:
        terminal.stdout.print(f"{done}: bundle {bundle.sequence} ({titles})", soft_wrap=True)


def say(what: str, *, as_json: bool) -> None:
    """Say what was done, or would be, where no bundle came of it."""
    if as_json:
        terminal.print_json({"done": what, "bundle": None})
    else:
        terminal.stdout.print(what, soft_wrap=True)


def read_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
