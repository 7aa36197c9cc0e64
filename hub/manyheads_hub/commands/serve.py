"""`manyheads-hub serve` and `worker`: the running hub."""

from typing import Annotated

import typer

from manyheads_hub.commands.arguments import AsJson, Folder
from manyheads_shared import terminal


def serve(
    folder: Folder,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)] = 8000,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only serve; a `worker` runs elsewhere.")] = False,
) -> None:
    """Serve the API, the pages and the TUF repository, with one worker in the same process. Stops on Ctrl-C."""
    from manyheads_hub.serving import serve_hub

    serve_hub(
        folder,
        host=host,
        port=port,
        with_worker=not no_worker,
        on_ready=lambda address: print(f"listening on {address}", flush=True),  # noqa: T201 - programs wait for this line
    )


def worker(
    folder: Folder,
    *,
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is ready.")] = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate submissions and publish bundles."""
    from manyheads_hub.serving import work

    done = work(folder, once=once)
    if as_json:
        terminal.print_json({"jobs": done})
    else:
        terminal.stdout.print(f"did {done} job{'' if done == 1 else 's'}")
