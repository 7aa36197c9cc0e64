"""Command lines as processes that can be killed, started quickly: forked from a server that has loaded the packages.

And which processes a process has started.
"""

import os
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "manyheads_client.cli",
        "manyheads_client.fetch",
        "manyheads_client.importing",
        "manyheads_client.update",
        "manyheads_shared.scoring",
    ]
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


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    folders = (folder for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return [int(folder.name) for folder in folders if _parent(folder) == pid]


def _parent(folder: Path) -> int | None:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):  # it ended meanwhile
        return None
