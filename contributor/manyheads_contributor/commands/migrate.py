"""`migrate`: bring a head to a hub's present primary, and submit it, in one command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_shared.errors import UsageError
from manyheads_shared.passphrase import read_passphrase
from manyheads_shared.terminal import print_json, progress, stderr, stdout

if TYPE_CHECKING:
    from manyheads_contributor.hub_client import HubClient
    from manyheads_contributor.migration import Desk
    from manyheads_shared.api import Notice
    from manyheads_shared.artifact import PrimaryArtifact
    from manyheads_shared.digest import Digest


def migrate(
    generator: Annotated[str, typer.Argument(help="The generator's name.", show_default=False)],
    *,
    hub: Annotated[str, typer.Option(help="The hub's address.", show_default=False)],
    key: Annotated[Path, typer.Option(help="Your private key, see `key new`.", show_default=False)],
    version: Annotated[str, typer.Option(help="The new head's version; a version never changes its meaning.")],
    proofs: Annotated[Path, typer.Option(help="Folder of proof images, as for `submit`.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for what is made, new or to go on with.", show_default=False)],
    run: Annotated[Path | None, typer.Option(help="The run that trained the head: train again by its recipe.")] = None,
    data: Annotated[Path | None, typer.Option(help="The images it was trained on; with --run.")] = None,
    accept: Annotated[
        Path | None, typer.Option(help="Take this packaged head as it is, which the hub runs straight; instead of --run.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File with the hub's token; otherwise MANYHEADS_TOKEN.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the hub's notice; train and send nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the submission as JSON.")] = False,
) -> None:
    """Bring a head to the hub's present primary and submit it: trained again with --run and --data, or as it is with --accept.

    A migration that was interrupted goes on where it stopped when the command is run again.

    Example: manyheads-contributor migrate dcgan --hub https://hub.example --run runs/dcgan --data DATA --version 2
    --key ada.pem --proofs proofs/ --token-file token --out migration/
    """
    from manyheads_contributor.commands.submit import send
    from manyheads_contributor.credentials import read_token
    from manyheads_contributor.hub_client import HubClient
    from manyheads_contributor.migration import Desk, find_notice
    from manyheads_contributor.submission import check_offer

    if (accept is None) == (run is None) or (run is None) != (data is None):
        raise UsageError("expected --run with --data to train again, or --accept with the packaged head; not both")
    desk = Desk(out)
    with HubClient(hub, read_token(token_file)) as client:
        notice = find_notice(client.list_notices(), generator)
        if dry_run:
            _show(notice, as_json=as_json)
            return
        stderr.print(notice.message, soft_wrap=True, markup=False)
        if accept is not None and notice.way != "straight":
            raise UsageError(f"{notice.generator.title} is not run straight on the new primary; train it again with --run")
        primary = _fetch(client, notice.primary, desk.primary)
        if not desk.head.exists():
            _package(client, notice, primary, desk, run=run, data=data, accept=accept, key=key, version=version, device=device)
        offer = check_offer(desk.head, proofs, run=run)
        sent = send(client, offer)
        info = client.submit(offer.request)
    if as_json:
        print_json({"sent_bytes": sent} | info.model_dump(mode="json"))
        return
    stdout.print(f"submission {info.id}: {info.generator.title}, {info.state}", soft_wrap=True)
    stdout.print(f"follow it: manyheads-contributor status {info.id} --hub {hub} --wait", soft_wrap=True)


def _package(
    client: "HubClient",
    notice: "Notice",
    primary: "PrimaryArtifact",
    desk: "Desk",
    *,
    run: Path | None,
    data: Path | None,
    accept: Path | None,
    key: Path,
    version: str,
    device: str,
) -> None:
    """Make the head, and sign for it."""
    from manyheads_contributor.commands.package import name_generator
    from manyheads_contributor.migration import retrain, take_over
    from manyheads_contributor.package import package_head
    from manyheads_shared.dataset import scan_dataset
    from manyheads_shared.keys import read_private_key

    known, signer = notice.generator, read_private_key(key, read_passphrase())
    generator = name_generator(known.name, version=version, owner=known.owner, level=known.level)
    if accept is not None:
        weights = take_over(accept, _fetch(client, notice.belongs_to, desk.earlier), primary)
    else:
        assert run is not None  # `migrate` asked for one of the two
        assert data is not None
        weights = retrain(run, scan_dataset(data), primary, desk, device=device)
    package_head(weights, primary, desk.head, generator=generator, signer=signer)


def _fetch(client: "HubClient", digest: "Digest", out: Path) -> "PrimaryArtifact":
    """Return a primary that the hub has published, from `out` or fetched there."""
    from manyheads_shared.artifact import MAX_PRIMARY_BYTES, read_primary
    from manyheads_shared.digest import digest_file

    if not out.exists() or digest_file(out) != digest:
        with progress(in_bytes=True) as bar:
            task = bar.add_task("fetching the primary", total=None)
            client.fetch(
                digest,
                out,
                max_bytes=MAX_PRIMARY_BYTES,
                check=lambda path: read_primary(path.read_bytes()),
                on_position=lambda position: bar.update(task, completed=position),
            )
    return read_primary(out.read_bytes())


def _show(notice: "Notice", *, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": True} | notice.model_dump(mode="json"))
    else:
        stdout.print(notice.message, soft_wrap=True, markup=False)
