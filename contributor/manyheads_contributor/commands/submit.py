"""`submit HEAD`: offer a head to a hub."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_shared.terminal import print_json, progress, stderr, stdout

if TYPE_CHECKING:
    from manyheads_contributor.hub_client import HubClient
    from manyheads_contributor.submission import Offer
    from manyheads_shared.digest import Digest

UPLOADS_AT_ONCE = 4  # proof images are small: what takes time is the way to the hub and back


def submit(
    head: Annotated[Path, typer.Argument(help="A packaged head, HEAD.statement.json beside it.")],
    *,
    hub: Annotated[str, typer.Option(help="The hub's address.", show_default=False)],
    proofs: Annotated[
        Path, typer.Option(help="Folder of 20 to 2000 images made by the generator for this purpose.", show_default=False)
    ],
    token_file: Annotated[Path | None, typer.Option(help="File with the hub's token; otherwise MANYHEADS_TOKEN.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="The run that trained the head: no proof may be among its training images.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and say what would be sent; send nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the submission as JSON.")] = False,
) -> None:
    """Offer a head to a hub: the head, its owner's statement and proof images. No training image leaves this machine.

    An upload that was interrupted goes on where it stopped when the command is run again.

    Example: manyheads-contributor submit head.safetensors --hub https://hub.example --token-file token --proofs proofs/
    """
    from manyheads_contributor.credentials import read_token
    from manyheads_contributor.hub_client import HubClient
    from manyheads_contributor.submission import check_offer, list_proofs

    token = read_token(token_file)
    with progress() as bar:
        task = bar.add_task("checking proof images", total=len(list_proofs(proofs)))
        offer = check_offer(head, proofs, run=run, on_image=lambda: bar.advance(task))
    if offer.with_metadata:
        stderr.print(
            f"note: {offer.with_metadata} of {len(offer.proofs)} proof images carry metadata (EXIF, text or the like), "
            "which the hub will see; strip it if it is nobody's business"
        )
    with HubClient(hub, token) as client:
        if not client.is_private:
            stderr.print(f"note: {client.url} is not https; the token and the proofs can be read on the way")
        _refuse_other_primary(client, offer)
        client.list_submissions()  # a bad token is refused before anything is sent
        if dry_run:
            _show_plan(client, offer, as_json=as_json)
            return
        sent = send(client, offer)
        info = client.submit(offer.request)
    if as_json:
        print_json({"sent_bytes": sent} | info.model_dump(mode="json"))
        return
    stdout.print(f"submission {info.id}: {info.generator.title}, {info.state}", soft_wrap=True)
    if info.queue_position:
        stdout.print(f"place in the queue: {info.queue_position}")
    tokens = f" --token-file {token_file}" if token_file else ""
    stdout.print(f"follow it: manyheads-contributor status {info.id} --hub {hub}{tokens} --wait", soft_wrap=True)


def _refuse_other_primary(client: "HubClient", offer: "Offer") -> None:
    from manyheads_shared.errors import PrimaryMismatchError

    current = client.get_primary()
    if offer.manifest.primary != current.digest:
        raise PrimaryMismatchError(offer.manifest.generator.title, offer.manifest.primary, current.digest)


def send(client: "HubClient", offer: "Offer") -> int:
    """Upload what the hub does not hold; return how many bytes were sent."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    positions = dict.fromkeys(offer.files, 0)
    with progress(in_bytes=True) as bar, ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        task = bar.add_task("uploading", total=sum(path.stat().st_size for path in offer.files.values()))

        def note(digest: "Digest", position: int) -> None:
            positions[digest] = position
            bar.update(task, completed=sum(positions.values()))

        waiting = [
            pool.submit(client.upload, digest, path, on_position=partial(note, digest)) for digest, path in offer.files.items()
        ]
        try:
            return sum(future.result() for future in as_completed(waiting))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _show_plan(client: "HubClient", offer: "Offer", *, as_json: bool) -> None:
    missing = {}
    for digest, path in offer.files.items():
        offset, complete = client.uploaded_bytes(digest)
        if not complete:
            missing[digest] = path.stat().st_size - offset
    plan = {
        "generator": offer.manifest.generator.title,
        "head": offer.head,
        "primary": offer.manifest.primary,
        "files": len(offer.files),
        "proofs": len(offer.proofs),
        "files_to_send": len(missing),
        "bytes_to_send": sum(missing.values()),
    }
    if as_json:
        print_json({"dry_run": True} | plan)
        return
    stdout.print(f"would submit {offer.manifest.generator.title} ({offer.head})", soft_wrap=True)
    stdout.print(
        f"would send {len(missing)} of {len(offer.files)} files, {sum(missing.values()):,} bytes: the head, the owner's "
        f"statement and {len(offer.proofs)} proof images; the hub holds the rest already",
        soft_wrap=True,
    )
