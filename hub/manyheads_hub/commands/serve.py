"""`manyheads-hub serve` and `worker`: the running hub."""

from typing import Annotated, Literal

import typer

from manyheads_hub.commands.arguments import AsJson, Folder
from manyheads_shared import terminal

LogForm = Annotated[Literal["text", "json"], typer.Option("--log", help="Lines for people, or one JSON object each.")]
Metrics = Annotated[
    str | None, typer.Option(help="Tell Prometheus on this address, HOST:PORT. Keep it from strangers.", show_default=False)
]


def serve(
    folder: Folder,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)] = 8000,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only serve; a `worker` runs elsewhere.")] = False,
    log: LogForm = "text",
    metrics: Metrics = None,
) -> None:
    """Serve the API, the pages and the TUF repository, with one worker in the same process. Stops on Ctrl-C."""
    from manyheads_hub.monitoring.listener import read_address
    from manyheads_hub.serving import serve_hub

    serve_hub(
        folder,
        host=host,
        port=port,
        with_worker=not no_worker,
        log=log,
        metrics=None if metrics is None else read_address(metrics),
        on_ready=lambda address: print(f"listening on {address}", flush=True),  # noqa: T201 - programs wait for this line
    )


def worker(
    folder: Folder,
    *,
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is ready.")] = False,
    log: LogForm = "text",
    metrics: Metrics = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate submissions and publish bundles."""
    from manyheads_hub.monitoring.listener import read_address
    from manyheads_hub.serving import work

    done = work(folder, once=once, log=log, metrics=None if metrics is None else read_address(metrics))
    if as_json:
        terminal.print_json({"jobs": done})
    else:
        terminal.stdout.print(f"did {done} job{'' if done == 1 else 's'}")
