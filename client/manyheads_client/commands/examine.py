"""`manyheads examine`."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads_client.commands.options import DeviceOption, PrecisionOption, StoreOption
from manyheads_shared.errors import UsageError
from manyheads_shared.terminal import stderr, stdout

if TYPE_CHECKING:
    from manyheads_client.examine.serving import Address


def examine(
    *,
    store: StoreOption = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1. Default: a free one.", show_default=False)
    ] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in your browser.")] = True,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Examine images one by one on a local web page: verdicts, bars, saliency, degraded copies. Offline.

    The page is for this machine and for you: its address holds a key that is drawn anew each time. Nothing is written to disk
    but what you export. Ctrl-C ends it.

    Example: manyheads examine

    Example: manyheads examine --no-browser --port 8123
    """
    if missing := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
        raise UsageError(f"the local page needs {' and '.join(missing)}; install manyheads[examine]")
    from manyheads_client.bundle import Bundle
    from manyheads_client.examine.serving import open_browser, serve_page
    from manyheads_client.examine.session import Session
    from manyheads_client.instrument import warn_of

    bundle = Bundle.open(store)
    for warning in warn_of(bundle):
        stderr.print(f"warning: {warning}", style="yellow")

    def announce(address: "Address") -> None:
        stdout.print(f"Examining at {address.lasting}", soft_wrap=True)
        stdout.print("The address is yours alone: whoever has it sees your images. Ctrl-C ends the page and forgets them.")
        if browser:
            open_browser(address.once)

    with Session(bundle, device=device, precision=precision) as session:
        serve_page(session, port=port, on_ready=announce)
