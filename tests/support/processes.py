"""Command lines as processes that can be killed, started quickly: forked from a server that has loaded the packages."""

import os
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["manyheads_client.cli", "manyheads_client.fetch", "manyheads_client.update", "manyheads_shared.scoring"]
)


def start_client(*arguments: str) -> BaseProcess:
    """Start `manyheads` with these arguments."""
    process = _CONTEXT.Process(target=_run_client, args=(arguments,))
    process.start()
    return process


def _run_client(arguments: tuple[str, ...]) -> None:
    from manyheads_client.cli import main  # noqa: PLC0415 - loaded in the child

    _run(main, ["manyheads", *arguments])


def _run(main: Callable[[], None], arguments: list[str]) -> None:
    sys.argv = arguments
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        sys.stdout = nowhere
        main()
