"""`fetch-primary HUB_URL`: the primary to train heads on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_shared.terminal import print_json, progress, stdout

if TYPE_CHECKING:
    from manyheads_contributor.hub_client import HubClient
    from manyheads_shared.api import PrimaryInfo
    from manyheads_shared.digest import Digest


def fetch_primary(
    hub_url: Annotated[str, typer.Argument(help="The hub's address.")],
    *,
    out: Annotated[Path, typer.Option(help="Where the primary goes.", show_default=False)],
    digest: Annotated[str | None, typer.Option(help="An older primary, by digest; otherwise the current one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was fetched as JSON.")] = False,
) -> None:
    """Fetch the hub's current primary, or an older one, and check every byte of it. An interrupted download goes on.

    Example: manyheads-contributor fetch-primary https://hub.example --out primary.safetensors
    """
    from manyheads_contributor.hub_client import HubClient
    from manyheads_shared.artifact import read_primary
    from manyheads_shared.digest import parse_digest

    wanted = parse_digest(digest) if digest else None
    with HubClient(hub_url) as hub:
        info = _choose(hub, wanted)
        is_new = not _is_there(out, info.digest)
        if is_new:
            with progress(in_bytes=True) as bar:
                task = bar.add_task("fetching", total=info.size_bytes)
                hub.fetch(
                    info.digest,
                    out,
                    max_bytes=info.size_bytes,
                    check=lambda path: read_primary(path.read_bytes()),
                    on_position=lambda position: bar.update(task, completed=position),
                )
    if as_json:
        print_json({"path": str(out), "new": is_new, "primary": info.model_dump(mode="json")})
        return
    size = "any size" if info.image_size is None else f"{info.image_size} pixels"
    stdout.print(f"{out}  {info.name}@{info.version}  {info.digest}{'' if is_new else '  (already there)'}", soft_wrap=True)
    stdout.print(f"architecture {info.architecture}, images of {size}, {info.size_bytes:,} bytes, published {info.published}")


def _choose(hub: "HubClient", wanted: "Digest | None") -> "PrimaryInfo":
    from manyheads_shared.errors import UsageError

    if wanted is None:
        return hub.get_primary()
    published = hub.list_primaries()
    for info in published:
        if info.digest == wanted:
            return info
    raise UsageError(
        f"{hub.url} has published no primary {wanted}; it has {', '.join(info.digest for info in published) or 'none at all'}"
    )


def _is_there(out: Path, digest: "Digest") -> bool:
    """Whether the file is there already; another file is not overwritten, heads may depend on it."""
    from manyheads_shared.digest import digest_file
    from manyheads_shared.errors import UsageError

    if not out.exists():
        return False
    if not out.is_file() or digest_file(out) != digest:
        raise UsageError(f"{out} exists and is not primary {digest}; it is not overwritten. Choose another --out.")
    return True
